"""The login that the registry gives a scanner: it can pull from one repository for a quarter of an hour."""

from __future__ import annotations

import base64

from moorage.domain.names import Registry
from moorage.domain.units import SECOND
from moorage.metadata.database import Transaction
from moorage.metadata.registry import policies, repositories
from tests.docker.oci.client import ACCOUNT, REGION, Answer, Client, World
from tests.support.images import image
from tests.support.policies import policy

QUARTER_OF_AN_HOUR = 900 * SECOND


def login(world: World, repository: str) -> Client:
    """A client with a scanner's login."""
    registry = Registry(ACCOUNT, REGION)
    password = world.services.authenticator.issue_read_token(registry, repository, QUARTER_OF_AN_HOUR)
    authorization = "Basic " + base64.b64encode(f"AWS:{password}".encode()).decode()
    root = world.root()
    return Client(world, root.caller, authorization, "")


def pull(client: Client, repository: str) -> Answer:
    return client.get(f"/v2/{repository}/manifests/v1")


def test_it_pulls_manifests_and_layers_of_its_repository(world: World, root: Client, repository: str) -> None:
    pushed = image(seed=450)
    root.push(repository, pushed, "v1")
    scanner = login(world, repository)

    answers = [pull(scanner, repository), *(scanner.get(f"/v2/{repository}/blobs/{b.digest}") for b in pushed.blobs)]

    assert [answer.status for answer in answers] == [200] * 3
    world.settle()
    statement, digest = "SELECT last_pulled_at FROM image WHERE digest = :digest", pushed.manifest.digest
    found = world.database.read_blocking(lambda tx: tx.all(statement, digest=digest))
    assert found == [(None,)], "a scanner's pull does not count"


def test_it_can_do_nothing_else(world: World, root: Client, repository: str) -> None:
    pushed, other = image(seed=451), world.new_repository()
    for name in (repository, other):
        root.push(name, pushed, "v1")
    scanner = login(world, repository)
    digest = pushed.manifest.digest

    refused = [
        pull(scanner, other),
        scanner.get(f"/v2/{other}/blobs/{pushed.blobs[0].digest}"),
        scanner.get(f"/v2/{repository}/tags/list"),
        scanner.get("/v2/_catalog"),
        scanner.send("POST", f"/v2/{repository}/blobs/uploads/"),
        scanner.push_manifest(repository, pushed.manifest, "v2"),
        scanner.send("DELETE", f"/v2/{repository}/manifests/{digest}"),
    ]

    assert [answer.status for answer in refused] == [403] * len(refused)


def test_it_ends_after_a_quarter_of_an_hour(world: World, root: Client, repository: str) -> None:
    root.push(repository, image(seed=452), "v1")
    scanner = login(world, repository)

    world.offset = QUARTER_OF_AN_HOUR - 30 * SECOND
    before = pull(scanner, repository).status
    world.offset = QUARTER_OF_AN_HOUR + SECOND
    after = pull(scanner, repository).status

    assert (before, after) == (200, 403)


def test_a_policy_of_the_repository_can_deny_it_but_not_allow_more(world: World, root: Client, repository: str) -> None:
    pushed, other = image(seed=453), world.new_repository()
    for name in (repository, other):
        root.push(name, pushed, "v1")
    scanner = login(world, repository)

    def put(name: str, effect: str) -> None:
        text = policy({"Effect": effect, "Principal": "*", "Action": "ecr:*"})

        def write(tx: Transaction) -> None:
            found = repositories.find(tx, Registry(ACCOUNT, REGION), name)
            assert found is not None
            policies.put_repository_policy(tx, found.id, text)

        world.run(world.database.write(write))

    put(other, "Allow")
    allowed = pull(scanner, other).status
    put(repository, "Deny")
    denied = pull(scanner, repository).status

    assert (allowed, denied) == (403, 403)
