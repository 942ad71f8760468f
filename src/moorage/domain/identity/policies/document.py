"""Parsing of policies (IAM user guide, "IAM JSON policy elements reference", and its grammar).

Parsing is strict: an element or value that IAM does not have is an error with a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import msgspec

from moorage.bounds import bounded_cache
from moorage.domain import strict_json
from moorage.domain.identity.policies.elements import BadPolicy, StatementParser
from moorage.domain.identity.policies.statements import EVERYONE, Effect, Statement
from moorage.domain.strict_json import AmbiguousJson, BadJson

CURRENT_VERSION: Final = "2012-10-17"
VERSIONS: Final = (CURRENT_VERSION, "2008-10-17")
"""The accepted versions. Only the current one has policy variables; a policy without a version has the old one."""

_MEMBERS: Final = frozenset({"Version", "Id", "Statement"})

CACHED_CHARACTERS: Final = 1 << 20
"""The size of caches that keep parsed policies, in characters of their texts."""

BYTES_PER_CHARACTER: Final = 40
"""Memory of a parsed policy for each character of its text: usually 15 to 40 bytes, at most 140."""


@dataclass(frozen=True, slots=True)
class PolicyGrammar:
    """The rules for one kind of policy. `services` are the services whose actions it may name; empty for all."""

    length: int
    principal: bool
    resource: bool
    services: frozenset[str] = frozenset()
    unique_sids: bool = False


class PolicyKind(Enum):
    """What a policy is attached to, in the words of AWS's messages."""

    IDENTITY = "identity-based policy"
    SESSION = "session policy"
    REPOSITORY = "repository policy"
    REGISTRY = "registry policy"
    TRUST = "trust policy"


GRAMMARS: Final[Mapping[PolicyKind, PolicyGrammar]] = {
    PolicyKind.IDENTITY: PolicyGrammar(6_144, principal=False, resource=True, unique_sids=True),
    PolicyKind.SESSION: PolicyGrammar(2_048, principal=False, resource=True, unique_sids=True),
    PolicyKind.REPOSITORY: PolicyGrammar(10_240, principal=True, resource=False, services=frozenset({"ecr"})),
    PolicyKind.REGISTRY: PolicyGrammar(10_240, principal=True, resource=True, services=frozenset({"ecr"})),
    PolicyKind.TRUST: PolicyGrammar(2_048, principal=True, resource=False, services=frozenset({"sts"})),
}
"""Lengths: quotas of IAM and STS, and of ECR (`PolicyText`: 10,240 characters)."""


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A policy, ready for evaluation. `name` identifies it in explanations."""

    kind: PolicyKind
    name: str
    text: str
    statements: tuple[Statement, ...]
    uses_resource_tags: bool

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return BYTES_PER_CHARACTER * len(self.text)

    @property
    def principals(self) -> frozenset[str]:
        """All principals that its statements name, as `KIND:NAME`."""
        named = [statement.principals.names for statement in self.statements if statement.principals is not None]
        return frozenset().union(*named) - {EVERYONE}

    @property
    def actions(self) -> frozenset[str]:
        """The actions as its statements write them."""
        return frozenset().union(*(statement.actions.texts for statement in self.statements))

    def statements_on(self, effect: Effect, action: str) -> tuple[Statement, ...]:
        """The statements with this effect that name the action."""
        name = action.lower()
        return tuple(
            statement for statement in self.statements if statement.effect is effect and statement.actions.matches(name)
        )


@bounded_cache(entries=1024, size=CACHED_CHARACTERS)
def parse_policy(text: str, kind: PolicyKind, name: str = "") -> Policy:
    """Parse a stored policy; results are cached.

    A policy that an earlier version stored and this one rejects, for example with a member twice, denies everything:
    it may have been meant to, and an error would stop every request.
    """
    try:
        return _parsed(text, kind, name)
    except BadPolicy:
        return _parsed(msgspec.json.encode(_deny_all(kind)).decode(), kind, name)


def length_of(policies: Iterable[Policy], *_: object) -> int:
    """The characters of policies: the weight of an entry of a cache whose key begins with them."""
    return sum(len(policy.text) for policy in policies)


def _deny_all(kind: PolicyKind) -> dict[str, Any]:
    statement = {"Sid": "UnreadablePolicy", "Effect": "Deny", "Action": "*"}
    if GRAMMARS[kind].principal:
        statement["Principal"] = EVERYONE
    if GRAMMARS[kind].resource:
        statement["Resource"] = "*"
    return {"Version": CURRENT_VERSION, "Statement": statement}


def _parsed(text: str, kind: PolicyKind, name: str) -> Policy:
    grammar = GRAMMARS[kind]
    document = decode(text)
    version = document.get("Version", VERSIONS[-1])
    if version not in VERSIONS:
        raise BadPolicy(f"Version must be one of {', '.join(VERSIONS)}")
    if not isinstance(document.get("Id", ""), str):
        raise BadPolicy("Id must be a string")
    parser = StatementParser(
        variables=version == CURRENT_VERSION,
        principal=grammar.principal,
        resource=grammar.resource,
        services=grammar.services,
    )
    statements = tuple(parser.statement(position, item) for position, item in enumerate(statements_of(document)))
    if grammar.unique_sids:
        _reject_duplicates(statement.sid for statement in statements)
    tags = any(statement.uses_resource_tags() for statement in statements)
    return Policy(kind, name, text, statements, tags)


def accept_policy(text: str, kind: PolicyKind, name: str = "") -> Policy:
    """Parse a new policy and check its length. Raises BadPolicy."""
    if len(text) > GRAMMARS[kind].length:
        raise BadPolicy(f"the {kind.value} is longer than {GRAMMARS[kind].length} characters")
    return _parsed(text, kind, name)


def decode(text: str) -> dict[str, Any]:
    """The members of a policy; only their names are checked. Raises BadPolicy."""
    try:
        document = strict_json.read(text)
    except AmbiguousJson as error:
        raise BadPolicy(f"the policy is ambiguous: {error}") from None
    except BadJson:
        raise BadPolicy("the policy is not valid JSON") from None
    if not isinstance(document, dict):
        raise BadPolicy("the policy is not a JSON object")
    for member in document:
        if member not in _MEMBERS:
            raise BadPolicy(f"the policy has an unknown element: {member[:100]}")
    return document


def statements_of(document: dict[str, Any]) -> list[Any]:
    """The statements of a policy; a single one may come without a list. Raises BadPolicy."""
    statements = document.get("Statement")
    if isinstance(statements, dict):
        return [statements]
    if not isinstance(statements, list) or not statements:
        raise BadPolicy("Statement must be a statement or a list of statements")
    return statements


def _reject_duplicates(sids: Iterable[str | None]) -> None:
    seen: set[str] = set()
    for sid in sids:
        if sid is not None and sid in seen:
            raise BadPolicy(f"two statements have the Sid {sid[:100]}")
        seen.add(sid or "")
