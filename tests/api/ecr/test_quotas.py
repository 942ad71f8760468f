"""Quotas: both endpoints refuse what would exceed one, and nothing changes (ECR user guide, "Service quotas")."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.api.ecr.pushing import push, put, put_refused, upload_blobs, variants
from tests.api.ecr.wire import Refusal, client_of, refusal
from tests.support.aws import docker_password
from tests.support.http_client import Docker
from tests.support.images import Image, index
from tests.support.server import Server

ACCOUNTS_TEXT = "The operation did not succeed because it would have exceeded a service limit for your account"


def exceeded(what: str) -> Refusal:
    """The message is from the API reference of LimitExceededException."""
    return Refusal(400, "LimitExceededException", f"{ACCOUNTS_TEXT}: {what}")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with small quotas."""
    server = Server(tmp_path_factory.mktemp("small") / "data")
    quotas = "repositories=3,images-per-repository=2,tags-per-image=2,creation-templates=1"
    server.start(extra_env={"MOORAGE_QUOTA": quotas})
    yield server
    server.stop()


@pytest.fixture
def ecr(small: Server) -> Any:
    """The client of a Region that no other test uses."""
    return client_of(small, region=f"test-region-{next(_numbers)}")


_numbers = itertools.count()


@pytest.fixture
def docker(small: Server, ecr: Any) -> Docker:
    return Docker(small.host, small.port, docker_password(ecr))


@pytest.fixture
def repository(ecr: Any) -> str:
    ecr.create_repository(repositoryName="team/app")
    return "team/app"


def put_by_docker(docker: Docker, repository: str, pushed: Image, reference: str) -> tuple[int, str]:
    path = f"/v2/{repository}/manifests/{reference}"
    answer = docker.put(path, pushed.manifest.content, {"Content-Type": pushed.manifest.media_type})
    return answer.status, "" if answer.status == 201 else answer.json()["errors"][0]["code"]


def test_a_registry_has_a_maximum_number_of_repositories(ecr: Any) -> None:
    for number in range(3):
        ecr.create_repository(repositoryName=f"app-{number}")

    assert refusal(ecr.create_repository, repositoryName="app-3") == exceeded("3 repositories")
    assert refusal(ecr.create_repository, repositoryName="app-0").code == "RepositoryAlreadyExistsException"
    assert len(ecr.describe_repositories()["repositories"]) == 3
    ecr.delete_repository(repositoryName="app-1")
    ecr.create_repository(repositoryName="app-3")


def test_each_registry_is_counted_separately(small: Server, ecr: Any) -> None:
    for client in (ecr, client_of(small, region="test-region-99")):
        for number in range(3):
            client.create_repository(repositoryName=f"app-{number}")


def test_a_push_does_not_create_a_repository_beyond_the_quota(ecr: Any, docker: Docker) -> None:
    ecr.create_repository_creation_template(prefix="ROOT", appliedFor=["CREATE_ON_PUSH"])
    answers = [docker.post(f"/v2/app-{number}/blobs/uploads/") for number in range(4)]

    assert [answer.status for answer in answers] == [202, 202, 202, 403]
    assert answers[3].json()["errors"] == [{"code": "DENIED", "message": f"{ACCOUNTS_TEXT}: 3 repositories"}]


def test_a_repository_has_a_maximum_number_of_images(ecr: Any, docker: Docker, repository: str) -> None:
    first, second, third, *_ = itertools.islice(variants(seed=601), 3)
    push(ecr, repository, first, "v1")
    push(ecr, repository, second)

    assert put_refused(ecr, repository, third, "v3") == exceeded("2 images per repository")
    assert put_by_docker(docker, repository, third, "v3") == (403, "DENIED")
    assert put_by_docker(docker, repository, index([first]), "list") == (403, "DENIED")
    put(ecr, repository, first, "again")
    assert len(ecr.describe_images(repositoryName=repository)["imageDetails"]) == 2

    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": second.manifest.digest}])
    put(ecr, repository, third, "v3")
    assert put_refused(ecr, repository, second) == exceeded("2 images per repository")


def test_an_image_has_a_maximum_number_of_tags(ecr: Any, docker: Docker, repository: str) -> None:
    first, second = itertools.islice(variants(seed=602), 2)
    push(ecr, repository, first, "v1", "v2")
    push(ecr, repository, second, "other")

    assert put_refused(ecr, repository, first, "v3") == exceeded("2 tags per image")
    assert put_refused(ecr, repository, first, "other") == exceeded("2 tags per image")
    assert put_by_docker(docker, repository, first, "v3") == (403, "DENIED")
    tags = {row["imageTag"]: row["imageDigest"] for row in ecr.list_images(repositoryName=repository)["imageIds"]}
    assert tags == {"v1": first.manifest.digest, "v2": first.manifest.digest, "other": second.manifest.digest}

    put(ecr, repository, second, "v2")
    put(ecr, repository, first, "v3")


def test_an_image_with_too_many_tags_is_not_stored(ecr: Any, docker: Docker, repository: str) -> None:
    pushed = next(variants(seed=603))
    upload_blobs(ecr, repository, pushed.blobs)

    reference = f"{pushed.manifest.digest}?tag=a&tag=b&tag=c"

    assert put_by_docker(docker, repository, pushed, reference) == (403, "DENIED")
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []


def test_a_registry_has_a_maximum_number_of_templates(ecr: Any) -> None:
    create: Callable[..., Any] = ecr.create_repository_creation_template
    create(prefix="a", appliedFor=["CREATE_ON_PUSH"])

    refused = refusal(create, prefix="b", appliedFor=["CREATE_ON_PUSH"])

    assert refused == exceeded("1 creation templates")


@pytest.mark.parametrize("entry", ["images", "images=2", "repositories=", "repositories=-1", "repositories=many"])
def test_an_unknown_quota_stops_the_server(tmp_path_factory: pytest.TempPathFactory, entry: str) -> None:
    server = Server(tmp_path_factory.mktemp("wrong") / "data")

    with pytest.raises(AssertionError, match="exit code 2"):
        server.start(extra_args=["--quota", entry])

    assert (
        f"--quota is invalid: {entry!r} is not NAME=NUMBER with one of repositories, images-per-repository"
        in server.output()
    )
