"""Who asks: a user of an account, or whoever assumed a role, with the policies that say what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from moorage.domain.identity.policies.document import Policy
from moorage.domain.names import Registry

ROOT = "root"
"""The name of each account's first user, who may do everything in the account."""


@dataclass(frozen=True, slots=True)
class AssumedRole:
    """A role that somebody assumed; `session` is the name that they gave to that."""

    name: str
    path: str
    session: str


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated user, or a session of a role, and the access key used.

    `region` is where the request or the token was made for. `policies` are those of the identity; `session_policies`
    restrict them further, None does not. `issued_at` is the time of temporary credentials, in microseconds. In a role,
    `user_id` is `AROA…:SESSION`, there is no `user_name`, and `key` is empty if an identity token was the proof.
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

    def in_region(self, region: str) -> Caller:
        """The same caller, asking in a region: on the way of every request, so not by `dataclasses.replace`."""
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
        )

    @property
    def registry(self) -> Registry:
        """The caller's own registry: what a request without `registryId` speaks about."""
        return Registry(self.account, self.region)

    @property
    def is_root(self) -> bool:
        return self.user_name == ROOT

    @property
    def arn(self) -> str:
        if self.role is not None:
            return f"arn:aws:sts::{self.account}:assumed-role/{self.role.name}/{self.role.session}"
        return f"arn:aws:iam::{self.account}:{ROOT if self.is_root else f'user/{self.user_name}'}"

    @property
    def principal_arn(self) -> str:
        """`aws:PrincipalArn`: of a session the role's."""
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
        """`aws:userid`: of the root user the account."""
        return self.account if self.is_root else self.user_id

    @property
    def names(self) -> frozenset[str]:
        """Each name by which the Principal element of a policy may mean this caller: itself, its role, its account."""
        whole = f"AWS:arn:aws:iam::{self.account}:{ROOT}"
        return frozenset({f"AWS:{self.arn}", f"AWS:{self.principal_arn}", whole})
