"""Artifacts that the registry attaches to images itself: stored once, pullable, and only while their subject exists."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moorage.adapters.files.blob_store import FileBlobStore
from moorage.app import reactions_of
from moorage.core.attachments import Attachment, Attachments, SubjectGone
from moorage.core.registry import repositories
from moorage.core.registry.images import Images, Push
from moorage.core.registry.layers import Layers
from moorage.core.registry.repositories import NewRepository
from moorage.domain.names import Registry, RepositoryName
from moorage.domain.registry.manifests import parse_manifest
from moorage.metadata.database import Database
from moorage.metadata.registry import images as rows
from moorage.metadata.registry import layers as layer_rows
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.repositories import Repository
from tests.support.databases import engine_of
from tests.support.images import OCI_CONFIG, OCI_MANIFEST, digest
from tests.support.limits import IDS, LIMITS

NOW = 1_000_000_000
NOTE = Attachment(artifact_type="application/vnd.example.note", media_type="text/plain", content=b"A note.")


class AttachmentWorld:
    """A repository with one image."""

    def __init__(self, folder: Path) -> None:
        self.database: Database = engine_of(folder).open()
        self.database.start()
        store = FileBlobStore(folder)
        store.prepare()
        self.store = store
        self.images = Images(LIMITS, reactions_of(LIMITS))
        layers = Layers(self.database, store, IDS, lambda: NOW, LIMITS)
        self.attachments = Attachments(self.database, layers, self.images, lambda: NOW)
        new_repository = NewRepository(Registry("000000000000", "us-east-1"), RepositoryName("team/app"))
        self.repository: Repository = self.write(lambda tx: repositories.create(tx, new_repository, LIMITS, NOW))
        config = {"mediaType": OCI_CONFIG, "digest": digest(b"{}"), "size": 2}
        manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": []}
        self.body = json.dumps(manifest).encode()
        push = Push(body=self.body, manifest=parse_manifest(self.body, None), tags=(), digest=None, sparse=True)
        self.subject = self.image(self.write(lambda tx: self.images.put(tx, self.repository, push, NOW)))

    def write(self, work: Any) -> Any:
        async def run() -> Any:
            return await self.database.write(work)

        return asyncio.run(run())

    def attach(self, attachment: Attachment = NOTE) -> str:
        return asyncio.run(self.attachments.attach(self.repository, self.subject, attachment))

    def image(self, found: str) -> Image:
        image: Image = self.write(lambda tx: rows.find(tx, self.repository.id, found))
        return image

    def blob(self, found: str) -> bytes:
        blob = self.write(lambda tx: layer_rows.find_layer(tx, self.repository.id, found))
        return asyncio.run(self.store.content(blob.key))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AttachmentWorld]:
    made = AttachmentWorld(tmp_path)
    yield made
    made.database.close()


def test_an_attachment_is_a_referrer_of_its_subject(world: AttachmentWorld) -> None:
    attached = world.image(world.attach())

    assert (attached.subject, attached.artifact_type) == (world.subject.digest, NOTE.artifact_type)
    body = json.loads(world.write(lambda tx: rows.manifest_body(tx, attached.id)))
    assert body["subject"] == {"mediaType": OCI_MANIFEST, "digest": digest(world.body), "size": len(world.body)}
    assert [world.blob(body["config"]["digest"]), world.blob(body["layers"][0]["digest"])] == [b"{}", b"A note."]


def test_the_same_attachment_is_stored_once(world: AttachmentWorld) -> None:
    first, second = world.attach(), world.attach()

    assert first == second
    assert len(world.write(lambda tx: rows.with_subject(tx, world.repository.id, world.subject.digest))) == 1


def test_nothing_is_attached_to_an_image_that_was_deleted(world: AttachmentWorld) -> None:
    world.write(lambda tx: world.images.delete(tx, world.repository, world.subject.digest, NOW))

    with pytest.raises(SubjectGone):
        world.attach()
    assert world.write(lambda tx: rows.with_subject(tx, world.repository.id, world.subject.digest)) == []


def test_nothing_is_attached_in_a_repository_that_was_deleted(world: AttachmentWorld) -> None:
    world.write(lambda tx: repositories.delete(tx, world.repository, NOW, force=True))

    with pytest.raises(SubjectGone):
        world.attach()
