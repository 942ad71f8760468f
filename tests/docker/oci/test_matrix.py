"""The authorization matrix of the registry endpoint: each row of the table of permissions, for each kind of caller."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import pytest

from moorage.core.identity.authentication import DOCKER_TOKEN_LIFE
from moorage.core.identity.authorization import Authorizer
from moorage.core.registry import repositories
from moorage.domain.identity.actions import DOCKER_ACTIONS
from moorage.domain.identity.managed_policies import MANAGED_POLICIES
from moorage.domain.names import Registry
from moorage.metadata.database import Database, Lookup, Transaction, Work
from moorage.metadata.registry import policies
from tests.docker.oci.client import ACCOUNT, REGION, Answer, Client, World, registry_endpoint
from tests.support.images import digest, image
from tests.support.policies import allowing, policy

OTHER = "333333333333"
FULL = "AmazonEC2ContainerRegistryFullAccess"
HOST = {"host": f"{ACCOUNT}.dkr.ecr.{REGION}.localhost:5000"}
MOUNT = ("uploads", "POST?mount")
"""Its permission is for another repository, and a caller without it uploads the bytes: `test_mounts.py`."""

IMAGE = image()
LAYER = f"blobs/{IMAGE.blobs[0].digest}"
UPLOAD = "blobs/uploads/00000000-0000-4000-8000-000000000000"
PATHS: dict[tuple[str, str], tuple[str, str, bytes]] = {
    ("manifests", "GET"): ("GET", "manifests/v1", b""),
    ("manifests", "PUT"): ("PUT", "manifests/v2", IMAGE.manifest.content),
    ("manifests", "DELETE"): ("DELETE", "manifests/v3", b""),
    ("blobs", "GET"): ("GET", LAYER, b""),
    ("blobs", "HEAD"): ("HEAD", LAYER, b""),
    ("blobs", "DELETE"): ("DELETE", f"blobs/{digest(b'none')}", b""),
    ("uploads", "POST"): ("POST", "blobs/uploads/", b""),
    ("uploads", "POST?digest"): ("POST", f"blobs/uploads/?digest={digest(b'x')}", b"x"),
    ("upload", "GET"): ("GET", UPLOAD, b""),
    ("upload", "PATCH"): ("PATCH", UPLOAD, b"x"),
    ("upload", "PUT"): ("PUT", f"{UPLOAD}?digest={digest(b'x')}", b""),
    ("upload", "PUT+body"): ("PUT", f"{UPLOAD}?digest={digest(b'x')}", b"x"),
    ("upload", "DELETE"): ("DELETE", UPLOAD, b""),
    ("tags", "GET"): ("GET", "tags/list", b""),
    ("referrers", "GET"): ("GET", f"referrers/{IMAGE.manifest.digest}", b""),
    ("catalog", "GET"): ("GET", "", b""),
}
ROWS = sorted(PATHS)


class Scene:
    """A repository with an image, a registry with a policy, and the callers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.root = world.root()
        self.repository = world.new_repository()
        self.root.push(self.repository, IMAGE, "v1")
        world.root(OTHER)
        self.stranger = world.user(FULL, account=OTHER)
        self.uninvited = world.user(account=OTHER)
        self.denied = world.user(FULL)
        self.nobody = world.user()
        denied = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{self.denied.caller.user_name}"}
        self.put_policy(
            policy(
                {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "ecr:*", "Resource": "*"},
                {"Effect": "Deny", "Principal": denied, "Action": "ecr:*", "Resource": "*"},
            )
        )

    def put_policy(self, text: str) -> None:
        registry = Registry(ACCOUNT, REGION)
        self.world.run(self.world.database.write(lambda tx: policies.put_registry_policy(tx, registry, text)))

    def tag(self, tags: dict[str, str], name: str = "") -> None:
        def put(tx: Transaction) -> None:
            repositories.add_tags(tx, repositories.get(tx, Registry(ACCOUNT, REGION), name or self.repository), tags)

        self.world.run(self.world.database.write(put))

    def put_repository_policy(self, name: str, text: str) -> None:
        def put(tx: Transaction) -> None:
            policies.put_repository_policy(tx, repositories.get(tx, Registry(ACCOUNT, REGION), name).id, text)

        self.world.run(self.world.database.write(put))

    def send(self, row: tuple[str, str], client: Client, **headers: str | None) -> Answer:
        method, path, body = PATHS[row]
        target = f"/v2/{self.repository}/{path}" if path else "/v2/_catalog"
        return client.send(method, target, body, HOST | headers)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    world = World(tmp_path_factory.mktemp("matrix"))
    yield Scene(world)
    world.close()


