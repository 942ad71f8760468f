"""Layers and images through the API, as the clients that use nothing else push them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from tests.api.ecr.wire import Refusal, refusal
from tests.support.images import Blob, Image, digest, image, layer

MINIMUM = 5_242_880
"""Bytes that every part but the last must have."""


def begin(ecr: Any, repository: str) -> str:
    """The id of a new upload."""
    return str(ecr.initiate_layer_upload(repositoryName=repository)["uploadId"])


def send_part(ecr: Any, repository: str, upload: str, first: int, part: bytes) -> Any:
    """The answer to UploadLayerPart for bytes from `first` on."""
    return ecr.upload_layer_part(
        repositoryName=repository,
        uploadId=upload,
        partFirstByte=first,
        partLastByte=first + len(part) - 1,
        layerPartBlob=part,
    )


def complete(ecr: Any, repository: str, upload: str, *digests: str) -> Any:
    """The answer to CompleteLayerUpload."""
    return ecr.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=list(digests))


def upload_layer(ecr: Any, repository: str, content: bytes) -> str:
    """Upload a layer in one part, and return its digest."""
    upload = begin(ecr, repository)
    send_part(ecr, repository, upload, 0, content)
    return str(complete(ecr, repository, upload, digest(content))["layerDigest"])


def upload_blobs(ecr: Any, repository: str, blobs: Sequence[Blob]) -> None:
    """Upload those of an image's blobs that the repository does not have."""
    wanted = {blob.digest: blob for blob in blobs}
    if not wanted:
        return
    known = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=list(wanted))["layers"]
    for found in known:
        if found["layerAvailability"] != "AVAILABLE":
            upload_layer(ecr, repository, wanted[found["layerDigest"]].content)


def put(ecr: Any, repository: str, one: Image, tag: str | None = None, **more: str) -> Any:
    """The image in PutImage's answer; its blobs must be there."""
    named = {} if tag is None else {"imageTag": tag}
    answer = ecr.put_image(repositoryName=repository, imageManifest=one.manifest.content.decode(), **named, **more)
    return answer["image"]


def push(ecr: Any, repository: str, one: Image, *tags: str) -> Image:
    """Upload an image with its blobs under each of the tags, or under none; returns the image."""
    upload_blobs(ecr, repository, one.blobs)
    for tag in tags or (None,):
        put(ecr, repository, one, tag)
    return one


def variants(seed: int = 0) -> Iterator[Image]:
    """Images without end that have the same blobs."""
    layers = [layer(seed=seed)]
    for number in itertools.count(1):
        yield image(layers, extra={"annotations": {"variant": str(number)}})


def put_refused(ecr: Any, repository: str, manifest: Image | str, tag: str | None = None, **more: str) -> Refusal:
    """The refusal of PutImage for an image, or for the text of a manifest."""
    text = manifest if isinstance(manifest, str) else manifest.manifest.content.decode()
    named = {} if tag is None else {"imageTag": tag}
    return refusal(ecr.put_image, repositoryName=repository, imageManifest=text, **named, **more)
