"""Quotas: both endpoints refuse what would exceed one, and nothing changes (ECR user guide, "Service quotas")."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.api.ecr.pushing import (
    begin,
    complete,
    push,
    put,
    put_refused,
    send_part,
    upload_blobs,
    upload_layer,
    variants,
)
from tests.api.ecr.wire import ACCOUNT, Refusal, client_of, refusal
from tests.api.identity.conftest import allow, exported, of_session, role_arn, trust
from tests.faults.http.raw import Connection, head
from tests.support.aws import docker_password
from tests.support.http_client import Docker
from tests.support.images import Image, digest, image, index, layer
from tests.support.server import Server
from tests.support.waiting import wait_until

ACCOUNTS_TEXT = "The operation did not succeed because it would have exceeded a service limit for your account"


def exceeded(what: str) -> Refusal:
    """The message is from the API reference of LimitExceededException."""
    return Refusal(400, "LimitExceededException", f"{ACCOUNTS_TEXT}: {what}")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with small quotas."""
    server = Server(tmp_path_factory.mktemp("small") / "data")
    quotas = "repositories=3,images-per-repository=2,tags-per-image=2,layers-per-image=2,creation-templates=1"
    quotas += ",open-uploads=3,open-upload-mib=20"
    # A worker process knows what arrives in other ones only after the end of their requests.
    server.start(extra_env={"MOORAGE_QUOTA": quotas}, extra_args=["--workers", "1"])
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


def test_an_image_has_a_maximum_number_of_layers(ecr: Any, docker: Docker, repository: str) -> None:
    """The text is ECR's (openai/tart#890). The config does not count, and the list of layers counts repetitions."""
    layers = [layer(seed=604 + number) for number in range(3)]
    allowed, refused = image(layers[:2]), image(layers)
    push(ecr, repository, allowed, "v1")
    upload_blobs(ecr, repository, refused.blobs)
    message = "Invalid parameter at 'ImageManifest' failed to satisfy constraint: "
    message += "'Limit on number of layers per image exceeded'"

    assert put_refused(ecr, repository, refused, "v2") == (400, "InvalidParameterException", message)
    assert put_by_docker(docker, repository, refused, "v2") == (400, "UNSUPPORTED")
    assert put_by_docker(docker, repository, image([layers[0]] * 3), "v2") == (400, "UNSUPPORTED")
    assert [row["imageTag"] for row in ecr.list_images(repositoryName=repository)["imageIds"]] == ["v1"]


def test_an_index_of_more_images_than_an_image_has_layers_is_accepted(ecr: Any, docker: Docker) -> None:
    """On a server whose quota is less than the number of images in the list."""
    ecr.create_repository(repositoryName="lists")
    pushed = next(variants(seed=608))
    push(ecr, "lists", pushed)

    assert put_by_docker(docker, "lists", index([pushed] * 3), "list") == (201, "")


def test_a_registry_has_a_maximum_number_of_templates(ecr: Any) -> None:
    create: Callable[..., Any] = ecr.create_repository_creation_template
    create(prefix="a", appliedFor=["CREATE_ON_PUSH"])

    refused = refusal(create, prefix="b", appliedFor=["CREATE_ON_PUSH"])

    assert refused == exceeded("1 creation templates")


def start_refused(docker: Docker, repository: str, query: str = "") -> tuple[int, str]:
    """Status and message of the refusal of an upload; its code is TOOMANYREQUESTS."""
    answer = docker.post(f"/v2/{repository}/blobs/uploads/{query}")
    (error,) = answer.json()["errors"]
    assert error["code"] == "TOOMANYREQUESTS"
    return answer.status, error["message"]


def test_a_caller_has_a_maximum_number_of_open_uploads_in_a_repository(
    small: Server, ecr: Any, docker: Docker, repository: str
) -> None:
    ecr.create_repository(repositoryName="team/other")
    begin(ecr, repository)
    begin(ecr, repository)
    location = docker.post(f"/v2/{repository}/blobs/uploads/").headers["Location"]
    too_many = "3 open uploads of a caller in a repository"

    assert refusal(ecr.initiate_layer_upload, repositoryName=repository) == exceeded(too_many)
    assert start_refused(docker, repository) == (429, f"{ACCOUNTS_TEXT}: {too_many}")
    assert start_refused(docker, repository, f"?digest={digest(b'x')}") == (429, f"{ACCOUNTS_TEXT}: {too_many}")
    begin(ecr, "team/other")
    small.moorage("user", "create", "other", "--policy", "AmazonEC2ContainerRegistryPowerUser")
    key = exported(small.moorage("key", "create", "--user", "other"))
    begin(client_of(small, region=ecr.meta.region_name, **key), repository)

    assert docker.delete(location).status == 204
    begin(ecr, repository)


