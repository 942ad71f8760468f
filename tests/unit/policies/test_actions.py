"""The table of permissions, against the service model and the routes of the registry endpoint."""

from __future__ import annotations

from moorage.aws.service_model import OPERATIONS, SHAPES
from moorage.domain.identity import actions
from moorage.domain.identity.actions import PermissionTarget


def test_every_operation_has_its_permission_and_its_target() -> None:
    for name, operation in OPERATIONS.items():
        members = SHAPES[operation.input_shape].members
        expected = next((target for target in PermissionTarget if target.value in members), PermissionTarget.REGISTRY)
        assert actions.OPERATIONS[name].target is expected, name

    assert actions.OPERATIONS.keys() == OPERATIONS.keys()


def test_permissions_are_named_after_operations_except_for_referrers() -> None:
    other = {name: needed.action for name, needed in actions.OPERATIONS.items() if needed.action != f"ecr:{name}"}

    assert other == {"ListImageReferrers": "ecr:BatchGetImage"}


def test_permissions_of_docker_requests_are_those_of_operations() -> None:
    needed = {action for row in actions.DOCKER_ACTIONS.values() for action in row}

    assert needed <= {permission.action for permission in actions.OPERATIONS.values()}
