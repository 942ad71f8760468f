"""A registry that is read over the OCI distribution protocol, as the source of an import."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, TypeVar

from moorage.domain.image_sources import RootImage, SourceBroken, SourceManifest
from moorage.domain.remote_registries import (
    RemoteInvalid,
    RemoteManifest,
    RemoteMissing,
    RemoteRegistry,
    RemoteThrottled,
    RemoteUnavailable,
)

T = TypeVar("T")

_TRIES: Final = 6
_LONGEST_WAIT: Final = 60.0
_HEADS_AT_ONCE: Final = 8

ImagesOf = Callable[[str], AsyncIterator[RootImage]]
"""Lists the images of a repository, where another API than the registry's own knows them."""


class RemoteSource:
    """Repositories of a registry: see `ImageSource`. With None for names, all that its catalogue lists.

    A registry that is busy is asked again, after the time for which it asks. Raises RemoteFailure.
    """

    def __init__(
        self, registry: RemoteRegistry, names: Sequence[str] | None, images_of: ImagesOf | None = None
    ) -> None:
        self._registry = registry
        self._names = names
        self._images_of = images_of

    async def repositories(self) -> AsyncIterator[str]:
        """See `ImageSource.repositories`."""
        for name in self._names or ():
            yield name
        if self._names is None:
            async for page in self._registry.catalog():
                for name in page:
                    yield name

    async def images(self, repository: str) -> AsyncIterator[RootImage | SourceBroken]:
        """See `ImageSource.images`: of each tag the image."""
        if self._images_of is not None:
            async for image in self._images_of(repository):
                yield image
            return
        try:
            async for page in self._registry.tags(repository):
                for start in range(0, len(page), _HEADS_AT_ONCE):
                    some = page[start : start + _HEADS_AT_ONCE]
                    for tagged in await asyncio.gather(*(self._tagged(repository, tag) for tag in some)):
                        yield tagged
        except RemoteMissing as missing:
            yield SourceBroken(str(missing))

    async def manifest(self, repository: str, digest: str) -> SourceManifest:
        """See `ImageSource.manifest`."""
        found = await self._manifest(repository, digest)
        return SourceManifest(found.body, found.media_type)

    async def blob(self, repository: str, digest: str, size: int) -> AsyncIterator[bytes]:
        """See `ImageSource.blob`."""
        try:
            async with self._registry.blob(repository, digest, size, verified=False) as blob:
                async for chunk in blob.chunks:
                    yield chunk
        except (RemoteMissing, RemoteInvalid) as failure:
            raise SourceBroken(str(failure)) from None

    def place(self, _repository: str, _digest: str) -> None:
        """See `ImageSource.place`."""

    async def referrers(self, repository: str, digest: str) -> list[str]:
        """See `ImageSource.referrers`."""
        if self._images_of is not None:  # It names them, too.
            return []
        found = await _patiently(lambda: self._registry.referrers(repository, digest))
        return [each.digest for each in found]

    async def _tagged(self, repository: str, tag: str) -> RootImage | SourceBroken:
        try:
            digest = await _patiently(lambda: self._registry.head(repository, tag))
            return RootImage(str(digest or (await self._manifest(repository, tag)).digest), (tag,))
        except (RemoteMissing, RemoteInvalid, SourceBroken) as failure:
            return SourceBroken(f"tag {tag}: {failure}")

    async def _manifest(self, repository: str, reference: str) -> RemoteManifest:
        try:
            return await _patiently(lambda: self._registry.manifest(repository, reference))
        except (RemoteMissing, RemoteInvalid) as failure:
            raise SourceBroken(str(failure)) from None


async def _patiently(request: Callable[[], Awaitable[T]]) -> T:
    """The answer of a registry, which may be busy for a while. Raises RemoteFailure."""
    for tried in range(1, _TRIES):
        try:
            return await request()
        except RemoteThrottled as throttled:
            await asyncio.sleep(min(throttled.retry_after, _LONGEST_WAIT))
        except RemoteUnavailable:
            await asyncio.sleep(min(2.0**tried / 2, _LONGEST_WAIT))
    return await request()