def test_completed_uploads_do_not_count_as_open(ecr: Any, repository: str) -> None:
    for number in range(5):
        upload_layer(ecr, repository, b"layer %d" % number)


def test_sessions_of_a_role_share_the_quota_of_open_uploads(small: Server, ecr: Any, repository: str) -> None:
    """The caller that assumes a role chooses the name of the session."""
    region = ecr.meta.region_name
    trusting = trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    small.moorage("role", "create", "builder", "--trust", "-", stdin=json.dumps(trusting))
    small.moorage("role", "put-policy", "builder", "own", "-", stdin=json.dumps(allow("ecr:*")))
    small.moorage("user", "create", "assuming")
    small.moorage("user", "put-policy", "assuming", "own", "-", stdin=json.dumps(allow("sts:AssumeRole")))
    sts = client_of(small, "sts", **exported(small.moorage("key", "create", "--user", "assuming")))
    sessions = [
        client_of(
            small, region=region, **of_session(sts.assume_role(RoleArn=role_arn("builder"), RoleSessionName=name))
        )
        for name in ("one", "two", "three", "four")
    ]
    for client in sessions[:3]:
        begin(client, repository)

    refused = refusal(sessions[3].initiate_layer_upload, repositoryName=repository)

    assert refused == exceeded("3 open uploads of a caller in a repository")


def test_a_caller_has_a_maximum_of_bytes_in_open_uploads(ecr: Any, docker: Docker, repository: str) -> None:
    upload = begin(ecr, repository)
    part = bytes(10 << 20)
    for first in range(0, 3 * len(part), len(part)):
        send_part(ecr, repository, upload, first, part)
    too_large = "20 MiB of open uploads of a caller in a repository"

    assert refusal(ecr.initiate_layer_upload, repositoryName=repository) == exceeded(too_large)
    assert start_refused(docker, repository) == (429, f"{ACCOUNTS_TEXT}: {too_large}")

    complete(ecr, repository, upload, digest(part * 3))
    begin(ecr, repository)


def test_a_growing_upload_is_refused_at_the_maximum_of_bytes(ecr: Any, docker: Docker, repository: str) -> None:
    """Both endpoints compare it again each time an upload has grown by 64 MiB."""
    location = docker.post(f"/v2/{repository}/blobs/uploads/").headers["Location"]
    upload = begin(ecr, repository)
    part = bytes(16 << 20)

    streamed = docker.patch(location, [part] * 5)

    assert (streamed.status, streamed.error_codes()) == (429, ["TOOMANYREQUESTS"])
    for first in range(0, 3 * len(part), len(part)):
        send_part(ecr, repository, upload, first, part)
    refused = refusal(
        ecr.upload_layer_part,
        repositoryName=repository,
        uploadId=upload,
        partFirstByte=3 * len(part),
        partLastByte=4 * len(part) - 1,
        layerPartBlob=part,
    )
    assert refused == exceeded("20 MiB of open uploads of a caller in a repository")


def test_bytes_that_are_arriving_or_were_kept_count(small: Server, ecr: Any, docker: Docker, repository: str) -> None:
    """What an interrupted PATCH brought is kept until its upload ends."""
    location = docker.post(f"/v2/{repository}/blobs/uploads/").headers["Location"]
    authorization = docker.authorization or ""
    headers: dict[str, str | int] = {"Host": "r", "Authorization": authorization, "Content-Length": 40 << 20}
    with Connection(small) as connection:
        connection.send(head("PATCH", location, headers) + bytes(30 << 20))
        wait_until(lambda: docker.post(f"/v2/{repository}/blobs/uploads/?digest={digest(b'')}").status == 429)
    wait_until(lambda: docker.get(location).headers["Range"] == f"0-{(30 << 20) - 1}")
    assert docker.post(f"/v2/{repository}/blobs/uploads/?digest={digest(b'')}").status == 429

    assert docker.delete(location).status == 204
    assert docker.post(f"/v2/{repository}/blobs/uploads/?digest={digest(b'')}").status == 201


@pytest.mark.parametrize("entry", ["images", "images=2", "repositories=", "repositories=-1", "repositories=many"])
def test_an_unknown_quota_stops_the_server(tmp_path_factory: pytest.TempPathFactory, entry: str) -> None:
    server = Server(tmp_path_factory.mktemp("wrong") / "data")

    with pytest.raises(AssertionError, match="exit code 2"):
        server.start(extra_args=["--quota", entry])

    assert (
        f"--quota is invalid: {entry!r} is not NAME=NUMBER with one of repositories, images-per-repository"
        in server.output()
    )
