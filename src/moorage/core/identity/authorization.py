"""May they? One question, asked by both doors, and one answer: `decide` over a transaction, `Authorizer` on the way.

Nothing is kept between requests but what a commit of any process makes forget, and policies read from their texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from moorage.domain.errors import AccessDenied
from moorage.domain.identity.callers import Caller
from moorage.domain.identity.policies.document import Kind, Policy, parse_policy
from moorage.domain.identity.policies.evaluation import Decision, PolicySet, evaluate
from moorage.domain.identity.policies.request import Circumstances, Request
from moorage.domain.identity.policies.statements import Effect
from moorage.domain.names import Registry
from moorage.metadata.database import Database, Transaction, Until
from moorage.metadata.registry import policies, repositories, settings

FIRST_SCOPE: Final = frozenset({"ecr:ReplicateImage", "ecr:BatchImportUpstreamImage", "ecr:CreateRepository"})
"""ECR user guide, "Registry policy scope": the actions about which a registry policy speaks in version 1."""

_DECIDES_OUTRIGHT: Final = 4096
"""Sets of policies and actions of which it is remembered whether circumstances matter."""


class Question(NamedTuple):
    """Whether `caller` may do `action` (`ecr:PutImage`) to a repository, or to the registry (None).

    The repository need not exist. `circumstances` are asked for only when they matter, which they rarely do.
    """

    caller: Caller
    action: str
    registry: Registry
    repository: str | None = None
    circumstances: Callable[[], Circumstances] = Circumstances

    @property
    def resource(self) -> str:
        """An ARN, or `*` for the registry."""
        return self.registry.repository_arn(self.repository) if self.repository else self.registry.registry_arn()

    def about(self, repository: str) -> Question:
        """The same question about another repository."""
        return self._replace(repository=repository)

    def is_allowed_outright(self) -> bool:
        """Whether the account's own caller is allowed it everywhere and always, if no resource has a policy."""
        caller = self.caller
        if caller.session_policies is not None or caller.account != self.registry.account:
            return False
        return caller.is_root or _grant_outright(caller.policies, self.action)

    def refusal(self, decision: Decision) -> AccessDenied:
        """The denial in AWS's words."""
        return AccessDenied(
            principal=self.caller.arn,
            action=self.action,
            resource=self.resource,
            reason=decision.reason.words(self.action),
        )

    def request(self, tags: Mapping[str, str]) -> Request:
        """What policies are asked; `tags` are the repository's."""
        registry = self.registry
        circumstances = self.circumstances()
        return Request(self.caller, self.action, self.resource, registry.account, registry.region, circumstances, tags)


class Protection(NamedTuple):
    """What a resource itself says about who may do what with it. `exists` is False for no such repository.

    `first_scope` is whether the registry policy has the narrow scope that it had once (REGISTRY_POLICY_SCOPE, V1).
    """

    exists: bool
    policies: tuple[Policy, ...]
    first_scope: bool

    def policies_on(self, action: str) -> tuple[Policy, ...]:
        if self.first_scope and action not in FIRST_SCOPE:
            return tuple(policy for policy in self.policies if policy.kind is not Kind.REGISTRY)
        return self.policies


def decide(tx: Transaction, question: Question) -> Decision:
    """The decision on a question, with the statements that decided it."""
    found = _protection(tx, question).policies_on(question.action)
    tags = _tags(tx, question) if _speak_of_tags(question, found) else {}
    return _judge(question, found, tags)


def visible(tx: Transaction, question: Question, names: Iterable[str]) -> list[str]:
    """Those of the repositories to which the question's action is allowed."""
    return [name for name in names if decide(tx, question.about(name)).allowed]


class Authorizer:
    """Decides for requests as they come."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(self, question: Question) -> None:
        """Raise AccessDenied unless the answer is yes."""
        found = await self._policies(question)
        if not found and question.is_allowed_outright():
            return
        decision = _judge(question, found, await self._tags(question, found))
        if not decision.allowed:
            raise question.refusal(decision)

    async def _policies(self, question: Question) -> tuple[Policy, ...]:
        registry = question.registry
        protection = await self._database.recall(
            ("protection", registry.account, registry.region, question.repository),
            lambda tx: _protection(tx, question),
            keep=_exists,
            until=Until.CHANGE_OF_RULES,
        )
        return protection.policies_on(question.action)

    async def _tags(self, question: Question, found: tuple[Policy, ...]) -> Mapping[str, str]:
        if not _speak_of_tags(question, found):
            return {}
        registry = question.registry
        return await self._database.recall(
            ("resource tags", registry.account, registry.region, question.repository),
            lambda tx: _tags(tx, question),
            keep=bool,
            until=Until.CHANGE_OF_RULES,
        )


@lru_cache(maxsize=_DECIDES_OUTRIGHT)
def _grant_outright(policies: tuple[Policy, ...], action: str) -> bool:
    return not any(policy.statements_on(Effect.DENY, action) for policy in policies) and any(
        statement.is_unconditional for policy in policies for statement in policy.statements_on(Effect.ALLOW, action)
    )


def _exists(protection: Protection) -> bool:
    """Names that are asked for and do not exist are too many to remember."""
    return protection.exists


def _protection(tx: Transaction, question: Question) -> Protection:
    name = question.repository or ""
    attached = policies.attached(tx, question.registry, name)
    texts = ((attached.repository, Kind.REPOSITORY, name), (attached.registry, Kind.REGISTRY, ""))
    found = tuple(parse_policy(text, kind, named) for text, kind, named in texts if text is not None)
    narrow = attached.registry is not None and settings.registry_policy_scope(tx, question.registry) == "V1"
    return Protection(attached.exists or not name, found, narrow)


def _speak_of_tags(question: Question, found: tuple[Policy, ...]) -> bool:
    caller = question.caller
    everything = (*caller.policies, *(caller.session_policies or ()), *found)
    return question.repository is not None and any(policy.speaks_of_resource_tags for policy in everything)


def _tags(tx: Transaction, question: Question) -> Mapping[str, str]:
    repository = repositories.find(tx, question.registry, question.repository or "")
    return {} if repository is None else repositories.resource_tags(tx, repository)


def _judge(question: Question, found: tuple[Policy, ...], tags: Mapping[str, str]) -> Decision:
    caller = question.caller
    return evaluate(question.request(tags), PolicySet(caller.policies, found, caller.session_policies))
