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
from moorage.domain.ports import BlobStore
from moorage.domain.remote_registries import RemoteFailure, RemoteRegistry, RemoteUpload
from moorage.metadata.database import Database, Transaction
from moorage.metadata.registry.layers import Blob
from moorage.metadata.replication import destinations
from moorage.metadata.replication.destinations import Destination

_AT_ONCE: Final = 3
"""Layers that one stream sends at a time."""

_FIRST_PIECE: Final = 64 << 20
"""Bytes of a layer that are sent in the first request. After each request, the upload is saved, so that a killed
process continues there. Each further request doubles what was sent: few requests, and at most half is sent again.
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

    @property
    def takes_pieces(self) -> bool:
        """Whether a layer can be sent in several requests. For ECR that is not documented: one request."""
        return not self.destination.is_ecr


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
                upload = await self._send_bytes(receiver, layer, upload)
                await receiver.remote.finish_upload(upload, layer.digest)
                if layer.size > _FIRST_PIECE:
                    await self._database.write(partial(self._forget, receiver, layer.digest))
        receiver.known.add(layer.digest)

    async def _upload(self, receiver: Receiver, layer: Blob) -> RemoteUpload | None:
        """The upload for a layer: one that was begun before, or a new one. None if the layer was mounted."""
        registry, repository = receiver.destination.registry, receiver.repository
        if layer.size > _FIRST_PIECE:
            begun = await self._database.read(
                partial(destinations.find_upload, registry=registry, repository=repository, digest=layer.digest)
            )
            if begun is not None:
                try:
                    return await receiver.remote.find_upload(RemoteUpload(repository, begun))
                except RemoteFailure:
                    await self._database.write(partial(self._forget, receiver, layer.digest))
        source = await self._database.read(
            partial(destinations.mount_source, registry=registry, repository_id=receiver.source_id, digest=layer.digest)
        )
        mount_from = None if source is None else receiver.destination.selection.name_there(source)
        if mount_from == repository:
            mount_from = None
        return await receiver.remote.start_upload(repository, layer.digest, mount_from)

    async def _send_bytes(self, receiver: Receiver, layer: Blob, upload: RemoteUpload) -> RemoteUpload:
        while upload.offset < layer.size:
            piece = max(_FIRST_PIECE, upload.offset) if receiver.takes_pieces else layer.size
            end = min(upload.offset + piece, layer.size)
            chunks = self._chunks(receiver.rate, layer.key, upload.offset, end)
            upload = await receiver.remote.append(upload, chunks, end - upload.offset)
            if layer.size > _FIRST_PIECE and upload.offset < layer.size:
                await self._database.write(partial(self._save, receiver, layer.digest, upload.location))
        return upload

    async def _chunks(self, rate: RateLimit, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        async for chunk in self._blobs.read(key, start, end):
            await rate.limit(len(chunk))
            yield chunk

    def _save(self, receiver: Receiver, digest: str, location: str, tx: Transaction) -> None:
        registry = receiver.destination.registry
        destinations.save_upload(tx, registry, receiver.repository, digest, location, self._now())

    def _forget(self, receiver: Receiver, digest: str, tx: Transaction) -> None:
        destinations.forget_upload(tx, receiver.destination.registry, receiver.repository, digest)
