"""Uploads of blobs (distribution-spec, "Pushing blobs"): in one request, in a stream, in chunks, or by a mount."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from typing import Final

from moorage.core.registry.layers import lookup
from moorage.core.registry.open_uploads import hashed_for, invalid_part
from moorage.core.services import Services
from moorage.domain.errors import (
    AccessDenied,
    BodyLengthDiffers,
    BodyTimeout,
    DigestInvalid,
    RangeNotSatisfiable,
    Refusal,
)
from moorage.domain.identity.actions import DOCKER_ACTIONS, MOUNT_SOURCE
from moorage.domain.names import Digest
from moorage.domain.ports import DEFAULT_ALGORITHM
from moorage.domain.registry.errors import LayerAlreadyExists, RepositoryNotFound, UploadNotFound
from moorage.http.blob_response import is_number
from moorage.http.bodies import ClientGone
from moorage.http.locations import Locations
from moorage.http.messages import Response
from moorage.metadata.registry.uploads import OpenUploadRows, Upload
from moorage.oci.access import AccessControl, RegistryCall, RegistryRequest
from moorage.oci.creation import Creation
from moorage.oci.errors import received

(_START,) = DOCKER_ACTIONS["uploads", "POST"]
(_APPEND,) = DOCKER_ACTIONS["upload", "PATCH"]
(_STATUS,) = DOCKER_ACTIONS["upload", "GET"]
(_CANCEL,) = DOCKER_ACTIONS["upload", "DELETE"]
(_COMPLETE,) = DOCKER_ACTIONS["upload", "PUT"]
_MOUNT: Final = DOCKER_ACTIONS["uploads", "POST?mount"]
_AT_ONCE: Final = DOCKER_ACTIONS["uploads", "POST?digest"]
_WITH_BODY: Final = DOCKER_ACTIONS["upload", "PUT+body"]

_ALGORITHMS: Final = frozenset({"sha256", "sha512"})
_EMPTY: Final = (b"content-length", b"0")
_INTERRUPTIONS: Final = (ClientGone, BodyTimeout)


class Uploads:
    """Handlers of uploads. An upload belongs to one user and one repository (`UploadScope`)."""

    def __init__(self, services: Services, access: AccessControl, locations: Locations) -> None:
        self._database = services.database
        self._layers = services.layers
        self._mounts = services.mounts
        self._access_control = access
        self._creation = Creation(services)
        self._locations = locations

    async def start(self, request: RegistryRequest) -> Response:
        """POST: start an upload; with `digest`, upload the whole blob; with `mount` and `from`, mount a blob."""
        call, others = await self._database.decide_and_read_one(
            lambda: self._access_control.authorized(request, _START), lambda call: self._layers.count_for(call.scope)
        )
        try:
            return await self._start(call, others)
        except RepositoryNotFound as missing:
            await self._database.write(await self._creation.authorize(call, missing))
            self._creation.record(call)
        return await self._start(call)

    async def _start(self, call: RegistryCall, others: OpenUploadRows | None = None) -> Response:
        parameters = call.parameters()
        if "digest" in parameters:
            return await self._upload_at_once(call, parameters["digest"])
        algorithm = parameters.get("digest-algorithm", DEFAULT_ALGORITHM)
        if algorithm not in _ALGORITHMS:
            raise DigestInvalid(digest=algorithm[:200])
        if "mount" in parameters and await self._mount(call, parameters["mount"], parameters.get("from")):
            return self._created(call, parameters["mount"])
        return self._progress(202, call, await self._layers.start(call.scope, algorithm, others))

    async def append(self, request: RegistryRequest) -> Response:
        """PATCH: append bytes to an upload. What arrives before an interruption is kept for clients that ask for it."""
        call, found = await self._database.decide_and_read_one(
            lambda: self._access_control.authorized(request, _APPEND),
            lambda call: partial(lookup, scope=call.scope, upload_id=call.reference),
        )
        upload = self._layers.found(call.scope, call.reference, found)
        return self._progress(202, call, await self._receive(call, upload, _INTERRUPTIONS))

    async def complete(self, request: RegistryRequest) -> Response:
        """PUT: append the last bytes, if any, and complete the upload with its digest."""
        (call, digest), found = await self._database.decide_and_read_one(
            lambda: self._completing(request),
            lambda decision: partial(
                lookup, scope=decision[0].scope, upload_id=decision[0].reference, digest=decision[1]
            ),
        )
        try:
            upload = self._layers.found(call.scope, call.reference, found)
        except UploadNotFound:
            if await self._layers.finished(call.scope, call.reference) == digest:
                return self._created(call, digest)  # The response to the first PUT was lost.
            raise
        return await self._finish(call, await self._receive(call, hashed_for(upload, digest)), digest)

    async def _completing(self, request: RegistryRequest) -> tuple[RegistryCall, Digest]:
        """The authorized call that completes an upload, and the digest of the upload."""
        call = await self._access_control.authorized(request, _COMPLETE)
        if call.request.body.content_length != 0:
            await self._access_control.authorize(call, *_WITH_BODY)
        return call, Digest.parse(call.parameters().get("digest", ""))

    async def status(self, request: RegistryRequest) -> Response:
        """GET: where to continue an upload."""
        call = await self._access_control.authorized(request, _STATUS)
        return self._progress(204, call, await self._layers.status(call.scope, call.reference))

    async def cancel(self, request: RegistryRequest) -> Response:
        """DELETE: cancel an upload."""
        call = await self._access_control.authorized(request, _CANCEL)
        await self._layers.cancel(call.scope, await self._layers.find(call.scope, call.reference))
        return Response(204)

    async def _mount(self, call: RegistryCall, digest: str, source: str | None) -> bool:
        """Mount a blob, which makes a layer as the end of an upload does; False if the client has to upload it."""
        try:
            await self._access_control.authorize(call, *_MOUNT)
        except AccessDenied:
            return False
        return await self._mounts.mount(call.access_request(MOUNT_SOURCE), call.repository, digest, source)

    async def _upload_at_once(self, call: RegistryCall, text: str) -> Response:
        """Upload a blob in one request. If its body is not stored, the upload is deleted: no client knows its id."""
        await self._access_control.authorize(call, *_AT_ONCE)
        digest = Digest.parse(text)
        upload = await self._layers.start(call.scope, digest.algorithm)
        try:
            upload = await self._receive(call, upload)
        except (Refusal, ClientGone, OSError):
            await self._layers.discard(upload)
            raise
        return await self._finish(call, upload, digest)

    async def _receive(
        self, call: RegistryCall, upload: Upload, interruptions: tuple[type[Exception], ...] = ()
    ) -> Upload:
        """Append the body, if there is one. A wrong body, or an incomplete one, leaves the upload unchanged.

        After one of `interruptions`, what arrived is kept for clients that ask for the status (`Layers.append`).
        """
        length = _announced_length(call, upload)
        body = call.request.body.chunks()
        first = await anext(body, b"")
        if not first and length is None:
            return upload
        chunks = _exactly(length, first, body)
        return await self._layers.append(call.scope, upload, upload.size, chunks, interruptions)

    async def _finish(self, call: RegistryCall, upload: Upload, digest: Digest) -> Response:
        with suppress(LayerAlreadyExists):  # An error in ECR's API, but success in this protocol.
            await self._layers.complete(call.scope, upload, [digest], strict=False)
        return self._created(call, digest)

    def _progress(self, status: int, call: RegistryCall, upload: Upload) -> Response:
        headers = [
            (b"location", self._locations.of(call.request, f"/v2/{call.repository}/blobs/uploads/{upload.id}")),
            received(upload.size),
            (b"docker-upload-uuid", upload.id.encode()),
        ]
        return Response(status, headers if status == 204 else [*headers, _EMPTY])

    def _created(self, call: RegistryCall, digest: str) -> Response:
        headers = [
            (b"location", self._locations.of(call.request, f"/v2/{call.repository}/blobs/{digest}")),
            (b"docker-content-digest", digest.encode()),
            _EMPTY,
        ]
        return Response(201, headers)


def _announced_length(call: RegistryCall, upload: Upload) -> int | None:
    """The length in the Content-Range header (`0-1023`, without a unit); None without the header.

    It is checked before the body is read. Raises InvalidLayerPart, RangeNotSatisfiable, BodyLengthDiffers.
    """
    value = call.request.headers.get(b"content-range")
    if value is None:
        return None
    first, _, last = value.partition(b"-")
    if not is_number(first) or not is_number(last) or int(first) > int(last):
        reason = "Content-Range is not of the form FIRST-LAST"
        raise RangeNotSatisfiable(members={"size": upload.size}, reason=reason)
    if int(first) != upload.size:
        reason = f"First byte of the layer part is {int(first)} instead of {upload.size}"
        raise invalid_part(call.scope, upload, reason)
    length = int(last) - int(first) + 1
    if call.request.body.content_length not in (None, length):
        raise _wrong_length(length, call.request.body.content_length or 0)
    return length


async def _exactly(length: int | None, first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks of the body. Raises BodyLengthDiffers if they do not have `length` bytes, unless that is None."""
    chunk, size = first, 0
    while chunk:
        size += len(chunk)
        if length is not None and size > length:
            raise _wrong_length(length, size)
        yield chunk
        chunk = await anext(rest, b"")
    if length is not None and size != length:
        raise _wrong_length(length, size)


def _wrong_length(announced: int, size: int) -> BodyLengthDiffers:
    return BodyLengthDiffers(reason=f"Content-Range announces {announced} bytes, the body has {size}")
