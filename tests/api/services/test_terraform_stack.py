"""A whole stack of Terraform's AWS provider: plan, apply, empty plan, change, apply, destroy, in one Region.

Every `aws_ecr_*` resource stands beside the `aws_iam_*`, `aws_secretsmanager_secret*` and `aws_signer_signing_profile`
resources that it refers to, and the key comes from the data source `aws_kms_alias`. The calls are those of the
provider's `internal/service/{ecr,iam,kms,secretsmanager,signer}`. Who applies the stack is a user with policies of its
own, as in a pipeline. test_terraform*.py has each resource with all its arguments.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.services.stack.of_ecr import of_registry, of_repository, of_rule, of_template
from tests.api.services.stack.of_others import of_policy, of_roles, of_secrets, of_signer, of_users
from tests.api.services.stack.resource import KEY, REGION, Clients
from tests.support.server import Server


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a key for the stack."""
    server = Server(tmp_path_factory.mktemp("stack") / "data")
    server.start(extra_args=[f"--region={REGION}", f"--kms-key=alias/stack={KEY}"])
    yield server
    server.stop()


def test_a_stack_is_planned_applied_changed_and_destroyed(keyed: Server) -> None:
    clients = Clients(keyed)
    (alias,) = (each for each in clients.kms.list_aliases()["Aliases"] if each["AliasName"] == "alias/stack")
    key = clients.kms.describe_key(KeyId=alias["TargetKeyId"])["KeyMetadata"]["Arn"]
    stack = [of_policy(clients.iam), *of_roles(clients.iam), *of_users(clients.iam)]
    stack += [*of_secrets(clients.secrets), of_signer(clients.signer)]
    stack += [*of_repository(clients.ecr, key), *of_registry(clients.ecr), of_template(clients.ecr, key)]
    stack.append(of_rule(clients))

    planned = [resource.name for resource in stack if resource.state() is not None]
    assert planned == ["aws_ecr_account_setting"]  # It has a default.

    for resource in stack:
        resource.create(resource.first)
        assert resource.state() == resource.first, resource.name
    assert [resource.name for resource in stack if resource.state() != resource.first] == []  # The empty plan.

    for resource in stack:
        if resource.second != resource.first:
            resource.update(resource.second)
            assert resource.state() == resource.second, resource.name
    assert [resource.name for resource in stack if resource.state() != resource.second] == []

    for resource in reversed(stack):
        resource.delete()
    left = [resource.name for resource in stack if resource.state() is not None]
    assert left == ["aws_ecr_account_setting"]  # A setting cannot be deleted. Terraform forgets it.
