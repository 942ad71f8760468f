"""Sending layers: only those that the destination does not have, mounted where possible, continued where one broke."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from moorage.core.clock import Clock
from moorage.core.pacing import RateLimit
from moorage.core.tasks import run_all
from moorage.domain.ports import BlobStore, FileLink
from moorage.domain.remote_registries import FilePart, RemoteFailure, RemoteRegistry, RemoteUpload, UploadContent
from moorage.metadata.database import Database, Transaction
from moorage.metadata.registry.layers import Blob
from moorage.metadata.replication import destinations
from moorage.metadata.replication.destinations import Destination

_AT_ONCE: Final = 3
"""Layers that one stream sends at a time."""

_CONTINUED_BYTES: Final = 64 << 20
"""The upload of a larger layer is saved before its bytes are sent, so that it is continued if this process is killed.

All bytes are sent in one request: several could reach several processes of the destination, of which none would have
hashed them all while they arrived. Moorage keeps what has arrived of an interrupted request.
"""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A repository of a destination, for one batch of a stream. `known` are layers that it certainly has."""

    destination: Destination
    remote: RemoteRegistry
    repository: str
    source_id: int
    rate: RateLimit
    known: set[str] = field(default_factory=set)


class LayerSender:
    """Sends layers from the blob store to destinations."""

    def __init__(self, database: Database, blobs: BlobStore, now: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._now = now

    async def send(self, receiver: Receiver, layers: Iterable[Blob]) -> None:
        """Send the layers that are missing. Raises RemoteFailure, BlobMissing, Unavailable, OSError."""
        turns = asyncio.Semaphore(_AT_ONCE)

        async def send_one(layer: Blob) -> None:
            async with turns:
                await self._send_one(receiver, layer)

        missing = {layer.digest: layer for layer in layers if layer.digest not in receiver.known}
        await run_all(send_one(layer) for layer in missing.values())

    async def _send_one(self, receiver: Receiver, layer: Blob) -> None:
        if not await receiver.remote.has_blob(receiver.repository, layer.digest):
            upload = await self._upload(receiver, layer)
            if upload is not None:
                if upload.offset < layer.size:
                    upload = await receiver.remote.append(upload, self._content(receiver.rate, layer, upload.offset))
                await receiver.remote.finish_upload(upload, layer.digest)
                if layer.size > _CONTINUED_BYTES:
                    await self._database.write(partial(self._forget, receiver, layer.digest))
        receiver.known.add(layer.digest)

    async def _upload(self, receiver: Receiver, layer: Blob) -> RemoteUpload | None:
        """The upload for a layer: one that was begun before, or a new one. None if the layer was mounted."""
        if layer.size > _CONTINUED_BYTES:
            begun = await self._begun(receiver, layer)
            if begun is not None:
                return begun
        source = await self._database.read(
            partial(
                destinations.mount_source,
                registry=receiver.destination.registry,
                repository_id=receiver.source_id,
                digest=layer.digest,
            )
        )
        mount_from = None if source is None else receiver.destination.selection.name_there(source)
        if mount_from == receiver.repository:
            mount_from = None
        upload = await receiver.remote.start_upload(receiver.repository, layer.digest, mount_from)
        if upload is not None and layer.size > _CONTINUED_BYTES:
            await self._database.write(partial(self._save, receiver, layer.digest, upload.location))
        return upload

    async def _begun(self, receiver: Receiver, layer: Blob) -> RemoteUpload | None:
        """The upload of a layer that was begun before, if the destination still has it."""
        registry, repository = receiver.destination.registry, receiver.repository
        begun = await self._database.read(
            partial(destinations.find_upload, registry=registry, repository=repository, digest=layer.digest)
        )
        if begun is None:
            return None
        try:
            return await receiver.remote.find_upload(RemoteUpload(repository, begun))
        except RemoteFailure:
            await self._database.write(partial(self._forget, receiver, layer.digest))
            return None

    def _content(self, rate: RateLimit, layer: Blob, start: int) -> UploadContent:
        """The bytes of a layer from `start` on."""
        link = self._blobs.link(layer.key)
        file = FilePart(link.path, start, rate.limit) if isinstance(link, FileLink) else None
        return UploadContent(self._chunks(rate, layer, start), layer.size - start, file)

    async def _chunks(self, rate: RateLimit, layer: Blob, start: int) -> AsyncIterator[bytes]:
        async for chunk in self._blobs.read(layer.key, start, layer.size):
            await rate.limit(len(chunk))
            yield chunk

    def _save(self, receiver: Receiver, digest: str, location: str, tx: Transaction) -> None:
        registry = receiver.destination.registry
        destinations.save_upload(tx, registry, receiver.repository, digest, location, self._now())

    def _forget(self, receiver: Receiver, digest: str, tx: Transaction) -> None:
        destinations.forget_upload(tx, receiver.destination.registry, receiver.repository, digest)
