"""Layers and images: their digests match the bytes that are sent."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from moorage_bench.content import MIB, QUICK, Content, Framing, Layer, Scale


def unframed(layer: Layer) -> bytes:
    wire = b"".join(layer.body)
    if layer.header.startswith("Content-Length"):
        return wire
    pieces, start = [], 0
    while size := int(wire[start : wire.index(b"\r\n", start)], 16):
        start = wire.index(b"\r\n", start) + 2
        pieces.append(wire[start : start + size])
        start += size + 2
    assert wire[start:] == b"0\r\n\r\n"
    return b"".join(pieces)


@pytest.mark.parametrize("framing", ["chunked", "length"])
@pytest.mark.parametrize("size", [1, 20, 4096, MIB - 1, MIB, MIB + 1, 3 * MIB, 3 * MIB + 40_000])
def test_the_digest_matches_the_sent_bytes(framing: Framing, size: int) -> None:
    layer = Content(QUICK, framing).layer(size)

    data = unframed(layer)

    assert len(data) == layer.size == size
    assert layer.digest == "sha256:" + hashlib.sha256(data).hexdigest()


def test_all_layers_of_a_run_differ() -> None:
    content = Content(QUICK)

    assert len({content.layer(2 * MIB).digest for _ in range(50)}) == 50


def test_an_image_has_five_layers_and_a_config() -> None:
    image = Content(QUICK).image()

    manifest = msgspec.json.decode(image.manifest)
    named = [*manifest["layers"], manifest["config"]]

    assert [(row["digest"], row["size"]) for row in named] == [(blob.digest, blob.size) for blob in image.blobs]
    assert len(image.blobs) == 6
    assert all(3900 < blob.size < 4300 for blob in image.blobs)


def test_first_parts_differ_and_have_the_size_of_a_part() -> None:
    content = Content(Scale(part=MIB + 5))

    assert len(content.part) == len(content.first_part()) == MIB + 5
    assert content.first_part() != content.first_part()
