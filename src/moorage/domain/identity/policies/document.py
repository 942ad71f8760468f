"""A policy's text, read once into a Policy (IAM user guide, "IAM JSON policy elements reference", and its grammar).

Reading is strict: a text with anything in it that IAM does not have is refused, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Final

import msgspec

from moorage.domain.identity.policies.elements import BadPolicy, Reader
from moorage.domain.identity.policies.statements import EVERYONE, Effect, Statement

CURRENT_VERSION: Final = "2012-10-17"
VERSIONS: Final = (CURRENT_VERSION, "2008-10-17")
"""Only the current one has policy variables; a policy without a version has the old one."""

_MEMBERS: Final = frozenset({"Version", "Id", "Statement"})


@dataclass(frozen=True, slots=True)
class KindRules:
    """What policies of a kind have beside actions. `services` are those whose actions they may name; empty for all."""

    length: int
    principal: bool
    resource: bool
    services: frozenset[str] = frozenset()
    unique_sids: bool = False


class Kind(Enum):
    """What a policy is attached to; the word is that of AWS's messages."""

    IDENTITY = "identity-based policy"
    SESSION = "session policy"
    REPOSITORY = "repository policy"
    REGISTRY = "registry policy"
    TRUST = "trust policy"


RULES: Final[Mapping[Kind, KindRules]] = {
    Kind.IDENTITY: KindRules(6_144, principal=False, resource=True, unique_sids=True),
    Kind.SESSION: KindRules(2_048, principal=False, resource=True, unique_sids=True),
    Kind.REPOSITORY: KindRules(10_240, principal=True, resource=False, services=frozenset({"ecr"})),
    Kind.REGISTRY: KindRules(10_240, principal=True, resource=True, services=frozenset({"ecr"})),
    Kind.TRUST: KindRules(2_048, principal=True, resource=False, services=frozenset({"sts"})),
}
"""IAM and STS quotas, and ECR's (`PolicyText`: 10,240 characters)."""


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A policy, ready to be evaluated. `name` is for people: which one it is."""

    kind: Kind
    name: str
    text: str
    statements: tuple[Statement, ...]
    speaks_of_resource_tags: bool

    @property
    def principals(self) -> frozenset[str]:
        """Everybody whom its statements name, as `KIND:NAME`."""
        named = [statement.principals.names for statement in self.statements if statement.principals is not None]
        return frozenset().union(*named) - {EVERYONE}

    @property
    def actions(self) -> frozenset[str]:
        """The actions as its statements write them."""
        return frozenset().union(*(statement.actions.texts for statement in self.statements))

    def statements_on(self, effect: Effect, action: str) -> tuple[Statement, ...]:
        """The statements with this effect that name an action."""
        name = action.lower()
        return tuple(one for one in self.statements if one.effect is effect and one.actions.cover(name))


@lru_cache(maxsize=1024)
def parse_policy(text: str, kind: Kind, name: str = "") -> Policy:
    """Raises BadPolicy. The same text is read once. Its length was a matter of when it was put."""
    rules = RULES[kind]
    document = decode(text)
    version = document.get("Version", VERSIONS[-1])
    if version not in VERSIONS:
        raise BadPolicy(f"Version must be one of {', '.join(VERSIONS)}")
    if not isinstance(document.get("Id", ""), str):
        raise BadPolicy("Id must be a text")
    reader = Reader(
        variables=version == CURRENT_VERSION,
        principal=rules.principal,
        resource=rules.resource,
        services=rules.services,
    )
    statements = tuple(reader.statement(position, item) for position, item in enumerate(listed(document)))
    if rules.unique_sids:
        _refuse_duplicates(statement.sid for statement in statements)
    tags = any(statement.speaks_of_resource_tags() for statement in statements)
    return Policy(kind, name, text, statements, tags)


def accept_policy(text: str, kind: Kind, name: str = "") -> Policy:
    """A policy that is new, so that its length counts. Raises BadPolicy."""
    if len(text) > RULES[kind].length:
        raise BadPolicy(f"a {kind.value} has {RULES[kind].length} characters at most")
    return parse_policy(text, kind, name)


def decode(text: str) -> dict[str, Any]:
    """The members of a policy, not yet checked but for their names. Raises BadPolicy."""
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        raise BadPolicy("the policy is no JSON") from None
    if not isinstance(document, dict):
        raise BadPolicy("the policy is no JSON object")
    for member in document:
        if member not in _MEMBERS:
            raise BadPolicy(f"the policy has an unknown element: {member[:100]}")
    return document


def listed(document: dict[str, Any]) -> list[Any]:
    """The statements of a policy, which may have one without a list. Raises BadPolicy."""
    statements = document.get("Statement")
    if isinstance(statements, dict):
        return [statements]
    if not isinstance(statements, list) or not statements:
        raise BadPolicy("Statement must be a statement or a list of some")
    return statements


def _refuse_duplicates(sids: Iterable[str | None]) -> None:
    seen: set[str] = set()
    for sid in sids:
        if sid is not None and sid in seen:
            raise BadPolicy(f"two statements have the Sid {sid[:100]}")
        seen.add(sid or "")
