"""The caller of a request: a user or a session of a role, with its policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from moorage.domain.identity.policies.document import Policy
from moorage.domain.names import Registry

ROOT = "root"
"""The name of each account's first user, who can do everything in the account."""


@dataclass(frozen=True, slots=True)
class AssumedRole:
    """An assumed role; `session` is the session name."""

    name: str
    path: str
    session: str


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated user or role session, and the access key used.

    `region` is the Region of the request or token. `policies` are those of the identity; `session_policies` restrict
    them further, unless None. `path` is a user's. `issued_at` is the time of temporary credentials, in microseconds.
    For a role session, `user_id` is `AROA…:SESSION`, `user_name` is empty, and `key` is empty if an identity token was
    presented.
    """

    account: str
    region: str
    user_id: str
    user_name: str
    key: str
    policies: tuple[Policy, ...] = ()
    session_policies: tuple[Policy, ...] | None = None
    issued_at: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    role: AssumedRole | None = None
    path: str = "/"

    def in_region(self, region: str) -> Caller:
        """A copy with another Region. Every request needs it, so it does not use the slower `dataclasses.replace`."""
        return Caller(
            self.account,
            region,
            self.user_id,
            self.user_name,
            self.key,
            self.policies,
            self.session_policies,
            self.issued_at,
            self.tags,
            self.role,
            self.path,
        )

    @property
    def size_of_policies(self) -> int:
        """About how many bytes of memory the policies take."""
        return sum(policy.size for policy in (*self.policies, *(self.session_policies or ())))

    @property
    def registry(self) -> Registry:
        """The caller's own registry, used for requests without `registryId`."""
        return Registry(self.account, self.region)

    @property
    def is_root(self) -> bool:
        return self.user_name == ROOT

    @property
    def arn(self) -> str:
        if self.role is not None:
            return f"arn:aws:sts::{self.account}:assumed-role/{self.role.name}/{self.role.session}"
        return f"arn:aws:iam::{self.account}:{ROOT if self.is_root else f'user{self.path}{self.user_name}'}"

    @property
    def principal_arn(self) -> str:
        """`aws:PrincipalArn`: for a session, the ARN of its role."""
        if self.role is not None:
            return f"arn:aws:iam::{self.account}:role{self.role.path}{self.role.name}"
        return self.arn

    @property
    def kind(self) -> str:
        """`aws:PrincipalType`."""
        if self.role is not None:
            return "AssumedRole"
        return "Account" if self.is_root else "User"

    @property
    def unique_id(self) -> str:
        """`aws:userid`: for the root user, the account."""
        return self.account if self.is_root else self.user_id

    @property
    def names(self) -> frozenset[str]:
        """All names that a Principal element can use for this caller: itself, its role, its account."""
        whole = f"AWS:arn:aws:iam::{self.account}:{ROOT}"
        return frozenset({f"AWS:{self.arn}", f"AWS:{self.principal_arn}", whole})
