"""Layers and images that are pushed through the ECR API only."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from tests.api.ecr.wire import Refusal, refusal
from tests.support.images import Blob, Image, digest, image, layer

MINIMUM = 5_242_880
"""The smallest size of a part, except the last one."""


def begin(ecr: Any, repository: str) -> str:
    """The id of a new upload."""
    return str(ecr.initiate_layer_upload(repositoryName=repository)["uploadId"])


def send_part(ecr: Any, repository: str, upload: str, first: int, part: bytes) -> Any:
    """The response to UploadLayerPart for bytes from `first` on."""
    return ecr.upload_layer_part(
        repositoryName=repository,
        uploadId=upload,
        partFirstByte=first,
        partLastByte=first + len(part) - 1,
        layerPartBlob=part,
    )


def complete(ecr: Any, repository: str, upload: str, *digests: str) -> Any:
    """The response to CompleteLayerUpload."""
    return ecr.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=list(digests))


def upload_layer(ecr: Any, repository: str, content: bytes) -> str:
    """Upload a layer in one part, and return its digest."""
    upload = begin(ecr, repository)
    send_part(ecr, repository, upload, 0, content)
    return str(complete(ecr, repository, upload, digest(content))["layerDigest"])


def upload_blobs(ecr: Any, repository: str, blobs: Sequence[Blob]) -> None:
    """Upload an image's blobs, except those that the repository has."""
    missing = {blob.digest: blob for blob in blobs}
    if not missing:
        return
    known = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=list(missing))["layers"]
    for found in known:
        if found["layerAvailability"] != "AVAILABLE":
            upload_layer(ecr, repository, missing[found["layerDigest"]].content)


def put(ecr: Any, repository: str, pushed: Image, tag: str | None = None, **more: str) -> Any:
    """The image in PutImage's response. The repository must have the image's blobs."""
    named = {} if tag is None else {"imageTag": tag}
    answer = ecr.put_image(repositoryName=repository, imageManifest=pushed.manifest.content.decode(), **named, **more)
    return answer["image"]


def push(ecr: Any, repository: str, pushed: Image, *tags: str) -> Image:
    """Upload an image and its blobs, and put it under each tag, or without a tag. Returns the image."""
    upload_blobs(ecr, repository, pushed.blobs)
    for tag in tags or (None,):
        put(ecr, repository, pushed, tag)
    return pushed


def variants(seed: int = 0) -> Iterator[Image]:
    """An endless supply of images that share their blobs."""
    layers = [layer(seed=seed)]
    for number in itertools.count(1):
        yield image(layers, extra={"annotations": {"variant": str(number)}})


def put_refused(ecr: Any, repository: str, manifest: Image | str, tag: str | None = None, **more: str) -> Refusal:
    """The refusal of PutImage for an image or the text of a manifest."""
    text = manifest if isinstance(manifest, str) else manifest.manifest.content.decode()
    named = {} if tag is None else {"imageTag": tag}
    return refusal(ecr.put_image, repositoryName=repository, imageManifest=text, **named, **more)


def send_two_bytes(ecr: Any, repository: str, upload: str) -> None:
    """Send two parts: with the second one, an upload gets its row."""
    send_part(ecr, repository, upload, 0, b"x")
    send_part(ecr, repository, upload, 1, b"y")
