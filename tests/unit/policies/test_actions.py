"""The table of permissions, against the service model and the routes of the registry endpoint."""

from __future__ import annotations

from moorage.aws.service_model import OPERATIONS, SHAPES
from moorage.domain.identity import actions
from moorage.domain.identity.actions import PermissionTarget

OF_ITSELF = [PermissionTarget.REPOSITORY, PermissionTarget.REPOSITORIES, PermissionTarget.RESOURCE]
"""The targets of the permission that an operation always needs, apart from the registry."""

SELECTING = {"registryId", "repositoryName", "resourceArn", "force"}
"""Members of operations that set something, which select what is set."""

PART_OF_CREATION = {"imageScanningConfiguration", "imageTagMutability", "imageTagMutabilityExclusionFilters"}
"""Settings of a new repository for which ECR's documents name no permission beside that of its creation."""


def members_of(operation: str) -> dict[str, str]:
    return dict(SHAPES[OPERATIONS[operation].input_shape].members)


def setting_shapes() -> dict[str, str]:
    """The shapes of what an operation sets, with the operation whose permission setting it needs."""
    return {
        shape.removesuffix("ForRepositoryCreationTemplate"): name
        for name in OPERATIONS
        if name.startswith(("Put", "Set", "Tag"))
        for member, shape in members_of(name).items()
        if member not in SELECTING
    }


def test_every_operation_has_its_permission_and_its_target() -> None:
    for name in OPERATIONS:
        members = members_of(name)
        expected = next((target for target in OF_ITSELF if target.value in members), PermissionTarget.REGISTRY)
        assert actions.OPERATIONS[name].target is expected, name

    assert actions.OPERATIONS.keys() == OPERATIONS.keys()


def test_permissions_are_named_after_operations_except_for_referrers() -> None:
    other = {name: needed.action for name, needed in actions.OPERATIONS.items() if needed.action != f"ecr:{name}"}

    assert other == {"ListImageReferrers": "ecr:BatchGetImage"}


def test_permissions_of_docker_requests_are_those_of_operations() -> None:
    needed = {action for row in actions.DOCKER_ACTIONS.values() for action in row} | {actions.MOUNT_SOURCE}

    assert needed <= {permission.action for permission in actions.OPERATIONS.values()}


def test_members_that_another_operation_sets_need_that_operation_s_permission() -> None:
    """Goes through all members of all operations. A member of a later service model fails until it has its row."""
    setters = setting_shapes()
    writing = [name for name in OPERATIONS if not name.startswith(("Get", "Describe", "List"))]

    found = {
        (name, member): f"ecr:{setters[kind]}"
        for name in writing
        for member, shape in members_of(name).items()
        for kind in [shape.removesuffix("ForRepositoryCreationTemplate")]
        if kind in setters and setters[kind] != name and member not in SELECTING | PART_OF_CREATION
    }
    assert found.pop(("StartLifecyclePolicyPreview", "lifecyclePolicyText")), "a preview stores no policy"
    table = {(name, member): row.action for name, rows in actions.FURTHER.items() for member, row in rows.items()}

    assert found.items() <= table.items()
    assert set(table.values()) - set(found.values()) == {"ecr:CreateRepository"}


def test_further_permissions_are_for_members_and_targets_that_the_operation_has() -> None:
    for name, rows in actions.FURTHER.items():
        assert rows.keys() <= members_of(name).keys()
        assert {row.target.value for row in rows.values()} <= members_of(name).keys()


def test_an_empty_member_sets_nothing_when_something_is_created_and_removes_a_setting_in_an_update() -> None:
    members = {"prefix": "team", "repositoryPolicy": "", "resourceTags": []}

    created = actions.permissions_of("CreateRepositoryCreationTemplate", members)
    updated = actions.permissions_of("UpdateRepositoryCreationTemplate", members)

    assert [row.action for row in created] == ["ecr:CreateRepositoryCreationTemplate", "ecr:CreateRepository"]
    assert [row.action for row in updated] == [
        "ecr:UpdateRepositoryCreationTemplate",
        "ecr:CreateRepository",
        "ecr:SetRepositoryPolicy",
        "ecr:TagResource",
    ]
