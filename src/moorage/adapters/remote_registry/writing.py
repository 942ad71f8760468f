"""Writing to a registry: blobs, mounts, manifests (distribution-spec, "Push" and "Content Management")."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

import aiohttp

from moorage.adapters.remote_registry import ecr_api
from moorage.adapters.remote_registry.challenges import scope
from moorage.adapters.remote_registry.exchange import Exchange, Request
from moorage.domain.remote_registries import (
    REPLICATED_FROM,
    AwsCredentials,
    RemoteInvalid,
    RemoteManifest,
    RemoteMissing,
    RemoteRefused,
    RemoteUpload,
    UploadContent,
)

_OTHER: Final = 412
"""The status of a conditional request for content that has another digest."""

_RANGE: Final = re.compile(r"(?:bytes=)?0-(\d{1,18})", re.ASCII)
_SEEN: Final = frozenset({200, 301, 302, 303, 307, 308})
"""A redirect says as well as 200 that a blob is there. It is not followed: its URL may be signed for GET only."""


class Writing:
    """The part of `RemoteRegistry` that writes."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def create_repository(self, repository: str) -> None:
        """See `RemoteRegistry.create_repository`."""
        credentials = self._exchange.address.credentials
        if not isinstance(credentials, AwsCredentials):
            raise RemoteRefused("the repository does not exist there, and only an access key of ECR can create it")
        await ecr_api.create_repository(self._exchange.session, credentials, repository)

    async def has_blob(self, repository: str, digest: str) -> bool:
        """See `RemoteRegistry.has_blob`."""
        url = self._exchange.url(f"{repository}/blobs/{digest}")
        try:
            async with self._exchange.open(Request("HEAD", url, _scopes(repository), _SEEN)):
                return True
        except RemoteMissing:
            return False

    async def start_upload(self, repository: str, digest: str, mount_from: str | None = None) -> RemoteUpload | None:
        """See `RemoteRegistry.start_upload`."""
        url = self._exchange.url(f"{repository}/blobs/uploads/")
        scopes = _scopes(repository)
        if mount_from is not None:
            url += f"?mount={quote(digest, safe=':')}&from={quote(mount_from, safe='')}"
            scopes += (scope(mount_from, "pull"),)
        headers = {"Content-Length": "0"}
        async with self._exchange.open(Request("POST", url, scopes, frozenset({201, 202}), headers)) as answer:
            if answer.status == 201 and mount_from is not None:
                return None
            return self._upload(repository, answer, 0)

    async def find_upload(self, upload: RemoteUpload) -> RemoteUpload:
        """See `RemoteRegistry.find_upload`."""
        async with self._exchange.open(
            Request("GET", upload.location, _scopes(upload.repository), frozenset({204, 200, 202}))
        ) as answer:
            return self._upload(upload.repository, answer, _received(answer, 0))

    async def append(self, upload: RemoteUpload, content: UploadContent) -> RemoteUpload:
        """See `RemoteRegistry.append`."""
        end = upload.offset + content.size
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(content.size)}
        if upload.offset:
            headers["Content-Range"] = f"{upload.offset}-{end - 1}"
        request = Request(
            "PATCH", upload.location, _scopes(upload.repository), frozenset({202, 201, 204}), headers, content
        )
        async with self._exchange.open(request) as answer:
            if _received(answer, end) != end:
                raise RemoteInvalid(f"{answer.url.host} has received {_received(answer, end)} bytes instead of {end}")
            return self._upload(upload.repository, answer, end)

    async def finish_upload(self, upload: RemoteUpload, digest: str) -> None:
        """See `RemoteRegistry.finish_upload`."""
        url = f"{upload.location}{'&' if '?' in upload.location else '?'}digest={quote(digest, safe=':')}"
        headers = {"Content-Length": "0", "Content-Type": "application/octet-stream"}
        async with self._exchange.open(
            Request("PUT", url, _scopes(upload.repository), frozenset({201, 200, 204}), headers, b"")
        ) as answer:
            _compare(answer, digest)

    async def put_manifest(self, repository: str, reference: str, manifest: RemoteManifest) -> None:
        """See `RemoteRegistry.put_manifest`."""
        url = self._exchange.url(f"{repository}/manifests/{reference}")
        headers = {"Content-Type": manifest.media_type}
        if manifest.origin:
            headers[REPLICATED_FROM] = manifest.origin
        async with self._exchange.open(
            Request("PUT", url, _scopes(repository), frozenset({201, 200}), headers, manifest.body)
        ) as answer:
            _compare(answer, manifest.digest)

    async def delete_manifest(self, repository: str, reference: str, origin: str = "", expected: str = "") -> None:
        """See `RemoteRegistry.delete_manifest`."""
        headers = {REPLICATED_FROM: origin} if origin else {}
        if expected:
            headers["If-Match"] = f'"{expected}"'
        url = self._exchange.url(f"{repository}/manifests/{reference}")
        scopes = (scope(repository, "pull", "push", "delete"),)
        try:
            async with self._exchange.open(Request("DELETE", url, scopes, frozenset({202, 200, 204}), headers)):
                pass
        except RemoteRefused as refused:
            if not expected or refused.status != _OTHER:
                raise
            raise RemoteMissing(str(refused), status=_OTHER, code=refused.code) from None

    async def archive_image(self, repository: str, digest: str, origin: str = "") -> None:
        """See `RemoteRegistry.archive_image`."""
        credentials = self._exchange.address.credentials
        if isinstance(credentials, AwsCredentials):
            await ecr_api.archive_image(self._exchange.session, credentials, repository, digest, origin)

    def _upload(self, repository: str, answer: aiohttp.ClientResponse, offset: int) -> RemoteUpload:
        return RemoteUpload(repository, self._exchange.target(answer), offset)


def _scopes(repository: str) -> tuple[str, ...]:
    return (scope(repository, "pull", "push"),)


def _received(answer: aiohttp.ClientResponse, otherwise: int) -> int:
    """The bytes of an upload that a registry has received. `Range: 0-0` of an empty upload counts as none."""
    found = _RANGE.fullmatch(answer.headers.get("Range", ""))
    if found is None:
        return otherwise
    last = int(found[1])
    return last + 1 if last else 0


def _compare(answer: aiohttp.ClientResponse, digest: str) -> None:
    """Compare the digest that a registry names with the one that was sent. Raises RemoteInvalid."""
    named = answer.headers.get("Docker-Content-Digest", digest)
    if named.partition(":")[0] == digest.partition(":")[0] and named != digest:
        raise RemoteInvalid(f"{answer.url.host} stored {named[:100]} instead of {digest}")
