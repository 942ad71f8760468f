"""The permission for each request: one table for the operations of the API and the requests of Docker clients.

Service Authorization Reference, "Actions, resources, and condition keys for Amazon Elastic Container Registry"; ECR
user guide for what Docker clients need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Final


class PermissionTarget(Enum):
    """The resource that an operation's permission is for. REPOSITORIES are those in a list, or all."""

    REPOSITORY = "repositoryName"
    REPOSITORIES = "repositoryNames"
    RESOURCE = "resourceArn"
    REGISTRY = "*"


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
"""The permission for each of the 62 operations."""

TAG_ON_CREATE: Final = "ecr:TagResource"
"""The additional permission for CreateRepository with resource tags."""

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
    ("uploads", "POST?mount"): ("ecr:GetDownloadUrlForLayer",),
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
pushes and pulls. A mount requires its permission on the source repository.
"""


@cache
def operation_of(action: str) -> str:
    """The operation that an action of ECR permits: `PutImage` for `ecr:PutImage`."""
    return action.removeprefix("ecr:")