@pytest.fixture
def user_with(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Client]:
    """A user with one policy, which allows these actions."""

    def make(*actions: str) -> Client:
        name = f"Allowing-{'-'.join(actions).replace('ecr:', '')}"
        monkeypatch.setitem(MANAGED_POLICIES, name, allowing(*actions))
        return scene.world.user(name)

    return make


def test_the_matrix_has_every_row_of_the_table() -> None:
    assert PATHS.keys() == DOCKER_ACTIONS.keys() - {MOUNT}


def refused(answer: Answer, row: tuple[str, str], *words: str) -> None:
    assert answer.status == 403
    if row[1] != "HEAD":
        (error,) = json.loads(answer.body)["errors"]
        assert error["code"] == "DENIED"
        assert all(word in error["message"] for word in words), error


def admitted(answer: Answer) -> None:
    """The request passed authorization, even if something else was wrong with it."""
    assert answer.status not in {401, 403}, answer.body
    assert answer.status < 500


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_a_caller_with_permission_is_admitted(
    scene: Scene, user_with: Callable[..., Client], row: tuple[str, str]
) -> None:
    admitted(scene.send(row, scene.root))
    admitted(scene.send(row, user_with(*DOCKER_ACTIONS[row])))
    admitted(scene.send(row, scene.stranger))


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_a_caller_without_permission_is_denied_in_aws_s_words(scene: Scene, row: tuple[str, str]) -> None:
    name = "*" if row[0] == "catalog" else scene.repository
    resource = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"
    missing = "because no identity-based policy allows the ecr:"

    refused(scene.send(row, scene.nobody), row, scene.nobody.caller.arn, resource, missing)
    refused(scene.send(row, scene.uninvited), row, scene.uninvited.caller.arn, resource, missing)
    refused(scene.send(row, scene.denied), row, resource, "with an explicit deny in a resource-based policy")


@pytest.mark.parametrize("row", [row for row in ROWS if len(DOCKER_ACTIONS[row]) > 1], ids="-".join)
def test_each_of_several_permissions_is_needed(
    scene: Scene, user_with: Callable[..., Client], row: tuple[str, str]
) -> None:
    """All are needed, except for HEAD of a blob, where one is enough."""
    for action in DOCKER_ACTIONS[row]:
        others = [other for other in DOCKER_ACTIONS[row] if other != action]
        answer = scene.send(row, user_with(*others))
        if row == ("blobs", "HEAD"):
            admitted(answer)
        else:
            refused(answer, row, f"because no identity-based policy allows the {action} action")


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_a_caller_who_cannot_be_authenticated_gets_a_challenge(scene: Scene, row: tuple[str, str]) -> None:
    forged = scene.root.token[:-8] + "AAAAAAA="

    for authorization in (None, "Basic", "Bearer x", forged, "Basic QVdTOmZvcmdlZA=="):
        answer = scene.send(row, scene.root, authorization=authorization)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Basic realm=")


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_an_expired_token_is_rejected(scene: Scene, row: tuple[str, str]) -> None:
    scene.world.offset = DOCKER_TOKEN_LIFE
    try:
        refused(scene.send(row, scene.root), row, "Your authorization token has expired")
    finally:
        scene.world.offset = 0


