"""The kinds of floods. Each prepares what it needs as the flooding caller, who may push, and then floods."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pybase64

from moorage_bench.connections import Request, drive, exchange, in_turn
from moorage_bench.content import MIB, OCI_MANIFEST, QUICK, Content, Layer
from moorage_bench.floods.crowd import Visitor, crowd
from moorage_bench.floods.rush import ANY, rush
from moorage_bench.floods.site import REPOSITORY, Site
from moorage_bench.targets import Target
from moorage_bench.workloads.pushes import push_layer

LARGE_MANIFEST = 4 * MIB - 64 * 1024
"""Bytes of the largest manifests: a little less than the 4 MiB that registries accept."""

PART_BODIES = (28 * MIB, 20 * MIB, 12 * MIB, 5 * MIB, 2 * MIB)
"""Bytes of bodies with a part as base64. Several sizes, so that together they take all of a budget."""

TAGS_A_REQUEST = 99
READER_BUFFER = 4096
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"


@dataclass(frozen=True, slots=True)
class Flood:
    """A kind of flood, and the least share of its rate that the honest client must keep."""

    name: str
    run: Callable[[Site], None]
    least_share: float = 0.7


def slow_bodies(site: Site) -> None:
    """400 bodies, half of them by unknown callers: parts of 20 MiB, bodies under 1 MiB that lack their end, chunks."""
    target = site.target
    unknown = ("", "Authorization: Basic QVdTOm5vYm9keQ==\r\n")
    upload = target.location(exchange(target.address, target.request("POST", f"/v2/{REPOSITORY}/blobs/uploads/", 202)))
    operation = target.operation("UploadLayerPart", b"{", expected=ANY)
    parts = [_announced(operation, size) for size in PART_BODIES]
    nearly_a_mebibyte = _announced(operation, MIB)
    patch = _announced(target.request("PATCH", upload), 100 * MIB)
    known_id = target.key.id if target.key else ""

    async def visit(visitor: Visitor, number: int) -> None:
        part = parts[number // 4 % len(parts)]
        match number % 4:
            case 0:
                await visitor.send(part.replace(known_id.encode(), b"AKIANOBODYNOBODY0000") + b"{")
            case 1:
                await visitor.send(_unauthorized(patch, unknown[number // 4 % 2]))
            case 2:
                await visitor.send(part + b"{")
            case _:
                await visitor.send(nearly_a_mebibyte + b"{" + b" " * (MIB - (64 << 10)))
        await visitor.drip(piece=b" ")

    crowd(site, site.scaled(400), visit)


def slow_manifests(site: Site) -> None:
    """32 manifests of 4 MiB: half of them arrive at once but for their end, half arrive slowly."""
    head = _announced(site.target.request("PUT", f"/v2/{REPOSITORY}/manifests/slow"), 4 * MIB, OCI_MANIFEST)

    async def visit(visitor: Visitor, number: int) -> None:
        await visitor.send(head + b"{" + b" " * (4 * MIB - (96 << 10)) * (number % 2))
        await visitor.drip(piece=b" ")

    crowd(site, site.scaled(32), visit)


def idle_connections(site: Site) -> None:
    """2,000 connections: half of them have sent nothing, half of them had one answer."""
    request = site.target.request("GET", "/v2/").head

    async def visit(visitor: Visitor, number: int) -> None:
        if number % 2:
            await visitor.send(request)
            await visitor.answer()
        await visitor.hold()

    crowd(site, site.scaled(2000), visit)


def stopped_readers(site: Site) -> None:
    """120 clients that request a layer of 64 MiB or a manifest of 4 MiB and never read."""
    target, content = site.target, Content(QUICK, "length")
    layer = content.layer(64 * MIB)
    drive(target.address, [push_layer(target, REPOSITORY, layer)])
    manifest = _push_large_manifest(target, "unread")
    paths = (f"/v2/{REPOSITORY}/blobs/{layer.digest}", f"/v2/{REPOSITORY}/manifests/{manifest}")
    requests = [target.request("GET", path, headers=f"Accept: {OCI_MANIFEST}\r\n").head for path in paths]

    async def visit(visitor: Visitor, number: int) -> None:
        await visitor.send(requests[number % 2])
        await visitor.sleep()

    crowd(site, site.scaled(120), visit, receive_buffer=READER_BUFFER)


def large_batches(site: Site) -> None:
    """BatchGetImage of a manifest of 4 MiB with 990 tags, which is named 100 times, by 8 clients."""
    target = site.target
    digest = _push_large_manifest(target, "batch", tags=site.scaled(990))
    body = msgspec.json.encode({"repositoryName": REPOSITORY, "imageIds": [{"imageDigest": digest}] * 100})
    rush(site, 8, lambda: _discarded(target.operation("BatchGetImage", body, expected=ANY)))


def large_referrers(site: Site) -> None:
    """ListImageReferrers of 40 images with 4 MiB of annotations each, by 8 clients."""
    target = site.target
    subject = _push_large_manifest(target, "subject")
    size = len(_large_manifest("subject", _config()))
    for number in range(site.scaled(40)):
        _push_large_manifest(target, f"referrer-{number}", subject={"digest": subject, "size": size})
    body = msgspec.json.encode({"repositoryName": REPOSITORY, "subjectId": {"imageDigest": subject}, "maxResults": 50})
    rush(site, 8, lambda: _discarded(target.operation("ListImageReferrers", body, expected=ANY)))


def long_headers(site: Site) -> None:
    """1,700 different Authorization headers of up to 400 KiB, spread over the time of the flood."""
    pause = site.seconds / 1700 * 4
    host = site.target.name
    noise = pybase64.b64encode(b"x" * 300_000).decode()
    numbers = itertools.count()

    async def visit(visitor: Visitor, number: int) -> None:
        while True:
            unique = next(numbers)
            size = (100_000, 400_000, 400_000)[unique % 3]
            name = pybase64.b64encode(f"AKIA{unique:016}:".encode()).decode()
            value = f"Basic {name}{noise[:size]}" if number else _credential(f"{unique:014}{noise[:size]}")
            line = "GET /v2/ HTTP/1.1" if number else "POST / HTTP/1.1\r\nContent-Length: 0"
            await visitor.send(f"{line}\r\nHost: {host}\r\nAuthorization: {value}\r\n\r\n".encode())
            await visitor.answer()
            await asyncio.sleep(pause)

    crowd(site, 4, visit)


def many_connections(site: Site) -> None:
    """One caller who requests manifests on 256 connections."""
    target = site.target
    _push_large_manifest(target, "small", size=1024)
    request = target.request("GET", f"/v2/{REPOSITORY}/manifests/small-0", headers=f"Accept: {OCI_MANIFEST}\r\n")
    request = Request(request.head, ANY)
    rush(site, site.scaled(256), lambda: request)


def _credential(text: str) -> str:
    scope = "20260101/us-east-1/ecr/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={text}/{scope}, SignedHeaders=host, Signature={'0' * 64}"


def _announced(request: Request, size: int, content_type: str = "") -> bytes:
    """The head of the request with another Content-Length, without its body."""
    lines = request.head.partition(b"\r\n\r\n")[0].split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith(b"content-length:")]
    extra = [f"Content-Length: {size}".encode(), *([f"Content-Type: {content_type}".encode()] if content_type else [])]
    return b"\r\n".join([*kept, *extra, b"", b""])


def _unauthorized(head: bytes, instead: str) -> bytes:
    lines = [line for line in head.split(b"\r\n\r\n")[0].split(b"\r\n") if not line.startswith(b"Authorization:")]
    return b"\r\n".join(lines) + b"\r\n" + instead.encode() + b"\r\n"


def _discarded(request: Request) -> Request:
    return Request(request.head, request.expected, request.body, sink=len)


def _config() -> Layer:
    return Content(QUICK, "length").blob(b"{}")


def _large_manifest(name: str, config: Layer, subject: dict[str, object] | None = None, size: int = 0) -> bytes:
    descriptor: dict[str, object] = {"mediaType": EMPTY_TYPE, "digest": config.digest, "size": config.size}
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.moorage_bench",
        "config": descriptor,
        "layers": [descriptor],
        "annotations": {"name": name, "text": "x" * (size or LARGE_MANIFEST)},
    }
    if subject is not None:
        document["subject"] = {"mediaType": OCI_MANIFEST, **subject}
    return msgspec.json.encode(document)


def _push_large_manifest(
    target: Target, name: str, subject: dict[str, object] | None = None, *, tags: int = 1, size: int = 0
) -> str:
    """Push a manifest with the tags NAME-0, NAME-1, …; returns its digest."""
    config = _config()
    manifest = Content(QUICK, "length").blob(_large_manifest(name, config, subject, size))
    drive(target.address, [push_layer(target, REPOSITORY, config)])
    requests = []
    for first in range(0, tags, TAGS_A_REQUEST):
        query = "&".join(f"tag={name}-{number}" for number in range(first, min(tags, first + TAGS_A_REQUEST)))
        path = f"/v2/{REPOSITORY}/manifests/{manifest.digest}?{query}"
        headers = f"Content-Type: {OCI_MANIFEST}\r\n"
        request = target.request("PUT", path, 201, headers=f"{headers}Content-Length: {manifest.size}\r\n")
        requests.append(Request(_announced(request, manifest.size), (201,), manifest.body))
    drive(target.address, [in_turn(requests)])
    return manifest.digest


FLOODS = (
    Flood("slow-bodies", slow_bodies),
    Flood("slow-manifests", slow_manifests),
    Flood("idle-connections", idle_connections),
    Flood("stopped-readers", stopped_readers),
    Flood("large-batches", large_batches),
    Flood("large-referrers", large_referrers),
    Flood("long-headers", long_headers),
    Flood("many-connections", many_connections, least_share=0.5),
)
