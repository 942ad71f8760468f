"""Which permission each request needs, and for what: the one table of the API's operations and of the docker door.

Service Authorization Reference, "Actions, resources, and condition keys for Amazon Elastic Container Registry"; ECR
user guide for what docker clients need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Target(Enum):
    """What an operation is about. REPOSITORIES are those that a list names, or all."""

    REPOSITORY = "repositoryName"
    REPOSITORIES = "repositoryNames"
    RESOURCE = "resourceArn"
    REGISTRY = "*"


@dataclass(frozen=True, slots=True)
class Permission:
    action: str
    target: Target


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

# ECR user guide, "Referrers": the permission is BatchGetImage's.
_OTHER_ACTIONS: Final = {"ListImageReferrers": "ecr:BatchGetImage"}


def _permissions(operations: str, target: Target) -> dict[str, Permission]:
    return {name: Permission(_OTHER_ACTIONS.get(name, f"ecr:{name}"), target) for name in operations.split()}


OPERATIONS: Final[Mapping[str, Permission]] = {
    **_permissions(_ON_REPOSITORY, Target.REPOSITORY),
    **_permissions(_ON_REPOSITORIES, Target.REPOSITORIES),
    **_permissions(_ON_RESOURCE, Target.RESOURCE),
    **_permissions(_ON_REGISTRY, Target.REGISTRY),
}
"""What each of the 62 operations needs."""

TAG_ON_CREATE: Final = "ecr:TagResource"
"""What CreateRepository needs besides when it brings resource tags."""

EVERY_REPOSITORY: Final = "*"
"""Stands for a repository's name in the ARN that a list of all repositories is about."""

DOCKER: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
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
"""What a docker client needs for a resource (`oci/routes.py`) and a method; HEAD is as GET where it is not named.

All of them are needed but for HEAD of a blob, where one is enough: both who pushes and who pulls asks it. A mount needs
its permission on the repository that it mounts from.
"""
