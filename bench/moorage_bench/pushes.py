"""The requests that docker sends to push a layer or an image."""

from __future__ import annotations

from moorage_bench.connections import Conversation
from moorage_bench.content import OCI_MANIFEST, Image, Layer
from moorage_bench.targets import Target

READERS = 16
WRITERS = 8


def push_layer(target: Target, repository: str, layer: Layer) -> Conversation:
    """Push a layer that the registry does not have, without the HEAD that docker sends first."""
    response = yield target.request("POST", f"/v2/{repository}/blobs/uploads/", 202)
    response = yield target.upload(target.location(response), layer)
    location = target.location(response)
    separator = "&" if "?" in location else "?"
    yield target.request("PUT", f"{location}{separator}digest={layer.digest}", 201)


def push_image(target: Target, repository: str, image: Image, tag: str) -> Conversation:
    """Push an image that the registry does not have."""
    for blob in image.blobs:
        yield target.request("HEAD", f"/v2/{repository}/blobs/{blob.digest}", 404)
        yield from push_layer(target, repository, blob)
    path = f"/v2/{repository}/manifests/{tag}"
    yield target.request("PUT", path, 201, headers=f"Content-Type: {OCI_MANIFEST}\r\n", body=image.manifest)
