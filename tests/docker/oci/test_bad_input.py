"""Each path with each kind of invalid request: the response follows the specification, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from moorage.core.identity.authentication import DOCKER_TOKEN_LIFE
from tests.docker.oci.client import ACCOUNT, Answer, Client, World, basic
from tests.support.images import digest, image

READ_ONLY = "AmazonEC2ContainerRegistryReadOnly"
ONE = image(seed=31)
BLOB = ONE.blobs[-1]


class Endpoint(NamedTuple):
    """A request that would succeed. `{name}` and `{upload}` are those of the fixture."""

    method: str
    target: str
    writes: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.target.replace(BLOB.digest, 'DIGEST').replace(ONE.manifest.digest, 'DIGEST')}"


ENDPOINTS = [
    Endpoint("GET", "manifests/v1"),
    Endpoint("HEAD", "manifests/v1"),
    Endpoint("GET", f"manifests/{ONE.manifest.digest}"),
    Endpoint("PUT", "manifests/v2", writes=True),
    Endpoint("DELETE", "manifests/v1", writes=True),
    Endpoint("DELETE", f"manifests/{ONE.manifest.digest}", writes=True),
    Endpoint("GET", f"blobs/{BLOB.digest}"),
    Endpoint("HEAD", f"blobs/{BLOB.digest}"),
    Endpoint("DELETE", f"blobs/{BLOB.digest}", writes=True),
    Endpoint("POST", "blobs/uploads/", writes=True),
    Endpoint("POST", f"blobs/uploads/?digest={digest(b'')}", writes=True),
    Endpoint("GET", "blobs/uploads/{upload}", writes=True),
    Endpoint("PATCH", "blobs/uploads/{upload}", writes=True),
    Endpoint("PUT", f"blobs/uploads/{{upload}}?digest={digest(b'')}", writes=True),
    Endpoint("DELETE", "blobs/uploads/{upload}", writes=True),
    Endpoint("GET", "tags/list"),
    Endpoint("GET", f"referrers/{ONE.manifest.digest}"),
]
WITH_DIGESTS = [each for each in ENDPOINTS if "sha256:" in each.target]
every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)


class Scene(NamedTuple):
    """A repository with an image under `v1` and an upload that its owner has begun."""

    world: World
    root: Client
    name: str
    upload: str

    def target(self, endpoint: Endpoint, name: str | None = None) -> str:
        return f"/v2/{name or self.name}/{endpoint.target.format(upload=self.upload)}"


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One scene for all tests here, because none of them changes anything."""
    world = World(tmp_path_factory.mktemp("bad-input"))
    root, name = world.root(), world.new_repository()
    root.push(name, ONE, "v1")
    location = root.send("POST", f"/v2/{name}/blobs/uploads/").headers["location"]
    world.root("999999999999")
    yield Scene(world, root, name, location.rpartition("/")[2])
    world.close()


@pytest.fixture
def scene(untouched: Scene) -> Iterator[Scene]:
    """The same, with the real time."""
    yield untouched
    untouched.world.offset = 0


def refused(scene: Scene, client: Client, method: str, target: str, **headers: str | None) -> Answer:
    """The response to a request that must change nothing."""
    before = scene.world.trace()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = client.send(method, target, ONE.manifest.content if method == "PUT" else b"", named)
    assert scene.world.trace() == before
    assert answer.status < 500
    return answer


def assert_refusal(answer: Answer, method: str, status: int, code: str) -> None:
    assert answer.status == status
    if method != "HEAD":
        assert answer.code == code


@every_endpoint
def test_an_unsupported_method_is_rejected(scene: Scene, endpoint: Endpoint) -> None:
    for method in ("OPTIONS", "TRACE"):
        answer = refused(scene, scene.root, method, scene.target(endpoint))

        assert_refusal(answer, method, 405, "UNSUPPORTED")
        assert endpoint.method in answer.headers["allow"]


@every_endpoint
@pytest.mark.parametrize(
    "name", ["Team/app", "team//app", "team/../app", "team/-app", "x" * 300, "team/app/", "%2e%2e/app"]
)
def test_an_invalid_name_is_rejected(scene: Scene, endpoint: Endpoint, name: str) -> None:
    answer = refused(scene, scene.root, endpoint.method, scene.target(endpoint, name))

    assert_refusal(answer, endpoint.method, 400, "NAME_INVALID")


