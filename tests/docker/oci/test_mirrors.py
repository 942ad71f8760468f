"""Pulls of clients that take the server for a mirror of another registry, and leave out the prefix of its rule.

containerd names the registry of the image in the parameter `ns` (its documentation, "Registry configuration"); docker
names nothing (`registry-mirrors`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.api.ecr.pushing import push
from tests.support.aws import aws_client, docker_password
from tests.support.http_client import Docker
from tests.support.images import Image, image
from tests.support.policies import allowing
from tests.support.server import Server

HUB = "registry-1.docker.io"
CACHED = image(seed=71)
OWN = image(seed=72)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The upstream registry, which has nothing."""
    one = Server(tmp_path_factory.mktemp("hub") / "data")
    one.start(extra_args=["--workers", "1"])
    yield one
    one.stop()


def options_of(hub: Server) -> list[str]:
    there = f"http://{hub.host}:{hub.port}"
    upstreams = ["--upstream", f"{HUB}={there}", "--upstream", f"quay.io={there}"]
    return ["--workers", "1", *upstreams, "--mirror", "docker.io"]


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory, hub: Server) -> Iterator[Server]:
    """A mirror of Docker Hub with a cached image, an own repository, and an own one with the name of a cached one."""
    one = Server(tmp_path_factory.mktemp("mirror") / "data")
    one.start(extra_args=options_of(hub))
    key, secret = hub.environment["AWS_ACCESS_KEY_ID"], hub.environment["AWS_SECRET_ACCESS_KEY"]
    arn = one.moorage("secret", "put", "ecr-pullthroughcache/hub", "--username", key, stdin=secret).strip()
    with aws_client(one) as ecr:
        for prefix, url in (("hub", HUB), ("quay", "quay.io")):
            ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl=url, credentialArn=arn)
        for name, stored in (
            ("hub/library/nginx", CACHED),
            ("hub/library/both", CACHED),
            ("library/both", OWN),
            ("quay/team/app", OWN),
        ):
            ecr.create_repository(repositoryName=name)
            push(ecr, name, stored, "v1")
    yield one
    one.stop()


@pytest.fixture(scope="module")
def docker(mirror: Server) -> Docker:
    with aws_client(mirror) as ecr:
        return Docker(mirror.host, mirror.port, docker_password(ecr))


def is_whole(docker: Docker, name: str, expected: Image, query: str = "") -> bool:
    """Whether a client gets an image with its layer, and the tags of its repository."""
    manifest = docker.get(f"/v2/{name}/manifests/v1{query}")
    assert docker.head(f"/v2/{name}/manifests/v1{query}").status == 200
    assert docker.get(f"/v2/{name}/tags/list{query}").status == 200
    layer = expected.blobs[0].digest
    return manifest.body == expected.manifest.content and docker.get(f"/v2/{name}/blobs/{layer}{query}").status == 200


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io", HUB])
def test_containerd_names_the_registry_of_an_image(docker: Docker, host: str) -> None:
    assert is_whole(docker, "library/nginx", CACHED, f"?ns={host}")
    assert is_whole(docker, "library/both", CACHED, f"?ns={host}")
    assert is_whole(docker, "team/app", OWN, "?ns=quay.io")


def test_an_unknown_registry_changes_nothing(docker: Docker) -> None:
    assert is_whole(docker, "library/both", OWN, "?ns=mirror.example")


def test_the_rule_of_another_registry_does_not_answer_for_a_known_one(docker: Docker) -> None:
    answer = docker.get("/v2/quay/team/app/manifests/v1?ns=ghcr.io")

    assert (answer.status, answer.error_codes()) == (404, ["NAME_UNKNOWN"])


def test_a_known_registry_without_a_rule_has_what_was_pushed_for_it(docker: Docker) -> None:
    assert is_whole(docker, "library/both", OWN, "?ns=ghcr.io")


def test_docker_pulls_from_a_mirror_without_naming_the_registry(docker: Docker) -> None:
    assert is_whole(docker, "library/nginx", CACHED)
    assert is_whole(docker, "library/both", OWN)
    assert docker.get("/v2/team/app/manifests/v1").error_codes() == ["NAME_UNKNOWN"]


def test_a_refusal_has_the_name_that_the_client_knows(docker: Docker) -> None:
    """Neither a repository that does not exist, nor one of another rule, is one of the mirrored registry."""
    for name in ("team/none", "quay/none"):
        answer = docker.get(f"/v2/{name}/manifests/v1")
        assert answer.error_codes() == ["NAME_UNKNOWN"]
        assert f"'{name}'" in answer.body.decode()


def test_a_push_is_not_for_the_mirror(docker: Docker) -> None:
    """Clients ask for a blob before they send it: with the answer of the mirror, they would leave it out."""
    layer = CACHED.blobs[0].digest

    assert docker.head(f"/v2/library/nginx/blobs/{layer}").status == 404
    assert docker.post("/v2/library/nginx/blobs/uploads/").status == 404
    assert docker.delete("/v2/library/nginx/manifests/v1?ns=docker.io").status == 404


def test_permissions_are_those_for_the_cached_repository(mirror: Server) -> None:
    def client(user: str, pattern: str) -> Docker:
        mirror.moorage("user", "create", user)
        mirror.moorage("user", "put-policy", user, "pull", "-", stdin=allowing("ecr:*", resource=pattern))
        lines = mirror.moorage("key", "create", "--user", user)
        words = dict(line.removeprefix("export ").split("=", 1) for line in lines.splitlines() if "=" in line)
        return Docker(mirror.host, mirror.port, words["AWS_SECRET_ACCESS_KEY"].strip("'"), words["AWS_ACCESS_KEY_ID"])

    allowed = client("ann", "arn:aws:ecr:*:*:repository/hub/*")
    other = client("bob", "arn:aws:ecr:*:*:repository/library/*")

    assert is_whole(allowed, "library/nginx", CACHED, "?ns=docker.io")
    assert is_whole(allowed, "library/nginx", CACHED)
    assert other.get("/v2/library/nginx/manifests/v1?ns=docker.io").error_codes() == ["DENIED"]
    assert other.get("/v2/library/nginx/manifests/v1").error_codes() == ["NAME_UNKNOWN"]


def test_the_audit_log_has_the_cached_repository(mirror: Server, hub: Server) -> None:
    mirror.restart(extra_args=[*options_of(hub), "--audit-reads"])
    with aws_client(mirror) as ecr:
        docker = Docker(mirror.host, mirror.port, docker_password(ecr))
    for query in ("", "?ns=docker.io"):
        assert docker.get(f"/v2/library/nginx/manifests/v1{query}").status == 200

    lines = [json.loads(line) for line in (mirror.data / "audit.jsonl").read_text().splitlines()]
    names = [line["requestParameters"]["repositoryName"] for line in lines if line["eventName"] == "BatchGetImage"]
    assert names[-2:] == ["hub/library/nginx"] * 2
