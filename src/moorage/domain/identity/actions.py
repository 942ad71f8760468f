"""The permissions for each request: one table for the operations of the API and the requests of Docker clients.

A request needs the permissions for everything that it causes. Service Authorization Reference, "Actions, resources, and
condition keys for Amazon Elastic Container Registry"; ECR user guide for further permissions and for Docker clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, Final


class PermissionTarget(Enum):
    """The resource that a permission is for; the value is the member of the request that names it.

    REPOSITORIES are those in a list, or all. PREFIX stands for all repositories that a creation template can apply to.
    """

    REPOSITORY = "repositoryName"
    REPOSITORIES = "repositoryNames"
    RESOURCE = "resourceArn"
    REGISTRY = "*"
    PREFIX = "prefix"


@dataclass(frozen=True, slots=True)
class Permission:
    action: str
    target: PermissionTarget


_ON_REPOSITORY: Final = """
BatchCheckLayerAvailability BatchDeleteImage BatchGetImage CompleteLayerUpload CreateRepository DeleteLifecyclePolicy
DeleteRepository DeleteRepositoryPolicy DescribeImageReplicationStatus DescribeImageScanFindings
DescribeImageSigningStatus DescribeImages GetDownloadUrlForLayer GetLifecyclePolicy GetLifecyclePolicyPreview
GetRepositoryPolicy InitiateLayerUpload ListImageReferrers ListImages PutImage PutImageScanningConfiguration
PutImageTagMutability PutLifecyclePolicy SetRepositoryPolicy StartImageScan StartLifecyclePolicyPreview
UpdateImageStorageClass UploadLayerPart
"""

_ON_REPOSITORIES: Final = "BatchGetRepositoryScanningConfiguration DescribeRepositories"

_ON_RESOURCE: Final = "ListTagsForResource TagResource UntagResource"

_ON_REGISTRY: Final = """
CreatePullThroughCacheRule CreateRepositoryCreationTemplate DeletePullThroughCacheRule DeleteRegistryPolicy
DeleteRepositoryCreationTemplate DeleteSigningConfiguration DeregisterPullTimeUpdateExclusion
DescribePullThroughCacheRules DescribeRegistry DescribeReplicationBackfillResults
DescribeRepositoryCreationTemplates GetAccountSetting GetAuthorizationToken GetRegistryPolicy
GetRegistryScanningConfiguration GetSigningConfiguration ListPullTimeUpdateExclusions ListReplicationBackfills
PutAccountSetting PutRegistryPolicy PutRegistryScanningConfiguration PutReplicationConfiguration
PutSigningConfiguration RegisterPullTimeUpdateExclusion StartReplicationBackfill StopReplicationBackfill
UpdatePullThroughCacheRule UpdateRepositoryCreationTemplate ValidatePullThroughCacheRule
"""

# ECR user guide, "Referrers": the permission is that of BatchGetImage.
_OTHER_ACTIONS: Final = {"ListImageReferrers": "ecr:BatchGetImage"}


def _permissions(operations: str, target: PermissionTarget) -> dict[str, Permission]:
    return {name: Permission(_OTHER_ACTIONS.get(name, f"ecr:{name}"), target) for name in operations.split()}


OPERATIONS: Final[Mapping[str, Permission]] = {
    **_permissions(_ON_REPOSITORY, PermissionTarget.REPOSITORY),
    **_permissions(_ON_REPOSITORIES, PermissionTarget.REPOSITORIES),
    **_permissions(_ON_RESOURCE, PermissionTarget.RESOURCE),
    **_permissions(_ON_REGISTRY, PermissionTarget.REGISTRY),
}
"""The permission that each of the 62 operations always needs."""

_OF_TEMPLATES: Final = {
    "prefix": Permission("ecr:CreateRepository", PermissionTarget.PREFIX),
    "repositoryPolicy": Permission("ecr:SetRepositoryPolicy", PermissionTarget.PREFIX),
    "lifecyclePolicy": Permission("ecr:PutLifecyclePolicy", PermissionTarget.PREFIX),
    "resourceTags": Permission("ecr:TagResource", PermissionTarget.PREFIX),
}

FURTHER: Final[Mapping[str, Mapping[str, Permission]]] = {
    "CreateRepository": {"tags": Permission("ecr:TagResource", PermissionTarget.REPOSITORY)},
    "CreateRepositoryCreationTemplate": _OF_TEMPLATES,
    "UpdateRepositoryCreationTemplate": _OF_TEMPLATES,
}
"""The further permissions that an operation needs if a request has these members.

