"""The requests that docker sends to push a layer or an image."""

from __future__ import annotations

from collections.abc import Iterator

from moorage_bench.connections import Conversation, Request
from moorage_bench.content import OCI_MANIFEST, Image, Layer
from moorage_bench.targets import Target

READERS = 16
WRITERS = 8


def push_layer(target: Target, repository: str, layer: Layer) -> Conversation:
    """Push a layer that the registry does not have, without the HEAD that docker sends first."""
    response = yield target.request("POST", f"/v2/{repository}/blobs/uploads/", 202)
    response = yield target.upload(target.location(response), layer)
    yield target.request("PUT", _with_digest(target.location(response), layer), 201)


def push_whole_layer(target: Target, repository: str, layer: Layer) -> Conversation:
    """Push a layer in the request that ends the upload (distribution-spec, "Pushing a blob monolithically")."""
    response = yield target.request("POST", f"/v2/{repository}/blobs/uploads/", 202)
    yield target.upload(_with_digest(target.location(response), layer), layer, "PUT")


def push_image(target: Target, repository: str, image: Image, tag: str) -> Conversation:
    """Push an image that the registry does not have."""
    for blob in image.blobs:
        yield target.request("HEAD", f"/v2/{repository}/blobs/{blob.digest}", 404)
        yield from push_layer(target, repository, blob)
    yield put_manifest(target, repository, image, tag)


def put_manifest(target: Target, repository: str, image: Image, tag: str) -> Request:
    """The last request of a push."""
    path = f"/v2/{repository}/manifests/{tag}"
    return target.request("PUT", path, 201, headers=f"Content-Type: {OCI_MANIFEST}\r\n", body=image.manifest)


def one_by_one(operations: Iterator[Conversation]) -> Conversation:
    """Work of one connection: take the next operation of those that all connections share."""
    for operation in operations:
        yield from operation


def _with_digest(location: str, layer: Layer) -> str:
    return f"{location}{'&' if '?' in location else '?'}digest={layer.digest}"
