"""Operations on layers: check their availability, upload them in parts, and get download URLs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Final

from moorage.core.registry import layers, repositories
from moorage.core.registry.open_uploads import check_part
from moorage.domain.errors import LayerTooLarge, LimitExceeded
from moorage.domain.ports import CHUNK_BYTES
from moorage.domain.registry.errors import (
    InvalidLayerPart,
    LayerInaccessible,
    LayersNotFound,
    RepositoryNotFound,
    UploadNotFound,
)
from moorage.ecr.call import Call, Handler
from moorage.ecr.from_upstream import fetch_layer
from moorage.metadata.database import Transaction

if TYPE_CHECKING:
    from moorage.ecr import shapes

_LAYER_DIGEST = re.compile(r"[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+", re.ASCII)


async def batch_check_layer_availability(
    call: Call, request: shapes.BatchCheckLayerAvailabilityRequest
) -> shapes.BatchCheckLayerAvailabilityResponse:
    """A missing layer is UNAVAILABLE, not a failure: clients then upload it."""
    digests = request["layerDigests"]
    well_formed = [digest for digest in digests if _LAYER_DIGEST.fullmatch(digest)]

    def check(tx: Transaction) -> list[layers.LayerAvailability]:
        return layers.availability(tx, repositories.get(tx, call.registry, request["repositoryName"]), well_formed)

    found = await call.read(check)
    present = [item.blob for item in found if item.blob is not None]
    if not await call.services.grace_periods.renew(call.registry, request["repositoryName"], present):
        found = await call.read(check)
    return {
        "layers": [_layer(item) for item in found],
        "failures": [_layer_failure(digest) for digest in digests if not _LAYER_DIGEST.fullmatch(digest)],
    }


async def initiate_layer_upload(
    call: Call, request: shapes.InitiateLayerUploadRequest
) -> shapes.InitiateLayerUploadResponse:
    upload = await call.services.layers.start(call.scope(request["repositoryName"]))
    return {"uploadId": upload.id, "partSize": layers.PART_SIZE}


async def upload_layer_part(call: Call, request: shapes.UploadLayerPartRequest) -> shapes.UploadLayerPartResponse:
    scope = call.scope(request["repositoryName"])
    upload = await call.services.layers.find(scope, request["uploadId"])
    first, last, part = request["partFirstByte"], request["partLastByte"], request["layerPartBlob"]
    check_part(scope, upload, first, last, len(part))
    try:
        await call.services.layers.append(scope, upload, first, _pieces(part))
    except LayerTooLarge as refusal:  # The service model does not have LayerTooLarge.
        raise LimitExceeded(reason=str(refusal)) from None
    return {
        "registryId": call.registry.account,
        "repositoryName": request["repositoryName"],
        "uploadId": upload.id,
        "lastByteReceived": last,
    }


async def complete_layer_upload(
    call: Call, request: shapes.CompleteLayerUploadRequest
) -> shapes.CompleteLayerUploadResponse:
    scope = call.scope(request["repositoryName"])
    upload = await call.services.layers.find(scope, request["uploadId"])
    try:
        digest = await call.services.layers.complete(scope, upload, request["layerDigests"], strict=True)
    except InvalidLayerPart:
        # Another request uses the upload. The service model has no error for this case; a second completion gets this
        # one, because the upload no longer exists.
        raise UploadNotFound(
            upload=upload.id, repository=request["repositoryName"], registry=call.registry.account
        ) from None
    return {
        "registryId": call.registry.account,
        "repositoryName": request["repositoryName"],
        "uploadId": upload.id,
        "layerDigest": digest,
    }


async def get_download_url_for_layer(
    call: Call, request: shapes.GetDownloadUrlForLayerRequest
) -> shapes.GetDownloadUrlForLayerResponse:
    def find(tx: Transaction) -> None:
        repository = repositories.get(tx, call.registry, request["repositoryName"])
        layers.for_download(tx, repository, request["layerDigest"])

    name = request["repositoryName"]
    try:
        await call.read(find)
    except (LayersNotFound, LayerInaccessible, RepositoryNotFound) as missing:
        await fetch_layer(call, name, request["layerDigest"], missing)
    path = call.services.download_links.path(call.registry, name, request["layerDigest"])
    return {
        "downloadUrl": call.services.addresses.proxy_endpoint(call.registry) + path,
        "layerDigest": request["layerDigest"],
    }


async def _pieces(part: bytes) -> AsyncIterator[bytes]:
    view = memoryview(part)
    for start in range(0, len(part), CHUNK_BYTES):
        yield view[start : start + CHUNK_BYTES]  # type: ignore[misc]  # a view instead of bytes, to avoid a copy


def _layer(item: layers.LayerAvailability) -> shapes.Layer:
    if item.blob is None:
        return {"layerDigest": item.digest, "layerAvailability": "UNAVAILABLE"}
    view: shapes.Layer = {
        "layerDigest": item.digest,
        "layerAvailability": "ARCHIVED" if item.is_archived else "AVAILABLE",
        "layerSize": item.blob.size,
    }
    if item.media_type is not None:
        view["mediaType"] = item.media_type
    return view


def _layer_failure(digest: str) -> shapes.LayerFailure:
    if not digest:
        return {
            "layerDigest": digest,
            "failureCode": "MissingLayerDigest",
            "failureReason": "Invalid request parameters: layer digest cannot be empty",
        }
    return {
        "layerDigest": digest,
        "failureCode": "InvalidLayerDigest",
        "failureReason": "Invalid request parameters: layer digest should satisfy the regex "
        "'[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
    }


OPERATIONS: Final[Mapping[str, Handler]] = {
    "BatchCheckLayerAvailability": batch_check_layer_availability,
    "InitiateLayerUpload": initiate_layer_upload,
    "UploadLayerPart": upload_layer_part,
    "CompleteLayerUpload": complete_layer_upload,
    "GetDownloadUrlForLayer": get_download_url_for_layer,
}
