"""Access that was granted before is granted again without a decision, until something that decides about it changes."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from moorage.core.identity.authentication import DOCKER_TOKEN_LIFE
from moorage.core.identity.policies import policy_name
from moorage.core.registry import repositories
from moorage.domain.identity.callers import Caller
from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts
from moorage.metadata.identity import policies as identity_policies
from moorage.metadata.registry import policies
from moorage.oci.access import AccessControl
from moorage.oci.known_access import Granted, Key, KnownAccess
from tests.docker.oci.client import ACCOUNT, REGION, Client, World
from tests.support.databases import ON_POSTGRESQL
from tests.support.images import image

PULL_ONLY = "AmazonEC2ContainerRegistryPullOnly"
CALLER = Caller(ACCOUNT, REGION, "id", "ann", "key")
VERSION = b"version"
DENY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage"}]}
)


@pytest.fixture
def authentications(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The repositories of the requests that were authenticated anew."""
    names: list[str] = []
    authenticate = AccessControl.authenticate

    async def counted(self: AccessControl, request: object, action: str = "") -> object:
        names.append(getattr(request, "name", ""))
        return await authenticate(self, request, action)  # type: ignore[arg-type]  # it only passes the request on

    monkeypatch.setattr(AccessControl, "authenticate", counted)
    return names


@pytest.fixture
def path(root: Client, repository: str) -> str:
    """The path of a manifest."""
    root.push(repository, image(), "v1")
    return f"/v2/{repository}/manifests/v1"


def test_a_request_that_differs_in_nothing_that_decides_is_authenticated_once(
    world: World, authentications: list[str], path: str
) -> None:
    user = world.user(PULL_ONLY)
    world.settle()
    authentications.clear()

    answers = [user.get(path), user.get(path, {"user-agent": "other"}), user.head(path)]

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert {answer.details.caller_name for answer in answers} == {user.caller.arn}
    assert {answer.details.operation for answer in answers} == {"BatchGetImage"}
    # With several nodes, no process knows without a question which version of the access data is the current one.
    assert len(authentications) == (len(answers) if ON_POSTGRESQL else 1)


def test_access_keys_and_other_repositories_are_not_known(
    world: World, authentications: list[str], path: str, root: Client
) -> None:
    """The use of a key is recorded, so each request with one is authenticated."""
    user = world.user(PULL_ONLY)
    other = world.new_repository()
    root.push(other, image(), "v1")
    user.get(path)
    authentications.clear()

    assert user.get(f"/v2/{other}/manifests/v1").status == 200
    assert [user.get(path, {"authorization": user.key}).status for _ in range(2)] == [200, 200]
    assert len(authentications) == 3


def deactivate(tx: Transaction, user: Client, _: str) -> None:
    accounts.set_key_active(tx, user.caller.key, False)


def detach(tx: Transaction, user: Client, _: str) -> None:
    identity_policies.detach(tx, user.caller.user_id, policy_name(ACCOUNT, PULL_ONLY))


def deny(tx: Transaction, _: Client, path: str) -> None:
    name = path.removeprefix("/v2/").removesuffix("/manifests/v1")
    policies.put_repository_policy(tx, repositories.get(tx, Registry(ACCOUNT, REGION), name).id, DENY)


@pytest.mark.parametrize(("change", "status"), [(deactivate, 401), (detach, 403), (deny, 403)])
def test_a_change_decides_about_the_next_request(
    world: World, path: str, change: Callable[[Transaction, Client, str], None], status: int
) -> None:
    user = world.user(PULL_ONLY)
    assert user.get(path).status == 200

    world.run(world.database.write(lambda tx: change(tx, user, path)))

    assert user.get(path).status == status


def test_a_token_expires_although_its_access_is_known(world: World, path: str) -> None:
    user = world.user(PULL_ONLY)
    assert user.get(path).status == 200

    world.offset = DOCKER_TOKEN_LIFE

    assert (user.get(path).status, user.get(path).code) == (403, "DENIED")


def key(authorization: bytes = b"token") -> Key:
    return authorization, b"localhost", "team/app", "ecr:BatchGetImage"


def granted(expires: int = 100) -> Granted:
    return Granted(CALLER, CALLER.arn, CALLER.registry, expires)


def test_access_is_known_under_the_version_that_granted_it_until_the_token_expires() -> None:
    known = KnownAccess()
    known.keep(key(), VERSION, granted())

    assert known.find(key(), VERSION, 99) == granted()
    assert known.find(key(), VERSION, 100) is None
    assert known.find(key(b"other"), VERSION, 99) is None
    assert known.find(key(), b"newer", 99) is None
    assert known.find(key(), None, 99) is None

    known.keep(key(b"other"), b"newer", granted())
    assert known.find(key(), b"newer", 99) is None


def test_access_without_a_version_is_not_kept() -> None:
    known = KnownAccess()
    known.keep(key(), None, granted())

    assert known.find(key(), None, 0) is None


def test_any_number_of_tokens_takes_at_most_a_mebibyte() -> None:
    known = KnownAccess()
    keys = [key(b"%d" % number * 1000) for number in range(1000)]
    for each in keys:
        known.keep(each, VERSION, granted())

    kept = [each for each in keys if known.find(each, VERSION, 0)]
    assert keys[-1] in kept
    assert sum(len(authorization) for authorization, *_ in kept) <= 1 << 20