ECR user guide, "Using tag-based access control" and "IAM permissions for creating repository creation templates". A
`customRoleArn` causes nothing, because Moorage acts in no role.
"""


def permissions_of(operation: str, members: Mapping[str, Any]) -> list[Permission]:
    """All permissions that an operation with these members needs."""
    further = FURTHER.get(operation, {})
    is_update = operation.startswith("Update")  # There, an empty member removes a setting.
    needed = [further[member] for member in further if members.get(member) or (is_update and member in members)]
    return [OPERATIONS[operation], *needed]


EVERY_REPOSITORY: Final = "*"
"""Replaces the repository name in the ARN for a list of all repositories."""

DOCKER_ACTIONS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("manifests", "GET"): ("ecr:BatchGetImage",),
    ("manifests", "PUT"): ("ecr:PutImage",),
    ("manifests", "DELETE"): ("ecr:BatchDeleteImage",),
    ("blobs", "GET"): ("ecr:GetDownloadUrlForLayer",),
    ("blobs", "HEAD"): ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer"),
    ("blobs", "DELETE"): ("ecr:BatchDeleteImage",),
    ("uploads", "POST"): ("ecr:InitiateLayerUpload",),
    ("uploads", "POST?digest"): ("ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"),
    ("uploads", "POST?mount"): ("ecr:InitiateLayerUpload", "ecr:CompleteLayerUpload"),
    ("upload", "GET"): ("ecr:UploadLayerPart",),
    ("upload", "PATCH"): ("ecr:UploadLayerPart",),
    ("upload", "PUT"): ("ecr:CompleteLayerUpload",),
    ("upload", "PUT+body"): ("ecr:CompleteLayerUpload", "ecr:UploadLayerPart"),
    ("upload", "DELETE"): ("ecr:UploadLayerPart",),
    ("tags", "GET"): ("ecr:ListImages",),
    ("referrers", "GET"): ("ecr:BatchGetImage",),
    ("catalog", "GET"): ("ecr:DescribeRepositories",),
}
"""The permissions for a resource (`oci/routes.py`) and a method; HEAD is like GET unless it is listed.

All listed permissions are required, except for HEAD of a blob, where one is enough, because clients send it before
pushes and pulls. A mount also requires MOUNT_SOURCE on the source repository. A push or pull that creates its
repository requires the permissions of CreateRepository, with the tags of the creation template.
"""

MOUNT_SOURCE: Final = "ecr:GetDownloadUrlForLayer"
"""The permission on the repository that a blob is mounted from."""


_READING: Final = ("BatchCheck", "BatchGet", "Describe", "Get", "List", "Search", "Simulate", "Validate")
_FREEING: Final = ("BatchDelete", "Delete", "Detach", "Drop", "End", "StartCollection")


def is_reading(operation: str) -> bool:
    """Whether an API operation only reads, according to its name."""
    return operation.startswith(_READING)


def takes_space(operation: str) -> bool:
    """Whether an API operation changes something without removing it, according to its name."""
    return not operation.startswith(_READING + _FREEING)


@cache
def operation_of(action: str) -> str:
    """The operation that an action of ECR permits: `PutImage` for `ecr:PutImage`."""
    return action.removeprefix("ecr:")


ACTIONS: Final = frozenset(permission.action for permission in OPERATIONS.values()) | {
    "ecr:BatchImportUpstreamImage",
    "ecr:ReplicateImage",
}
"""The actions that a request can need; the last two are for pull-through caches and replication."""

V1_ACTIONS: Final = frozenset({"ecr:ReplicateImage", "ecr:BatchImportUpstreamImage", "ecr:CreateRepository"})
"""The actions that a registry policy of scope V1 covers (user guide, "Private registry permissions")."""

_REGISTRY_NAMES: Final = frozenset(map(str.lower, ACTIONS | {"ecr:GetImageCopyStatus"}))
"""What a registry policy of scope V2 can name: all actions of the Service Authorization Reference."""

_REPOSITORY_NAMES: Final = _REGISTRY_NAMES - {"ecr:getauthorizationtoken"}
"""What a repository policy can name; GetAuthorizationToken is about no repository (cloudposse/terraform-aws-ecr#67)."""

_V1_NAMES: Final = frozenset(map(str.lower, V1_ACTIONS)) | {"ecr:*"}
"""What a registry policy of scope V1 can name. `ecr:*` is accepted, and covers only `V1_ACTIONS` (user guide)."""


def may_be_in_repository_policy(action: str) -> bool:
    """Whether ECR accepts an action, or a pattern of actions, in a repository policy. Case does not matter."""
    return _names_one_of(_REPOSITORY_NAMES, action)


def may_be_in_registry_policy(action: str, *, v1_scope: bool) -> bool:
    """Whether ECR accepts an action, or a pattern of actions, in a registry policy. Case does not matter."""
    return action.lower() in _V1_NAMES if v1_scope else _names_one_of(_REGISTRY_NAMES, action)


def _names_one_of(names: frozenset[str], action: str) -> bool:
    """Actions in policies consist of letters, digits, `*` and `?`, so shell patterns mean the same."""
    lowered = action.lower()
    return lowered in names or any(fnmatchcase(name, lowered) for name in names)
