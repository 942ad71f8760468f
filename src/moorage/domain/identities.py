"""Who asks: a user of an account, with the policies that say what that user may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from moorage.domain.names import Registry
from moorage.domain.policies.document import Policy

ROOT = "root"
"""The name of each account's first user, who may do everything in the account."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated user and the access key used. `region` is where the request or the token was made for.

    `policies` are those of the identity; `session_policies` restrict them further, None does not. `issued_at` is the
    time of temporary credentials, in microseconds.
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

    @property
    def kind(self) -> str:
        """`aws:PrincipalType`."""
        return "Account" if self.is_root else "User"

    @property
    def unique_id(self) -> str:
        """`aws:userid`: of the root user the account."""
        return self.account if self.is_root else self.user_id

    @property
    def names(self) -> frozenset[str]:
        """Each name by which the Principal element of a policy may mean this caller: itself, and its account."""
        return frozenset({f"AWS:{self.arn}", f"AWS:arn:aws:iam::{self.account}:{ROOT}"})
