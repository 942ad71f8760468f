"""The strict JSON reader: what it refuses, and that Go's encoding/json reads what it accepts in the same way."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from moorage.domain import strict_json
from moorage.domain.errors import ManifestInvalid
from moorage.domain.registry.manifests import Manifest, parse_manifest
from moorage.domain.strict_json import AmbiguousJson, BadJson
from tests.support.go_clients import built_program

OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
TEXTS = 20_000


def descriptor(letter: str, **more: Any) -> dict[str, Any]:
    return {"mediaType": "application/octet-stream", "digest": f"sha256:{letter * 64}", "size": 3, **more}


IMAGE = {
    "schemaVersion": 2,
    "mediaType": OCI,
    "config": descriptor("a", data="e30="),
    "layers": [descriptor("b", annotations={"a": "1", "A": "2"}), descriptor("c", urls=["https://example.com"])],
    "subject": descriptor("d", artifactType="x/y"),
    "annotations": {"k": "v", "K": "w"},
}
IMAGES = {
    "schemaVersion": 2,
    "mediaType": INDEX,
    "manifests": [descriptor("e", platform={"architecture": "arm64", "os": "linux", "os.version": "1"})],
}


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"x":[{"a":1,"\\u0061":2}]}',
        "NaN",
        "[-Infinity]",
        "[1e400]",
        f"[{2**63}]",
        "9" * 5000,
        '"\\ud800"',
        '"\\ude00\\ud83d"',
        '{"\\uD83D":1}',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf{}",
        "\ud800",
        '"\t"',
        "01",
        "[1,]",
        "{} {}",
        "",
        "[" * 65 + "]" * 65,
        "[" * 100_000,
        '{"a":' * 100_000,
        "[" + "[]," * 100_000 + "[]]",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_a_text_that_readers_read_differently_or_at_great_cost_is_refused(text: str | bytes) -> None:
    started = time.process_time()

    with pytest.raises(BadJson):
        strict_json.read(text)

    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":{"b":[]},"A":1}', {"a": {"b": []}, "A": 1}),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ("[" * 64 + "]" * 64, None),
        (f"[{2**63 - 1},{-(2**63)},1.5,1e3]", [2**63 - 1, -(2**63), 1.5, 1000.0]),
    ],
)
def test_other_texts_are_read(text: str, value: Any) -> None:
    assert value is None or strict_json.read(text) == value


@pytest.mark.parametrize("name", ["Layers", "layer\u017f", "Config", "Manifests", "MediaType", "\u017fubject"])
@pytest.mark.parametrize("document", [IMAGE, IMAGES])
def test_a_member_of_a_manifest_in_another_case_is_refused(document: dict[str, Any], name: str) -> None:
    """CVE-2021-41190: Go takes it for the member of the specification, whether that is present or not."""
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(json.dumps({**document, name: []}).encode(), None)

    assert "only in case" in caught.value.reason


@pytest.mark.parametrize("name", ["Digest", "\u017fize", "Data", "URLs", "Annotations", "Platform"])
def test_a_member_of_a_descriptor_in_another_case_is_refused(name: str) -> None:
    with pytest.raises(ManifestInvalid, match="Invalid JSON syntax"):
        parse_manifest(json.dumps({**IMAGE, "layers": [{**descriptor("b"), name: None}]}).encode(), None)


def test_keys_of_annotations_and_members_that_no_specification_names_may_differ_in_case() -> None:
    document = {**IMAGE, "x-Layers": [1], "X-layers": {"Digest": 1}, "annotations": {"layers": "1", "Layers": "2"}}

    assert parse_manifest(json.dumps(document).encode(), None).annotations == document["annotations"]


def test_a_name_is_looked_up_in_structs_only() -> None:
    known = strict_json.names_by_fold(["tokens"])

    strict_json.reject_variants(["tokens", "other"], known)
    with pytest.raises(AmbiguousJson):
        strict_json.reject_variants(["to\u212aen\u017f"], known)


# --- Go ---------------------------------------------------------------------------------------------------------


def test_go_reads_what_is_accepted_in_the_same_way() -> None:
    texts = list(mutated(random.Random(41190), TEXTS))

    readings = go_readings(texts)

    accepted = manifests = 0
    for text, reading in zip(texts, readings, strict=True):
        try:
            value = strict_json.read(text)
        except BadJson:
            continue
        accepted += 1
        assert reading["valueError"] == "", text
        assert value == strict_json.read(json.dumps(reading["value"])), text
        try:
            manifest = parse_manifest(text, None)
        except ManifestInvalid:
            continue
        manifests += 1
        assert reading["manifestError"] == "", text
        assert as_go_has_it(manifest) == as_read_by_go(reading["manifest"]), text
    assert accepted > TEXTS / 20
    assert manifests > TEXTS / 100


def go_readings(texts: list[bytes]) -> list[dict[str, Any]]:
    given = b"\n".join(base64.b64encode(text) for text in texts)
    done = subprocess.run([built_program("json_readings")], input=given, capture_output=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def mutated(chance: random.Random, number: int) -> Iterator[bytes]:
    """Manifests with changes where readers are known to differ: names, strings, numbers, types, bytes."""
    pieces = [
        *(b'"%s":null,' % name for name in (b"layers", b"Layers", b"\xc5\xbfize", b"DIGEST", b"x", b"annotations")),
        *(b"null", b"1e2", b"-0", b"1.0", b"9223372036854775808", b"NaN", b"1e-999", b"[]", b"{}", b"true", b'"x"'),
        *(b"\\ud800", b"\\u0000", b"\\u006c", b"\xff", b"\xef\xbb\xbf", b" \n", b"\x0b", b'"', b",", b"{", b"]"),
        *(b"e30=", b"e30", b"ab==", b"a\\nb=", b"A", b"S", b"\xe2\x84\xaa"),
    ]
    bases = [json.dumps(document, ensure_ascii=chance.random() < 0.5).encode() for document in (IMAGE, IMAGES)]
    for _ in range(number):
        text = chance.choice(bases)
        for _ in range(chance.randint(0, 2)):
            at = chance.choice([index for index, byte in enumerate(text) if byte in b'{}[],:"'] or [0])
            at += chance.randint(0, 1) if chance.random() < 0.8 else chance.randint(1, 9)
            cut = chance.choice([0, 0, 0, 1, 3, len(text[at:].split(b'"')[0])])
            text = text[:at] + chance.choice(pieces) + text[at + cut :]
        if chance.random() < 0.2:
            letter = chance.randrange(len(text))
            text = text[:letter] + text[letter : letter + 1].swapcase() + text[letter + 1 :]
        yield text


def as_go_has_it(manifest: Manifest) -> Any:
    return (
        [(each.media_type, each.digest, each.size, each.urls or []) for each in manifest.layers],
        [(each.media_type, each.digest, each.size, each.urls or []) for each in manifest.children],
        manifest.subject,
        manifest.annotations,
    )


def as_read_by_go(manifest: dict[str, Any]) -> Any:
    layers = [manifest["config"], *(manifest["layers"] or [])] if manifest["config"] else []
    subject = manifest["subject"]["digest"] if manifest["subject"] else None
    return (
        [(each["mediaType"], each["digest"], each["size"], each["urls"] or []) for each in layers],
        [(each["mediaType"], each["digest"], each["size"], each["urls"] or []) for each in manifest["manifests"] or []],
        subject,
        manifest["annotations"] or {},
    )


def test_reading_strictly_costs_little() -> None:
    """A push of a small image waits for it. Measured: 10 to 15 microseconds for ten layers."""
    document = {**IMAGE, "layers": [descriptor("b")] * 10, "subject": None}
    text = json.dumps(document).encode()

    fastest = min(seconds_of(text) for _ in range(50))

    assert fastest < 200e-6


def seconds_of(text: bytes) -> float:
    started = time.perf_counter()
    strict_json.read(text)
    return time.perf_counter() - started
