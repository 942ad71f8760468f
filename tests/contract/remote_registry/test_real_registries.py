"""The client against real registries: Moorage, and CNCF Distribution. What it writes, it reads again."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from moorage.domain.remote_registries import (
    AwsCredentials,
    FilePart,
    RemoteAddress,
    RemoteDenied,
    RemoteManifest,
    RemoteMissing,
    RemoteRefused,
    RemoteRegistry,
    RemoteUnavailable,
    RemoteUpload,
    UploadContent,
    UserCredentials,
)
from tests.contract.remote_registry.hostile import registries
from tests.support.aws import docker_password
from tests.support.distribution import shared_distribution
from tests.support.images import OCI_INDEX, Blob, Image, image, layer
from tests.support.server import Server

_numbers = itertools.count()


@dataclass(frozen=True)
class Real:
    """A real registry, and how to create a repository in it."""

    name: str
    address: RemoteAddress
    create: Callable[[str], object]

    def repository(self) -> str:
        name = f"contract/{os.getpid()}-{next(_numbers)}"
        self.create(name)
        return name

    def run(self, scenario: Callable[[RemoteRegistry], Awaitable[None]]) -> None:
        async def run() -> None:
            async with registries() as remotes:
                await scenario(remotes.at(self.address))

        asyncio.run(run())


@pytest.fixture
def moorage(server: Server, ecr: Any) -> Real:
    user = UserCredentials("AWS", docker_password(ecr))
    address = RemoteAddress(server.url, user, private_networks=True)
    return Real("moorage", address, lambda name: ecr.create_repository(repositoryName=name))


@pytest.fixture(params=["moorage", "distribution"])
def real(request: pytest.FixtureRequest) -> Real:
    if request.param == "moorage":
        found: Real = request.getfixturevalue("moorage")
        return found
    return Real("distribution", RemoteAddress(shared_distribution(), private_networks=True), lambda _: None)


def content(whole: bytes) -> UploadContent:
    return UploadContent(chunks(whole), len(whole))


async def chunks(whole: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(whole), 65_536):
        yield whole[start : start + 65_536]


async def upload(registry: RemoteRegistry, repository: str, blob: Blob) -> None:
    started = await registry.start_upload(repository, blob.digest)
    assert started is not None
    received = await registry.append(started, content(blob.content))
    await registry.finish_upload(received, blob.digest)


async def push(registry: RemoteRegistry, repository: str, one: Image, reference: str) -> None:
    for blob in one.blobs:
        await upload(registry, repository, blob)
    manifest = RemoteManifest(one.manifest.content, one.manifest.media_type, one.manifest.digest)
    await registry.put_manifest(repository, reference, manifest)


def test_an_image_that_was_written_is_read_again(real: Real) -> None:
    one = image([layer(300_000, seed=1)], seed=1)

    async def scenario(registry: RemoteRegistry) -> None:
        repository = real.repository()
        assert not await registry.has_blob(repository, one.blobs[0].digest)
        await push(registry, repository, one, "v1")

        assert await registry.has_blob(repository, one.blobs[0].digest)
        assert await registry.head(repository, "v1") == one.manifest.digest
        for reference in ("v1", one.manifest.digest):
            manifest = await registry.manifest(repository, reference)
            assert (manifest.body, manifest.media_type) == (one.manifest.content, one.manifest.media_type)
        for blob in one.blobs:
            async with registry.blob(repository, blob.digest, len(blob.content)) as read:
                assert b"".join([chunk async for chunk in read.chunks]) == blob.content
        assert [tags async for tags in registry.tags(repository)] == [["v1"]]

    real.run(scenario)


def test_an_upload_is_continued_by_another_process(real: Real) -> None:
    blob = layer(300_000, seed=2)

    async def scenario(registry: RemoteRegistry) -> None:
        repository = real.repository()
        started = await registry.start_upload(repository, blob.digest)
        assert started is not None
        stored = await registry.append(started, content(blob.content[:100_000]))
        assert stored.offset == 100_000
        async with registries() as other_process:
            again = other_process.at(real.address)
            found = await again.find_upload(RemoteUpload(stored.repository, stored.location))
            assert found.offset == 100_000
            received = await again.append(found, content(blob.content[100_000:]))
            await again.finish_upload(received, blob.digest)
        assert await registry.has_blob(repository, blob.digest)
        with pytest.raises(RemoteMissing):
            await registry.find_upload(stored)

    real.run(scenario)


def test_a_part_of_a_file_is_sent_and_its_pace_counts_the_bytes(real: Real, tmp_path: Path) -> None:
    blob, file = layer(3_000_000, seed=11), tmp_path / "blob"
    file.write_bytes(b"before" + blob.content)
    sent: list[int] = []

    async def pace(size: int) -> None:
        sent.append(size)

    async def scenario(registry: RemoteRegistry) -> None:
        repository = real.repository()
        started = await registry.start_upload(repository, blob.digest)
        assert started is not None
        part = UploadContent(chunks(b"not read"), len(blob.content), FilePart(file, len(b"before"), pace))
        received = await registry.append(started, part)
        await registry.finish_upload(received, blob.digest)
        assert await registry.has_blob(repository, blob.digest)

    real.run(scenario)
    assert sum(sent) == len(blob.content)


def test_a_file_that_is_gone_is_left_to_the_chunks(moorage: Real, tmp_path: Path) -> None:
    blob = layer(100_000, seed=12)

    async def pace(_: int) -> None: ...

    async def scenario(registry: RemoteRegistry) -> None:
        repository = moorage.repository()
        started = await registry.start_upload(repository, blob.digest)
        assert started is not None
        gone = FilePart(tmp_path / "gone", 0, pace)
        received = await registry.append(started, UploadContent(chunks(blob.content), len(blob.content), gone))
        await registry.finish_upload(received, blob.digest)

    moorage.run(scenario)


def test_a_file_that_is_too_short_ends_the_request(moorage: Real, tmp_path: Path) -> None:
    blob, file = layer(100_000, seed=13), tmp_path / "short"
    file.write_bytes(blob.content[:-1])

    async def pace(_: int) -> None: ...

    async def scenario(registry: RemoteRegistry) -> None:
        started = await registry.start_upload(moorage.repository(), blob.digest)
        assert started is not None
        part = UploadContent(chunks(b""), len(blob.content), FilePart(file, 0, pace))
        with pytest.raises(RemoteUnavailable):
            await registry.append(started, part)

    moorage.run(scenario)


def test_bytes_of_another_digest_are_refused(real: Real) -> None:
    blob = layer(1_000, seed=3)

    async def scenario(registry: RemoteRegistry) -> None:
        repository = real.repository()
        started = await registry.start_upload(repository, blob.digest)
        assert started is not None
        received = await registry.append(started, content(b"other"))
        with pytest.raises(RemoteRefused) as refused:
            await registry.finish_upload(received, blob.digest)
        assert refused.value.code == "DIGEST_INVALID"
        assert not await registry.has_blob(repository, blob.digest)

    real.run(scenario)


def test_a_manifest_without_its_layers_is_refused(real: Real) -> None:
    one = image(seed=4)

    async def scenario(registry: RemoteRegistry) -> None:
        manifest = RemoteManifest(one.manifest.content, one.manifest.media_type, one.manifest.digest)
        with pytest.raises((RemoteRefused, RemoteMissing)) as refused:
            await registry.put_manifest(real.repository(), "v1", manifest)
        assert refused.value.code == "MANIFEST_BLOB_UNKNOWN"

    real.run(scenario)


def test_a_blob_of_another_repository_is_mounted_or_uploaded(real: Real) -> None:
    one = image(seed=5)

    async def scenario(registry: RemoteRegistry) -> None:
        source, target = real.repository(), real.repository()
        await push(registry, source, one, "v1")
        for blob in one.blobs:
            started = await registry.start_upload(target, blob.digest, source)
            if started is not None:  # ECR mounts only where the account's setting allows it.
                assert real.name == "moorage"
                received = await registry.append(started, content(blob.content))
                await registry.finish_upload(received, blob.digest)
            assert await registry.has_blob(target, blob.digest)

    real.run(scenario)


def test_referrers_are_found(real: Real) -> None:
    """Distribution has no referrers API: its clients keep the list under the fallback tag."""
    one = image(seed=6)
    subject = {"mediaType": one.manifest.media_type, "digest": one.manifest.digest, "size": len(one.manifest.content)}
    signature = image(seed=7, extra={"subject": subject, "artifactType": "application/vnd.example.signature"})

    async def scenario(registry: RemoteRegistry) -> None:
        repository = real.repository()
        await push(registry, repository, one, "v1")
        assert await registry.referrers(repository, one.manifest.digest) == []
        await push(registry, repository, signature, signature.manifest.digest)
        if real.name == "distribution":
            listed = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [signature.manifest.descriptor]}
            fallback = Blob(json.dumps(listed).encode(), OCI_INDEX)
            tag = one.manifest.digest.replace(":", "-")
            await registry.put_manifest(repository, tag, RemoteManifest(*fallback[:2], fallback.digest))

        found = await registry.referrers(repository, one.manifest.digest)
        assert [referrer.digest for referrer in found] == [signature.manifest.digest]

    real.run(scenario)


def test_a_manifest_is_deleted(real: Real) -> None:
    one = image(seed=8)

    async def scenario(registry: RemoteRegistry) -> None:
        repository = real.repository()
        await push(registry, repository, one, "v1")
        await registry.delete_manifest(repository, one.manifest.digest)
        with pytest.raises(RemoteMissing):
            await registry.head(repository, "v1")

    real.run(scenario)


def test_another_image_under_an_immutable_tag_is_refused(moorage: Real, ecr: Any) -> None:
    async def scenario(registry: RemoteRegistry) -> None:
        repository = moorage.repository()
        ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
        await push(registry, repository, image(seed=9), "v1")
        with pytest.raises(RemoteRefused) as refused:
            await push(registry, repository, image(seed=10), "v1")
        assert refused.value.code == "TAG_INVALID"

    moorage.run(scenario)


def test_an_access_key_logs_in_to_ecr_with_a_signed_request(moorage: Real, server: Server) -> None:
    """Against Moorage's own GetAuthorizationToken, which checks signatures as AWS does."""
    environment = server.environment
    key = AwsCredentials(
        environment["AWS_ACCESS_KEY_ID"],
        environment["AWS_SECRET_ACCESS_KEY"],
        environment["AWS_DEFAULT_REGION"],
        endpoint=server.url,
    )
    wrong = AwsCredentials(key.key_id, "wrong", key.region, endpoint=server.url)

    async def run() -> None:
        async with registries() as remotes:
            await remotes.at(RemoteAddress(server.url, key, private_networks=True)).check()
            with pytest.raises(RemoteDenied):
                await remotes.at(RemoteAddress(server.url, wrong, private_networks=True)).check()

    asyncio.run(run())


@pytest.mark.parametrize("user", [None, UserCredentials("AWS", "wrong")])
def test_wrong_credentials_are_denied(server: Server, user: UserCredentials | None) -> None:
    async def run() -> None:
        async with registries() as remotes:
            with pytest.raises(RemoteDenied):
                await remotes.at(RemoteAddress(server.url, user, private_networks=True)).check()

    asyncio.run(run())
