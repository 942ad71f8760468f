"""What policies are asked about: who wants to do what to which resource, and under which circumstances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

_NOTHING: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
_NO_TAGS: Final[Mapping[str, str]] = MappingProxyType({})


class Principal(Protocol):
    """Whoever asks, as far as policies can speak of it."""

    @property
    def account(self) -> str: ...

    @property
    def arn(self) -> str: ...

    @property
    def principal_arn(self) -> str:
        """`aws:PrincipalArn`: of a session of a role the role's own ARN."""
        ...

    @property
    def kind(self) -> str:
        """`aws:PrincipalType`: Account, User or AssumedRole."""
        ...

    @property
    def names(self) -> frozenset[str]:
        """Each name by which the Principal element of a policy may mean it, as `KIND:NAME` (`AWS:arn:aws:iam::…`)."""
        ...

    @property
    def is_root(self) -> bool: ...

    @property
    def unique_id(self) -> str:
        """`aws:userid`."""
        ...

    @property
    def user_name(self) -> str: ...

    @property
    def tags(self) -> Mapping[str, str]: ...

    @property
    def issued_at(self) -> int | None:
        """When temporary credentials were issued, in microseconds; None for long-lived ones."""
        ...


@dataclass(frozen=True, slots=True)
class RequestContext:
    """How a request came: `time` in microseconds, `tag_keys` of the tags it sets or removes.

    `more` has the values of further condition keys, which are in lower case.
    """

    time: int = 0
    source_ip: str = ""
    secure: bool = False
    user_agent: str | None = None
    request_tags: Mapping[str, str] = field(default_factory=lambda: _NO_TAGS)
    tag_keys: tuple[str, ...] = ()
    more: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class Request:
    """`resource` is an ARN or `*`, of `account` in `region`. `known` are the condition keys that were looked up."""

    principal: Principal
    action: str
    resource: str
    account: str
    region: str
    request_context: RequestContext
    resource_tags: Mapping[str, str] = field(default_factory=lambda: _NO_TAGS)
    known: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)
