"""Uploads of blobs (distribution-spec, "Pushing blobs"): in one request, in a stream, in chunks, or by a mount."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from moorage.core.registry.layers import invalid_part
from moorage.core.services import Services
from moorage.domain.errors import (
    BodyLengthDiffers,
    DigestInvalid,
    LayerAlreadyExists,
    RangeNotSatisfiable,
    Refusal,
    RepositoryNotFound,
    UploadNotFound,
)
from moorage.domain.identity.actions import DOCKER_ACTIONS
from moorage.domain.names import Digest
from moorage.http.blob_response import is_number
from moorage.http.bodies import ClientGone
from moorage.http.messages import Response
from moorage.metadata.registry.layers import Upload
from moorage.oci.access import AccessControl, RegistryCall, RegistryRequest
from moorage.oci.creation import Creation
from moorage.oci.errors import received

(_START,) = DOCKER_ACTIONS["uploads", "POST"]
(_APPEND,) = DOCKER_ACTIONS["upload", "PATCH"]
(_STATUS,) = DOCKER_ACTIONS["upload", "GET"]
(_CANCEL,) = DOCKER_ACTIONS["upload", "DELETE"]
(_COMPLETE,) = DOCKER_ACTIONS["upload", "PUT"]
(_MOUNT,) = DOCKER_ACTIONS["uploads", "POST?mount"]
_AT_ONCE: Final = DOCKER_ACTIONS["uploads", "POST?digest"]
_WITH_BODY: Final = DOCKER_ACTIONS["upload", "PUT+body"]

_ALGORITHMS: Final = frozenset({"sha256", "sha512"})
_EMPTY: Final = (b"content-length", b"0")


class Uploads:
    """An upload belongs to the user who began it, in the repository where it began."""

    def __init__(self, services: Services, access: AccessControl) -> None:
        self._database = services.database
        self._layers = services.layers
        self._mounts = services.mounts
        self._access_control = access
        self._creation = Creation(services, access)

    async def start(self, request: RegistryRequest) -> Response:
        """POST: begin an upload, or do all of it with `digest`, or none of it with `mount` and `from`."""
        call = await self._access_control.authorized(request, _START)
        try:
            return await self._start(call)
        except RepositoryNotFound as missing:
            await self._database.write(await self._creation.of(call, missing))
            self._creation.note(call)
        return await self._start(call)

    async def _start(self, call: RegistryCall) -> Response:
        asked = call.parameters()
        if "digest" in asked:
            return await self._upload_at_once(call, asked["digest"])
        if asked.get("digest-algorithm", "sha256") not in _ALGORITHMS:
            raise DigestInvalid(digest=asked["digest-algorithm"][:200])
        if "mount" in asked and await self._mounts.mount(
            call.access_request(_MOUNT), call.repository, asked["mount"], asked.get("from")
        ):
            return _created(call, asked["mount"])
        return _progress(202, call, await self._layers.start(call.scope))

    async def append(self, request: RegistryRequest) -> Response:
        """PATCH: more bytes, behind those that are there."""
        call = await self._access_control.authorized(request, _APPEND)
        upload = await self._layers.find(call.scope, call.reference)
        return _progress(202, call, await self._receive(call, upload))

    async def complete(self, request: RegistryRequest) -> Response:
        """PUT: the last bytes, if any, and the digest of all."""
        call = await self._access_control.authorized(request, _COMPLETE)
        if call.request.body.content_length != 0:
            await self._access_control.authorize(call, *_WITH_BODY)
        digest = Digest.parse(call.parameters().get("digest", ""))
        try:
            upload = await self._layers.find(call.scope, call.reference)
        except UploadNotFound:
            if await self._layers.finished(call.scope, call.reference) == digest:
                return _created(call, digest)  # The answer to the first PUT was lost.
            raise
        return await self._finish(call, await self._receive(call, upload), digest)

    async def status(self, request: RegistryRequest) -> Response:
        """GET: how far an upload is."""
        call = await self._access_control.authorized(request, _STATUS)
        return _progress(204, call, await self._layers.find(call.scope, call.reference))

    async def cancel(self, request: RegistryRequest) -> Response:
        """DELETE: an upload that nobody will complete."""
        call = await self._access_control.authorized(request, _CANCEL)
        await self._layers.cancel(call.scope, await self._layers.find(call.scope, call.reference))
        return Response(204)

    async def _upload_at_once(self, call: RegistryCall, text: str) -> Response:
        """A refused body leaves no upload: the client was never told of one."""
        await self._access_control.authorize(call, *_AT_ONCE)
        digest = Digest.parse(text)
        upload = await self._layers.start(call.scope)
        try:
            upload = await self._receive(call, upload)
        except (Refusal, ClientGone):
            await self._layers.cancel(call.scope, upload)
            raise
        return await self._finish(call, upload, digest)

    async def _receive(self, call: RegistryCall, upload: Upload) -> Upload:
        """Append the body, if there is one. A body that breaks off or differs leaves the upload as it was."""
        length = _announced_length(call, upload)
        body = call.request.body.chunks()
        first = await anext(body, b"")
        if not first and length is None:
            return upload
        return await self._layers.append(call.scope, upload, upload.size, _exactly(length, first, body))

    async def _finish(self, call: RegistryCall, upload: Upload, digest: Digest) -> Response:
        with suppress(LayerAlreadyExists):  # ECR's API makes it an error; here the client has what it wanted.
            await self._layers.complete(call.scope, upload, [digest], strict=False)
        return _created(call, digest)


def _announced_length(call: RegistryCall, upload: Upload) -> int | None:
    """The length of a chunk with Content-Range (`0-1023`, without a unit); None without one, which continues.

    Checked before the body is asked for. Raises InvalidLayerPart, RangeNotSatisfiable, BodyLengthDiffers.
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
        raise _different(length, call.request.body.content_length or 0)
    return length


async def _exactly(length: int | None, first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body in order. Raises BodyLengthDiffers when it has more or less than `length` bytes, if that is given."""
    chunk, size = first, 0
    while chunk:
        size += len(chunk)
        if length is not None and size > length:
            raise _different(length, size)
        yield chunk
        chunk = await anext(rest, b"")
    if length is not None and size != length:
        raise _different(length, size)


def _different(announced: int, size: int) -> BodyLengthDiffers:
    return BodyLengthDiffers(reason=f"Content-Range announces {announced} bytes, the body has {size}")


def _progress(status: int, call: RegistryCall, upload: Upload) -> Response:
    headers = [
        (b"location", f"/v2/{call.repository}/blobs/uploads/{upload.id}".encode()),
        received(upload.size),
        (b"docker-upload-uuid", upload.id.encode()),
    ]
    return Response(status, headers if status == 204 else [*headers, _EMPTY])


def _created(call: RegistryCall, digest: str) -> Response:
    headers = [
        (b"location", f"/v2/{call.repository}/blobs/{digest}".encode()),
        (b"docker-content-digest", digest.encode()),
        _EMPTY,
    ]
    return Response(201, headers)
