"""Artifacts that the registry itself attaches to images as referrers, such as bills of materials and signatures."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from moorage.core.clock import Clock
from moorage.core.registry.images import Images, Push
from moorage.core.registry.layers import Layers
from moorage.core.registry.open_uploads import UploadScope
from moorage.domain.ports import CHUNK_BYTES
from moorage.domain.registry.errors import ImageAlreadyExists, LayerAlreadyExists
from moorage.domain.registry.manifests import OCI_IMAGE, parse_manifest
from moorage.metadata.database import Database, Transaction
from moorage.metadata.registry import images, layers, repositories
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.repositories import Repository

EMPTY_TYPE: Final = "application/vnd.oci.empty.v1+json"
_EMPTY: Final = b"{}"
"""The configuration of an artifact without one (image-spec, "Guidance for an Empty Descriptor")."""

OWNER: Final = "moorage"
"""The owner of uploads of the server itself. No caller has this id."""


class SubjectGone(Exception):
    """The image to attach to, or its repository, was deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One blob to attach to an image. `media_type` is that of the blob."""

    artifact_type: str
    media_type: str
    content: bytes
    annotations: Mapping[str, str] = field(default_factory=dict)

    def manifest(self, subject: Image) -> bytes:
        """The manifest of the attachment (image-spec, "Guidelines for Artifact Usage")."""
        manifest: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": OCI_IMAGE,
            "artifactType": self.artifact_type,
            "config": _descriptor(EMPTY_TYPE, _EMPTY),
            "layers": [_descriptor(self.media_type, self.content)],
            "subject": {"mediaType": subject.media_type, "digest": subject.digest, "size": subject.manifest_size},
        }
        if self.annotations:
            manifest["annotations"] = dict(self.annotations)
        return msgspec.json.encode(manifest)


def _nothing(_tx: Transaction, _digest: str) -> None:
    """There is nothing to record."""


class Attachments:
    """Stores attachments as a client would push them, with the reactions to a push."""

    def __init__(self, database: Database, layers: Layers, images: Images, now: Clock) -> None:
        self._database = database
        self._layers = layers
        self._images = images
        self._now = now

    async def attach(
        self,
        repository: Repository,
        subject: Image,
        attachment: Attachment,
        record: Callable[[Transaction, str], None] = _nothing,
    ) -> str:
        """Attach an artifact to an image, and return the artifact's digest. The same one is stored once.

        `record` gets the digest in the transaction that attaches the artifact, so neither is there without the other.
        Raises SubjectGone, RepositoryNotFound, LimitExceeded, Unavailable, OSError.
        """
        for content in (_EMPTY, attachment.content):
            await self._store(repository, content)
        body = attachment.manifest(subject)
        push = Push(body=body, manifest=parse_manifest(body, None), tags=(), digest=None, sparse=False)

        def put(tx: Transaction) -> str:
            current = images.find(tx, repository.id, subject.digest)
            if current is None or current.id != subject.id or repositories.find_by_id(tx, repository.id) is None:
                raise SubjectGone
            with suppress(ImageAlreadyExists):
                self._images.put(tx, repository, push, self._now())
            record(tx, push.computed_digest())
            return push.computed_digest()

        return await self._database.write(put)

    async def _store(self, repository: Repository, content: bytes) -> None:
        """Store the bytes as a layer of the repository. Raises SubjectGone if the repository was deleted."""
        digest, now = _digest(content), self._now()

        def keep(tx: Transaction) -> bool:
            if repositories.find_by_id(tx, repository.id) is None:
                raise SubjectGone
            is_kept = layers.restart_grace_period(tx, repository.id, digest, now)
            return is_kept and layers.find_layer(tx, repository.id, digest) is not None

        if await self._database.write(keep):
            return
        scope = UploadScope(repository.registry, repository.name, OWNER)
        upload = await self._layers.append(scope, await self._layers.start(scope), 0, _chunks(content))
        with suppress(LayerAlreadyExists):
            await self._layers.complete(scope, upload, [digest], strict=False)


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), CHUNK_BYTES):
        yield content[start : start + CHUNK_BYTES]
