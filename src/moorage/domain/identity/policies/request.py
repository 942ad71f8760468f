"""An access request: the principal, action, resource and context that policies decide on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

_NO_VALUES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
NO_TAGS: Final[Mapping[str, str]] = MappingProxyType({})


class ResourceSet(str):
    """All resources whose ARNs begin with `beginning`. The text itself is that beginning with a `*`.

    A statement applies to such a set if it applies to every resource in it. If it applies only to some, that is
    undecided: an Allow does not apply, and a Deny does.
    """

    __slots__ = ()

    @property
    def beginning(self) -> str:
        return self[:-1]


class Principal(Protocol):
    """The principal of a request, as far as policies can refer to it."""

    @property
    def account(self) -> str: ...

    @property
    def arn(self) -> str: ...

    @property
    def principal_arn(self) -> str:
        """`aws:PrincipalArn`: for a session, the ARN of its role."""
        ...

    @property
    def kind(self) -> str:
        """`aws:PrincipalType`: Account, User or AssumedRole."""
        ...

    @property
    def names(self) -> frozenset[str]:
        """All names that a Principal element can use for it, as `KIND:NAME` (`AWS:arn:aws:iam::…`)."""
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
    """The circumstances of a request: `time` in microseconds, `tag_keys` of the tags it sets or removes.

    `extra` has the values of further condition keys, in lower case.
    """

    time: int = 0
    source_ip: str = ""
    secure: bool = False
    user_agent: str | None = None
    request_tags: Mapping[str, str] = field(default_factory=lambda: NO_TAGS)
    tag_keys: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NO_VALUES)


@dataclass(frozen=True, slots=True)
class PolicyRequest:
    """`resource` is an ARN or `*`, of `account` in `region`. `cached_values` holds condition keys already looked up."""

    principal: Principal
    action: str
    resource: str
    account: str
    region: str
    request_context: RequestContext
    resource_tags: Mapping[str, str] = field(default_factory=lambda: NO_TAGS)
    cached_values: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)
