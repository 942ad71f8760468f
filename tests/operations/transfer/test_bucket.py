"""`moorage import distribution s3://…`: a bucket of CNCF Distribution, beside a running server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.nodes.s3.conftest import S3Server
from tests.operations.transfer.conftest import Images, Moorage
from tests.support.aws import aws_client, docker_password
from tests.support.commands import Ended
from tests.support.distribution import Distribution
from tests.support.http_client import Docker
from tests.support.images import Blob, image
from tests.support.object_store import BUCKET, KEY_ID, SECRET, ObjectStore

ROOT = "distribution/data"
ERROR = b"<Error><Code>QuotaExceeded</Code></Error>"
"""An object that looks like a refusal of the object store."""


@pytest.fixture(scope="module")
def distribution(object_store: ObjectStore) -> Iterator[Distribution]:
    """Distribution with its own prefix in the bucket: it writes what is imported."""
    place = f"region: us-east-1, regionendpoint: '{object_store.endpoint}', bucket: {BUCKET}, rootdirectory: /{ROOT}"
    key = f"accesskey: {KEY_ID}, secretkey: {SECRET}"
    one = Distribution(f"s3: {{{place}, {key}, forcepathstyle: true, secure: false}}")
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def beside(object_store: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moorage]:
    """A registry with its layers in the same object store."""
    server = S3Server(tmp_path_factory.mktemp("s3") / "data", object_store, redirect=False)
    server.settings |= {"MOORAGE_BLOBS": object_store.setting(server.prefix), **object_store.environment}
    server.serve()
    with aws_client(server) as ecr:
        yield Moorage(server, Docker(server.host, server.port, docker_password(ecr)))
    server.stop()


def imported(moorage: Moorage, store: ObjectStore, *options: str, root: str = ROOT) -> Ended:
    return moorage.run("import", "distribution", store.setting(root), *options, variables=store.environment)


def data_of(blob: Blob) -> str:
    encoded = blob.digest.removeprefix("sha256:")
    return f"{ROOT}/docker/registry/v2/blobs/sha256/{encoded[:2]}/{encoded}/data"


def has_all(moorage: Moorage, repository: str, found: Images) -> bool:
    return moorage.has(repository, found.both, "latest") and all(
        moorage.has(repository, one) for one in (found.first, found.second, found.signature)
    )


def test_all_images_come_from_a_bucket_to_a_folder(
    moorage: Moorage, object_store: ObjectStore, upstream: Docker, team: str, images_of: Callable[[], Images]
) -> None:
    app, library = images_of(), images_of()
    app.push(upstream, f"{team}/app")
    library.push(upstream, f"{team}/app/library")

    done = imported(moorage, object_store, "--repository", f"{team}/*")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Imported 8 images of 2 repositories; 0 were here. Layers: 0 linked, 12 copied (")
    assert moorage.tags(f"{team}/app") == ["latest", "v1"]
    assert has_all(moorage, f"{team}/app", app)
    assert has_all(moorage, f"{team}/app/library", library)


def test_the_object_store_copies_layers_to_the_bucket_of_a_registry(
    beside: Moorage, object_store: ObjectStore, upstream: Docker, team: str, images_of: Callable[[], Images]
) -> None:
    found = images_of()
    found.push(upstream, f"{team}/app")

    done = imported(beside, object_store, "--repository", f"{team}/*")
    again = imported(beside, object_store, "--repository", f"{team}/*")

    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "Imported 4 images of 1 repositories; 0 were here. Layers: 6 copied by the object store, 0 copied (0 bytes).\n"
    )
    assert has_all(beside, f"{team}/app", found)
    assert "Imported 0 images of 1 repositories; 4 were here. Layers: 0 copied by the object store, 0" in again.out


def test_layers_of_another_endpoint_are_read_and_written(
    beside: Moorage, object_store: ObjectStore, upstream: Docker, team: str, images_of: Callable[[], Images]
) -> None:
    found = images_of()
    found.push(upstream, f"{team}/app")
    address = object_store.setting(ROOT).replace("localhost", "127.0.0.1")

    done = beside.run("import", "distribution", address, "--repository", f"{team}/*")

    assert "0 copied by the object store, 6 copied" in done.out, done
    assert has_all(beside, f"{team}/app", found)


def test_layers_are_read_and_written_on_request(
    beside: Moorage, object_store: ObjectStore, upstream: Docker, team: str, images_of: Callable[[], Images]
) -> None:
    found = images_of()
    found.push(upstream, f"{team}/app")

    done = imported(beside, object_store, "--repository", f"{team}/*", "--copy", root=f"{ROOT}/docker/registry/v2")

    assert "0 linked, 6 copied" in done.out, done
    assert has_all(beside, f"{team}/app", found)


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_what_is_whole_comes_from_a_broken_bucket_and_the_rest_is_listed(
    request: pytest.FixtureRequest, object_store: ObjectStore, upstream: Docker, team: str, kind: str
) -> None:
    moorage: Moorage = request.getfixturevalue({"folder": "moorage", "bucket": "beside"}[kind])
    first = 95 if kind == "folder" else 85
    names = ("whole", "missing", "damaged", "other", "cut")
    broken = {name: image(seed=first + number) for number, name in enumerate(names)}
    for tag, one in broken.items():
        upstream.push(f"{team}/app", one, tag)
    s3: Any = object_store.client()
    damaged, cut, other = (broken[tag] for tag in ("damaged", "cut", "other"))
    s3.delete_object(Bucket=BUCKET, Key=data_of(broken["missing"].blobs[1]))
    s3.put_object(Bucket=BUCKET, Key=data_of(damaged.blobs[1]), Body=bytes(len(damaged.blobs[1].content)))
    s3.put_object(Bucket=BUCKET, Key=data_of(cut.blobs[1]), Body=b"x")
    s3.put_object(Bucket=BUCKET, Key=data_of(other.manifest), Body=ERROR)
    tags = f"{ROOT}/docker/registry/v2/repositories/{team}/app/_manifests/tags"
    s3.put_object(Bucket=BUCKET, Key=f"{tags}/gone/current/link", Body=b"sha256:" + b"0" * 64)
    s3.put_object(Bucket=BUCKET, Key=f"{tags}/long/current/link", Body=bytes(1000))
    s3.put_object(Bucket=BUCKET, Key=f"{tags}/empty/index/link", Body=b"")
    s3.put_object(Bucket=BUCKET, Key=f"{tags}/a tag?/current/link", Body=b"")

    done = imported(moorage, object_store, "--repository", f"{team}/app")

    assert done.code == 3
    lines = done.out.splitlines()
    assert f"{team}/app:missing: layer {broken['missing'].blobs[1].digest}: is missing" in lines
    assert f"{team}/app:damaged: layer {damaged.blobs[1].digest}: has " in done.out
    size = len(cut.blobs[1].content)
    assert f"{team}/app:cut: layer {cut.blobs[1].digest}: has 1 bytes instead of {size}" in lines
    assert f"{team}/app:other: its manifest has other bytes" in lines
    assert f"{team}/app: the tags gone name sha256:{'0' * 64}, which is missing" in lines
    assert f"{team}/app: tag empty: link is missing" in lines
    assert f"{team}/app: tag long: " in done.out
    assert "a name has other characters than" in done.out
    assert lines[-1] == "8 images or tags did not come: see above."
    assert moorage.tags(f"{team}/app") == ["whole"]
    assert moorage.has(f"{team}/app", broken["whole"], "whole")


def test_an_interrupted_import_is_continued(
    beside: Moorage, object_store: ObjectStore, upstream: Docker, team: str, images_of: Callable[[], Images]
) -> None:
    found = images_of()
    found.push(upstream, f"{team}/app")
    one = image(seed=71)
    upstream.push(f"{team}/app", one, "v2")
    s3: Any = object_store.client()
    s3.delete_object(Bucket=BUCKET, Key=data_of(one.blobs[1]))
    assert imported(beside, object_store, "--repository", f"{team}/*").code == 3
    s3.put_object(Bucket=BUCKET, Key=data_of(one.blobs[1]), Body=one.blobs[1].content)

    done = imported(beside, object_store, "--repository", f"{team}/*", "--unread")

    assert "Imported 1 images of 1 repositories; 4 were here. Layers: 1 copied by the object store, 0" in done.out
    assert beside.has(f"{team}/app", one, "v2")


def test_a_prefix_without_a_registry_is_refused(moorage: Moorage, object_store: ObjectStore) -> None:
    done = imported(moorage, object_store, root="nothing")

    assert done.code == 1
    assert "s3://moorage/nothing/ is not a storage of Distribution: it has no docker/registry/v2" in done.err


def test_a_bucket_needs_an_address_and_a_key(moorage: Moorage, object_store: ObjectStore) -> None:
    without_key = moorage.run("import", "distribution", object_store.setting(ROOT))
    wrong = moorage.run("import", "distribution", "s3://B/x?color=red", variables=object_store.environment)

    assert (without_key.code, wrong.code) == (2, 2)
    assert "set MOORAGE_S3_ACCESS_KEY_ID and MOORAGE_S3_SECRET_ACCESS_KEY" in " ".join(without_key.err.split())
    assert "is not s3://BUCKET/PREFIX?endpoint=URL&region=REGION" in " ".join(wrong.err.split())
