"""Archive images with the ECR API, at a real Moorage and at registries that refuse it or do not have it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from moorage.domain.names import RepositoryName
from moorage.domain.remote_registries import (
    AwsCredentials,
    RemoteAddress,
    RemoteDenied,
    RemoteFailure,
    RemoteManifest,
    RemoteMissing,
    RemoteRefused,
    RemoteRegistry,
    RemoteUnavailable,
    UserCredentials,
)
from tests.contract.remote_registry.hostile import HostileRegistry, registries, running
from tests.contract.remote_registry.test_real_registries import push, upload
from tests.support.aws import docker_password
from tests.support.images import Image, image, index
from tests.support.server import Server

ORIGIN = "111122223333/eu-west-1"
OTHER_ORIGIN = "111122223333/eu-west-2"
NAME = RepositoryName("team/app")


def run(address: RemoteAddress, scenario: Callable[[RemoteRegistry], Awaitable[None]]) -> None:
    async def run_there() -> None:
        async with registries() as remotes:
            await scenario(remotes.at(address))

    asyncio.run(run_there())


@pytest.fixture
def moorage(server: Server) -> RemoteAddress:
    """A Moorage with an access key of root."""
    environment = server.environment
    key = AwsCredentials(
        environment["AWS_ACCESS_KEY_ID"],
        environment["AWS_SECRET_ACCESS_KEY"],
        environment["AWS_DEFAULT_REGION"],
        endpoint=server.url,
    )
    return RemoteAddress(server.url, key, private_networks=True)


def statuses(ecr: Any, repository: str) -> dict[str, str]:
    described = ecr.describe_images(repositoryName=repository, filter={"imageStatus": "ANY"})["imageDetails"]
    return {each["imageDigest"]: each["imageStatus"] for each in described}


async def put_replica(registry: RemoteRegistry, repository: str, one: Image, tag: str) -> None:
    for blob in one.blobs:
        await upload(registry, repository, blob)
    manifest = RemoteManifest(one.manifest.content, one.manifest.media_type, one.manifest.digest, ORIGIN)
    await registry.put_manifest(repository, tag, manifest)


def test_an_image_is_archived_and_archiving_it_again_changes_nothing(
    moorage: RemoteAddress, ecr: Any, repository: str
) -> None:
    one = image(seed=1)

    async def scenario(registry: RemoteRegistry) -> None:
        await push(registry, repository, one, "v1")
        for _ in range(2):
            await registry.archive_image(RepositoryName(repository), one.manifest.digest)

    run(moorage, scenario)
    assert statuses(ecr, repository) == {one.manifest.digest: "ARCHIVED"}


def test_only_a_replica_from_the_named_registry_is_archived(moorage: RemoteAddress, ecr: Any, repository: str) -> None:
    theirs, replica, foreign = image(seed=2), image(seed=3), image(seed=4)

    async def scenario(registry: RemoteRegistry) -> None:
        await push(registry, repository, theirs, "theirs")
        await put_replica(registry, repository, replica, "replica")
        await put_replica(registry, repository, foreign, "foreign")
        await registry.archive_image(repository, theirs.manifest.digest, ORIGIN)
        await registry.archive_image(repository, replica.manifest.digest, ORIGIN)
        await registry.archive_image(repository, foreign.manifest.digest, OTHER_ORIGIN)

    run(moorage, scenario)
    assert statuses(ecr, repository) == {
        theirs.manifest.digest: "ACTIVE",
        replica.manifest.digest: "ARCHIVED",
        foreign.manifest.digest: "ACTIVE",
    }


def test_an_image_that_an_active_index_lists_stays_active(moorage: RemoteAddress, ecr: Any, repository: str) -> None:
    child = image(seed=5)
    both = index([child])

    async def scenario(registry: RemoteRegistry) -> None:
        await push(registry, repository, child, child.manifest.digest)
        await push(registry, repository, both, "v1")
        await registry.archive_image(repository, child.manifest.digest)

    run(moorage, scenario)
    assert set(statuses(ecr, repository).values()) == {"ACTIVE"}


def test_an_image_that_does_not_exist_is_missing(moorage: RemoteAddress, repository: str) -> None:
    async def scenario(registry: RemoteRegistry) -> None:
        for name in (repository, "team/no-such-repository"):
            with pytest.raises(RemoteMissing):
                await registry.archive_image(name, image(seed=6).manifest.digest)

    run(moorage, scenario)


def test_a_tag_of_an_archived_image_is_deleted_only_while_it_names_the_expected_one(
    moorage: RemoteAddress, ecr: Any, repository: str
) -> None:
    one, other = image(seed=7), image(seed=8)

    async def scenario(registry: RemoteRegistry) -> None:
        for each in (one, other):
            await push(registry, repository, each, each.manifest.digest)
        await push(registry, repository, one, "v1")
        await registry.archive_image(repository, one.manifest.digest)
        with pytest.raises(RemoteMissing):
            await registry.delete_manifest(repository, "v1", expected=other.manifest.digest)
        await registry.delete_manifest(repository, "v1", expected=one.manifest.digest)

    run(moorage, scenario)
    details = ecr.describe_images(repositoryName=repository, filter={"imageStatus": "ARCHIVED"})["imageDetails"]
    assert [(each["imageDigest"], each.get("imageTags", [])) for each in details] == [(one.manifest.digest, [])]


def test_a_user_name_archives_nothing(server: Server, ecr: Any, repository: str) -> None:
    one = image(seed=9)

    async def scenario(registry: RemoteRegistry) -> None:
        await push(registry, repository, one, "v1")
        await registry.archive_image(repository, one.manifest.digest)

    run(RemoteAddress(server.url, UserCredentials("AWS", docker_password(ecr)), private_networks=True), scenario)
    assert statuses(ecr, repository) == {one.manifest.digest: "ACTIVE"}


def archive_at(code: str, status: int = 400) -> None:
    """Archive an image at a registry whose API answers with an error. Raises RemoteFailure."""

    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=json.dumps({"__type": code, "message": "No."}))

    async def archive() -> None:
        async with running(HostileRegistry(answers={"/": refuse})) as hostile, registries() as remotes:
            key = AwsCredentials("AKIAIOSFODNN7EXAMPLE", "secret", "eu-west-1", endpoint=hostile.url)
            registry = remotes.at(RemoteAddress(hostile.url, key, private_networks=True))
            await registry.archive_image(NAME, image().manifest.digest)

    asyncio.run(archive())


@pytest.mark.parametrize(
    "code",
    [
        "UnknownOperationException",
        "UnsupportedOperationException",
        "ImageStorageClassUpdateNotSupportedException",
        "com.amazonaws.ecr#UnknownOperationException",
    ],
)
def test_a_registry_that_does_not_archive_the_image_keeps_it(code: str) -> None:
    archive_at(code)


@pytest.mark.parametrize(
    ("code", "status", "failure"),
    [
        ("AccessDeniedException", 400, RemoteDenied),
        ("ThrottlingException", 400, RemoteUnavailable),
        ("ServerException", 500, RemoteUnavailable),
        ("RepositoryNotFoundException", 400, RemoteMissing),
        ("ImageNotFoundException", 400, RemoteMissing),
        ("UnknownOperationException", 404, RemoteMissing),
        ("ValidationException", 400, RemoteRefused),
    ],
)
def test_a_failure_has_the_code_and_the_text_of_the_answer(
    code: str, status: int, failure: type[RemoteFailure]
) -> None:
    with pytest.raises(RemoteFailure) as failed:
        archive_at(code, status)
    assert type(failed.value) is failure
    assert (failed.value.code, failed.value.status) == (code, status)
    assert "No." in str(failed.value)
