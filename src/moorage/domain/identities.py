"""Who asks: a user of an account, and what that user may do.

Policies are, for now, those AWS manages for ECR by name; each allows a list of actions on every resource of the account
(AWS managed policies reference: AmazonEC2ContainerRegistry…).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from moorage.domain.names import Registry

ROOT = "root"
"""The name of each account's first user, who may do everything in the account."""

_PULL = frozenset({"ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"})
_READ = _PULL | {
    "ecr:BatchCheckLayerAvailability",
    "ecr:DescribeImageScanFindings",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecr:GetLifecyclePolicy",
    "ecr:GetLifecyclePolicyPreview",
    "ecr:GetRepositoryPolicy",
    "ecr:ListImages",
    "ecr:ListTagsForResource",
}
_PUSH = _READ | {
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
}

MANAGED_POLICIES: dict[str, frozenset[str] | None] = {
    "AmazonEC2ContainerRegistryPullOnly": _PULL,
    "AmazonEC2ContainerRegistryReadOnly": _READ,
    "AmazonEC2ContainerRegistryPowerUser": _PUSH,
    "AmazonEC2ContainerRegistryFullAccess": None,  # ecr:*
}
"""The actions that each managed policy allows; None stands for every action of ECR."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated user and the access key used. `region` is where the request or the token was made for."""

    account: str
    region: str
    user_id: str
    user_name: str
    key: str
    policies: frozenset[str] = field(default=frozenset())

    @property
    def registry(self) -> Registry:
        """The caller's own registry: what a request without `registryId` speaks about."""
        return Registry(self.account, self.region)

    @property
    def is_root(self) -> bool:
        return self.user_name == ROOT

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:{ROOT if self.is_root else f'user/{self.user_name}'}"

    def is_allowed(self, action: str) -> bool:
        """Whether an identity policy of this user allows `action` (`ecr:PutImage`) in the user's own account."""
        return self.is_root or any(_allows(policy, action) for policy in self.policies)


def _allows(policy: str, action: str) -> bool:
    actions = MANAGED_POLICIES.get(policy, frozenset())
    return action.startswith("ecr:") if actions is None else action in actions
