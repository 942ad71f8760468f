"""Blobs that the object store itself copies into the bucket of a registry, and stores that do not do so."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from moorage.adapters.s3.client import S3Client
from moorage.adapters.s3.linking import BucketLinks
from moorage.adapters.s3.objects import Objects
from moorage.adapters.s3.signing import Signer
from moorage.domain.buckets import Bucket, BucketKey
from moorage.domain.image_sources import BlobToLink, BucketObject, LinkResult
from tests.support.object_store import KEY_ID, SECRET, ObjectStore
from tests.support.proxy import Handler, Proxy, answer, answer_500_when_done, lose_answer, proxy_before

CONTENT = b"the bytes of a layer" * 100
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
ENDPOINT = "https://objects.example"

Link = Callable[..., LinkResult]


@pytest.fixture
def proxy(object_store: ObjectStore) -> Iterator[Proxy]:
    with proxy_before(object_store.port) as proxy:
        yield proxy


@pytest.fixture
def prefix() -> str:
    return f"links/{uuid.uuid4()}"


@pytest.fixture
def link(object_store: ObjectStore, proxy: Proxy, prefix: str) -> Link:
    """Takes an object with that content over as a blob, with other values for its fields."""
    bucket = Bucket.parse(object_store.setting(f"{prefix}/ours", proxy.port))

    async def run(blob: BlobToLink, *, verify: bool) -> LinkResult:
        objects = Objects(S3Client(Signer(bucket, BucketKey(KEY_ID, SECRET))), bucket.prefix)
        try:
            (result,) = await BucketLinks(objects, ENDPOINT).link_all([blob], verify=verify)
        finally:
            await objects.close()
        return result

    def link(content: bytes = CONTENT, *, verify: bool = True, **fields: object) -> LinkResult:
        key = f"{prefix}/theirs/data"
        object_store.client().put_object(Bucket=bucket.name, Key=key, Body=content)
        blob = BlobToLink(BucketObject(ENDPOINT, bucket.name, key), str(uuid.uuid4()), DIGEST, len(CONTENT))
        return asyncio.run(run(replace(blob, **fields), verify=verify))  # type: ignore[arg-type]  # any of its fields

    return link


@pytest.fixture
def ours(object_store: ObjectStore, prefix: str) -> Callable[[], list[str]]:
    """The keys in the bucket of the registry."""
    return lambda: [key.removeprefix(f"{prefix}/ours/") for key in object_store.keys(f"{prefix}/ours/")]


@pytest.mark.parametrize("verify", [True, False])
def test_an_object_is_copied_by_the_store(link: Link, ours: Callable[[], list[str]], verify: bool) -> None:
    result = link(verify=verify)

    assert result.reason == ""
    assert ours() == [result.key]


def test_a_copy_is_repeated_when_its_response_was_lost(link: Link, proxy: Proxy, ours: Callable[[], list[str]]) -> None:
    proxy.fail("PUT", "/ours/", lose_answer, times=1)
    proxy.fail("PUT", "/ours/", answer_500_when_done, times=1)

    result = link()

    assert proxy.hits == 2
    assert ours() == [result.key]


def test_a_copy_with_other_bytes_is_removed(link: Link, ours: Callable[[], list[str]]) -> None:
    result = link(CONTENT[::-1])

    assert result.key is None
    assert result.reason.startswith("has the digest sha256:")
    assert ours() == []


def test_without_reading_only_the_size_is_compared(link: Link, ours: Callable[[], list[str]]) -> None:
    assert link(CONTENT[::-1], verify=False).key is not None
    assert link(CONTENT[:-1], verify=False) == LinkResult()
    assert len(ours()) == 1


@pytest.mark.parametrize(("status", "code"), [(501, "NotImplemented"), (403, "AccessDenied"), (404, "NoSuchKey")])
def test_a_store_may_refuse_to_copy(
    link: Link, proxy: Proxy, ours: Callable[[], list[str]], status: int, code: str
) -> None:
    proxy.fail("PUT", "/ours/", answer(status, code))

    assert link() == LinkResult()
    assert ours() == []


def test_a_store_may_take_the_copy_for_an_upload_of_nothing(
    link: Link, object_store: ObjectStore, proxy: Proxy, prefix: str, ours: Callable[[], list[str]]
) -> None:
    def upload_nothing(handler: Handler) -> None:
        key = handler.path.partition(f"/{object_store.bucket}/")[2]
        object_store.client().put_object(Bucket=object_store.bucket, Key=key, Body=b"")
        handler.send(200, [("ETag", '"1"')], b"")

    proxy.fail("PUT", f"/{prefix}/ours/", upload_nothing)

    assert link() == LinkResult()
    assert proxy.hits == 1
    assert ours() == []


def test_objects_of_other_stores_and_large_ones_are_left_to_the_import(link: Link, proxy: Proxy) -> None:
    proxy.fail("PUT", "", answer(200))

    assert link(place=BucketObject("https://other.example", "moorage", "key")) == LinkResult()
    assert link(size=(5 << 30) + 1) == LinkResult()
    assert proxy.hits == 0
