"""A push creates a repository that does not exist, if there is a template (ECR user guide, "Create on push")."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from moorage.app import reactions_of
from moorage.core.registry import templates
from moorage.domain.identity.managed_policies import MANAGED_POLICIES
from moorage.domain.identity.policies.rendering import render
from moorage.domain.lifecycle.policy import parse
from moorage.domain.names import Registry
from moorage.domain.units import HOUR
from moorage.metadata.database import Transaction
from moorage.metadata.lifecycle import policies as lifecycle
from moorage.metadata.lifecycle.policies import StoredPolicy
from moorage.metadata.registry import policies, repositories
from moorage.metadata.registry import templates as stored
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.registry.templates import Template
from tests.docker.oci.client import ACCOUNT, REGION, Answer, Client, World, registry_endpoint
from tests.docker.oci.test_uploads import CONTENT
from tests.support.http_client import Docker
from tests.support.images import digest, image, index
from tests.support.limits import LIMITS
from tests.support.policies import policy
from tests.support.server import Server
from tests.unit.lifecycle.policies import policy as lifecycle_policy
from tests.unit.lifecycle.policies import rule

HERE = Registry(ACCOUNT, REGION)
TEMPLATE = Template("", (templates.CREATE_ON_PUSH,))
LIFECYCLE = lifecycle_policy(rule(1, "any", 5))
POLICY = policy({"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"})


def put_template(world: World, prefix: str, **fields: Any) -> None:
    template = replace(TEMPLATE, prefix=prefix, **fields)
    world.run(world.database.write(lambda tx: templates.create(tx, HERE, template, LIMITS)))


def delete_template(world: World, prefix: str) -> None:
    world.run(world.database.write(lambda tx: templates.delete(tx, HERE, prefix)))


def found(world: World, name: str) -> Repository | None:
    return world.database.read_blocking(lambda tx: repositories.find(tx, HERE, name))


def start(client: Client, name: str, query: str = "") -> Answer:
    return client.send("POST", f"/v2/{name}/blobs/uploads/{query}")


def test_without_a_template_a_push_finds_no_repository(world: World, root: Client) -> None:
    put_template(world, "nobody", applied_for=("REPLICATION", "PULL_THROUGH_CACHE"))

    for name in ("nobody/app", "nobody", "elsewhere/app"):
        answer = start(root, name)

        assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")
        assert found(world, name) is None


def test_the_first_upload_creates_the_repository_with_the_settings_of_the_template(world: World, root: Client) -> None:
    put_template(
        world,
        "made",
        tag_mutability="IMMUTABLE_WITH_EXCLUSION",
        exclusion_filters=("dev-*",),
        encryption_type="KMS",
        resource_tags={"team": "a", "cost": "1"},
        repository_policy=POLICY,
        lifecycle_policy=LIFECYCLE,
    )
    first, second = image(seed=501), image(seed=502)

    assert root.push("made/app", first, "v1").status == 201

    made = found(world, "made/app")
    assert made is not None
    assert (made.settings.tag_mutability, made.settings.exclusion_filters) == ("IMMUTABLE_WITH_EXCLUSION", ("dev-*",))
    assert made.settings.encryption_type == "KMS"
    assert str(made.settings.kms_key).startswith(f"arn:aws:kms:{REGION}:{ACCOUNT}:key/")
    assert root.push("made/app", second, "v1").code == "TAG_INVALID"

    def read(tx: Transaction) -> Any:
        kept = policies.find_repository_policy(tx, made.id), lifecycle.find(tx, made.id)
        return repositories.resource_tags(tx, made), *kept

    compact = parse(LIFECYCLE).text
    assert world.database.read_blocking(read) == (
        {"cost": "1", "team": "a"},
        render(POLICY),
        StoredPolicy(compact, evaluated_at=0),
    )


def test_a_template_of_an_earlier_version_keeps_tags_that_are_rejected_today(world: World, root: Client) -> None:
    tags = {"owner": "red;blue 🚢"}
    world.run(
        world.database.write(lambda tx: stored.insert(tx, HERE, replace(TEMPLATE, prefix="old", resource_tags=tags)))
    )

    assert start(root, "old/app").status == 202

    made = found(world, "old/app")
    assert made is not None
    assert world.database.read_blocking(lambda tx: repositories.resource_tags(tx, made)) == tags


def test_the_template_s_lifecycle_policy_is_applied_after_the_delay_of_the_settings(world: World, root: Client) -> None:
    limits = replace(LIMITS, lifecycle_delay=7 * HOUR)
    put_template(world, "delayed", lifecycle_policy=LIFECYCLE)
    services = replace(world.services, limits=limits, reactions=reactions_of(limits))
    world.endpoint = registry_endpoint(services)
    before = world.now()

    assert start(root, "delayed/app").status == 202

    made = found(world, "delayed/app")
    assert made is not None
    due = world.database.read_blocking(
        lambda tx: tx.one("SELECT due_at FROM job WHERE kind = 'lifecycle' AND key = :key", key=str(made.id))
    )
    assert due is not None
    assert before + 7 * HOUR <= due[0] <= world.now() + 7 * HOUR
    world.endpoint = registry_endpoint(world.services)


@pytest.mark.parametrize("query", ["", f"?digest={digest(CONTENT)}", f"?mount={digest(b'-')}&from=x/y", "?mount=x"])
def test_each_way_to_begin_an_upload_creates_the_repository(world: World, root: Client, query: str) -> None:
    prefix = f"ways-{len(query)}"
    put_template(world, prefix)

    answer = root.send("POST", f"/v2/{prefix}/app/blobs/uploads/{query}", CONTENT if "digest" in query else b"")

    assert answer.status == (201 if "digest" in query else 202)
    assert found(world, f"{prefix}/app") is not None


def test_a_blob_is_mounted_into_a_repository_that_the_mount_creates(
    world: World, root: Client, repository: str
) -> None:
    put_template(world, "mounting")
    name = root.push_blob(repository, CONTENT)

    assert start(root, "mounting/app", f"?mount={name}&from={repository}").status == 201
    assert root.get(f"/v2/mounting/app/blobs/{name}").body == CONTENT


def test_a_manifest_without_layers_creates_the_repository_and_a_rejected_manifest_does_not(
    world: World, root: Client
) -> None:
    put_template(world, "manifests")

    refused = root.push_manifest("manifests/not", image(seed=503).manifest, "v1")
    taken = root.push_manifest("manifests/app", index([]).manifest, "v1")

    assert refused.code == "MANIFEST_BLOB_UNKNOWN"
    assert found(world, "manifests/not") is None
    assert taken.status == 201
    assert found(world, "manifests/app") is not None


def test_the_longest_prefix_applies_and_root_only_if_no_prefix_matches(world: World, root: Client) -> None:
    names = {"long": "a", "long/team": "b", "ROOT": "root"}
    for prefix, value in names.items():
        put_template(world, prefix, resource_tags={"from": value})
    put_template(world, "long/team/other", applied_for=("REPLICATION",))
    expected = {
        "long": "root",
        "long/app": "a",
        "long/teams/app": "a",
        "long/team/app": "b",
        "long/team/other/app": "b",
        "short": "root",
        "longer/app": "root",
    }

    for name in expected:
        assert start(root, name).status == 202
    delete_template(world, "ROOT")

    def read(tx: Transaction) -> dict[str, str]:
        rows = {name: repositories.find(tx, HERE, name) for name in expected}
        return {name: repositories.resource_tags(tx, row)["from"] for name, row in rows.items() if row}

    assert world.database.read_blocking(read) == expected


def test_a_template_does_not_change_existing_repositories(world: World, root: Client) -> None:
    world.new_repository(name="existing/app")
    put_template(world, "existing", tag_mutability="IMMUTABLE", resource_tags={"team": "a"})

    assert start(root, "existing/app").status == 202

    existing = found(world, "existing/app")
    assert existing is not None
    assert existing.settings.tag_mutability == "MUTABLE"


def test_the_caller_must_be_allowed_to_create_repositories(world: World) -> None:
    put_template(world, "guarded")
    world.root()
    pusher = world.user("AmazonEC2ContainerRegistryPowerUser")

    answer = start(pusher, "guarded/app")

    assert (answer.status, answer.code) == (403, "DENIED")
    assert "ecr:CreateRepository on resource" in answer.json()["errors"][0]["message"]
    assert found(world, "guarded/app") is None


def test_the_tags_of_the_template_need_permission_and_conditions_can_test_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As CreateRepository with tags (ECR user guide, "Tag-based access control")."""
    put_template(world, "tagging", resource_tags={"team": "a"})
    world.root()
    creating: dict[str, Any] = {
        "Effect": "Allow",
        "Action": ["ecr:InitiateLayerUpload", "ecr:CreateRepository"],
        "Resource": "*",
    }
    tagging = creating | {"Action": "ecr:TagResource", "Condition": {"StringEquals": {"aws:RequestTag/team": "a"}}}
    other = tagging | {"Condition": {"StringEquals": {"aws:RequestTag/team": "b"}}}
    policies_by_name = {"Untagged": [creating], "Other": [creating, other], "Same": [creating, tagging]}
    for name, statements in policies_by_name.items():
        monkeypatch.setitem(MANAGED_POLICIES, name, policy(*statements))

    for name in ("Untagged", "Other"):
        refused = start(world.user(name), "tagging/app")
        assert (refused.status, refused.code) == (403, "DENIED")
        assert "ecr:TagResource on resource" in refused.json()["errors"][0]["message"]
        assert found(world, "tagging/app") is None

    assert start(world.user("Same"), "tagging/app").status == 202


def test_reading_does_not_create_a_repository(world: World, root: Client) -> None:
    put_template(world, "reading")

    for path in ("manifests/v1", f"blobs/{digest(CONTENT)}", "tags/list", "blobs/uploads/x"):
        assert root.get(f"/v2/reading/app/{path}").status == 404

    assert found(world, "reading/app") is None


def test_concurrent_first_pushes_all_succeed(ecr: Any, http: Docker, server: Server) -> None:
    ecr.create_repository_creation_template(
        prefix="racing", appliedFor=["CREATE_ON_PUSH"], resourceTags=[{"Key": "team", "Value": "a"}]
    )

    def push(number: int) -> None:
        http.push(f"racing/app-{number % 2}", image(seed=510 + number), f"v{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(push, range(8)))

    for name in ("racing/app-0", "racing/app-1"):
        assert len(ecr.list_images(repositoryName=name)["imageIds"]) == 4
        arn = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{name}"
        assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "team", "Value": "a"}]
    assert "Traceback" not in server.output()