@every_endpoint
def test_an_unknown_repository_is_rejected(scene: Scene, endpoint: Endpoint) -> None:
    answer = refused(scene, scene.root, endpoint.method, scene.target(endpoint, "nowhere/app"))

    assert_refusal(answer, endpoint.method, 404, "NAME_UNKNOWN")
    if endpoint.method != "HEAD":
        expected = f"The repository with name 'nowhere/app' does not exist in the registry with id '{ACCOUNT}'"
        assert expected in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("endpoint", WITH_DIGESTS, ids=str)
@pytest.mark.parametrize(
    "wrong", ["sha256:short", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:" + "G" * 64, "sha512:" + "a" * 64]
)
def test_an_invalid_digest_is_rejected(scene: Scene, endpoint: Endpoint, wrong: str) -> None:
    target = scene.target(endpoint)
    found = next(each for each in (BLOB.digest, ONE.manifest.digest, digest(b"")) if each in target)

    answer = refused(scene, scene.root, endpoint.method, target.replace(found, wrong))

    assert_refusal(answer, endpoint.method, 400, "DIGEST_INVALID")


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("value", ["9-1", "1-0", "x-y", "-", "5-9", "0-"])
def test_a_range_that_does_not_fit_the_upload_is_rejected(scene: Scene, method: str, value: str) -> None:
    query = f"?digest={digest(b'')}" if method == "PUT" else ""
    target = f"/v2/{scene.name}/blobs/uploads/{scene.upload}{query}"

    answer = refused(scene, scene.root, method, target, content_range=value)

    assert_refusal(answer, method, 416, "BLOB_UPLOAD_INVALID")


def test_a_range_beyond_the_blob_is_rejected(scene: Scene) -> None:
    answer = refused(scene, scene.root, "GET", f"/v2/{scene.name}/blobs/{BLOB.digest}", range="bytes=99999999-")

    assert answer.status == 416
    assert answer.headers["content-range"] == f"bytes */{len(BLOB.content)}"


@every_endpoint
@pytest.mark.parametrize("forged", [None, basic("AWS", "eyJwYXlsb2FkIjoiZm9yZ2VkIn0="), basic("AKIA" + "A" * 16, "s")])
def test_missing_or_forged_credentials_are_rejected(scene: Scene, endpoint: Endpoint, forged: str | None) -> None:
    answer = refused(scene, scene.root, endpoint.method, scene.target(endpoint), authorization=forged)

    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith('Basic realm="http://localhost:5000/"')


@every_endpoint
def test_a_token_with_one_changed_bit_is_rejected(scene: Scene, endpoint: Endpoint) -> None:
    token = scene.root.token
    changed = token[:200] + ("A" if token[200] != "A" else "B") + token[201:]

    assert refused(scene, scene.root, endpoint.method, scene.target(endpoint), authorization=changed).status == 401


@every_endpoint
def test_an_expired_token_is_rejected(scene: Scene, endpoint: Endpoint) -> None:
    scene.world.offset = DOCKER_TOKEN_LIFE

    answer = refused(scene, scene.root, endpoint.method, scene.target(endpoint))

    assert_refusal(answer, endpoint.method, 403, "DENIED")


@every_endpoint
@pytest.mark.parametrize("registry", ["999999999999.dkr.ecr.us-east-1", f"{ACCOUNT}.dkr.ecr.eu-west-1"])
def test_a_token_of_another_registry_is_rejected(scene: Scene, endpoint: Endpoint, registry: str) -> None:
    answer = refused(scene, scene.root, endpoint.method, scene.target(endpoint), host=f"{registry}.localhost:5000")

    assert_refusal(answer, endpoint.method, 403, "DENIED")


@every_endpoint
def test_a_caller_who_can_only_read_cannot_write(scene: Scene, endpoint: Endpoint) -> None:
    reader, target = scene.world.user(READ_ONLY), scene.target(endpoint)

    if endpoint.writes:
        answer = refused(scene, reader, endpoint.method, target)
        assert_refusal(answer, endpoint.method, 403, "DENIED")
        assert "is not authorized to perform: ecr:" in answer.json()["errors"][0]["message"]
    else:
        assert reader.send(endpoint.method, target).status == 200