class Counting:
    """The database, and how many reads it has run."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.reads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def read(self, work: Work[Any]) -> Any:
        return await self._database.read(self._counted(work))

    async def read_one(self, work: Work[Any]) -> Any:
        return await self._database.read_one(self._counted(work))

    async def read_cached(self, lookup: Lookup[Any]) -> Any:
        return await self._database.read_cached(replace(lookup, work=self._counted(lookup.work)))

    def _counted(self, work: Work[Any]) -> Work[Any]:
        def counted(tx: Transaction) -> Any:
            self.reads += 1
            return work(tx)

        return counted


@pytest.mark.parametrize("row", [row for row in ROWS if PATHS[row][1]], ids="-".join)
def test_a_denial_costs_the_same_reads_whether_the_repository_exists(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, row: tuple[str, str]
) -> None:
    """Otherwise its time reveals what exists: here a repository with resource tags, on which a policy depends."""
    counting = Counting(scene.world.database)
    services = replace(
        scene.world.services,
        database=cast("Database", counting),
        authorizer=Authorizer(cast("Database", counting)),
    )
    condition = {"StringEquals": {"aws:ResourceTag/team": "b"}}
    by_tag = policy({"Effect": "Allow", "Action": "ecr:*", "Resource": "*", "Condition": condition})
    monkeypatch.setitem(MANAGED_POLICIES, "ByTag", by_tag)
    depending_on_tags = scene.world.user("ByTag")
    scene.tag({"team": "a"})

    def reads(client: Client, repository: str) -> int:
        endpoint, scene.world.endpoint = (
            scene.world.endpoint,
            registry_endpoint(services),
        )
        counting.reads = 0
        method, path, body = PATHS[row]
        answer = client.send(method, f"/v2/{repository}/{path}", body, HOST)
        scene.world.endpoint = endpoint
        assert answer.status == 403
        return counting.reads

    for client in (scene.nobody, scene.uninvited, scene.denied, depending_on_tags):
        fresh, again = reads(client, scene.repository), reads(client, scene.repository)
        missing, still = reads(client, "not/there"), reads(client, "not/there")
        assert fresh == again == missing == still > 0


@pytest.mark.parametrize("row", [row for row in ROWS if PATHS[row][1]], ids="-".join)
def test_a_denial_has_the_same_text_whether_the_repository_exists(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, row: tuple[str, str]
) -> None:
    """Also if it has a policy or tags by which the caller is denied explicitly."""
    closed = scene.world.new_repository()
    everyone = policy({"Effect": "Deny", "Principal": "*", "Action": "ecr:*"})
    scene.tag({"team": "a"}, closed)
    scene.put_repository_policy(closed, everyone)
    not_tagged = {"Effect": "Deny", "Action": "ecr:*", "Resource": "*"}
    condition = {"StringEquals": {"aws:ResourceTag/team": "a"}}
    monkeypatch.setitem(MANAGED_POLICIES, "NotTagged", policy(not_tagged | {"Condition": condition}))
    by_tag = scene.world.user("NotTagged")
    method, path, body = PATHS[row]

    def message(client: Client, repository: str) -> str:
        answer = client.send(method, f"/v2/{repository}/{path}", body, HOST)
        assert answer.status == 403
        return answer.body.decode().replace(repository, "NAME")

    for client in (scene.nobody, scene.denied, scene.uninvited, by_tag):
        assert message(client, closed) == message(client, "not/there")
    if row[1] != "HEAD":
        for client in (scene.stranger, scene.world.user(FULL)):
            assert "with an explicit deny in a resource-based policy" in message(client, closed)


def test_an_invalid_name_is_rejected_before_policies_are_evaluated(scene: Scene) -> None:
    answer = scene.nobody.send("GET", f"/v2/{'a' * 60_000}/manifests/v1")

    assert (answer.status, answer.code) == (400, "NAME_INVALID")
