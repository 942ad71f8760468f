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
from moorage.domain.identity.policies.request import PolicyRequest, RequestContext
from moorage.domain.identity.policies.statements import Effect
from moorage.domain.names import Registry
from moorage.metadata.database import CachedUntil, Database, Transaction
from moorage.metadata.registry import policies, repositories, settings

FIRST_SCOPE: Final = frozenset({"ecr:ReplicateImage", "ecr:BatchImportUpstreamImage", "ecr:CreateRepository"})
"""ECR user guide, "Registry policy scope": the actions about which a registry policy speaks in version 1."""

_DECIDES_OUTRIGHT: Final = 4096
"""Sets of policies and actions of which it is remembered whether circumstances matter."""


class AccessRequest(NamedTuple):
    """Whether `caller` may do `action` (`ecr:PutImage`) to a repository, or to the registry (None).

    The repository need not exist. `request_context` are asked for only when they matter, which they rarely do.
    """

    caller: Caller
    action: str
    registry: Registry
    repository: str | None = None
    request_context: Callable[[], RequestContext] = RequestContext

    @property
    def resource(self) -> str:
        """An ARN, or `*` for the registry."""
        return self.registry.repository_arn(self.repository) if self.repository else self.registry.registry_arn()

    def about(self, repository: str) -> AccessRequest:
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

    def request(self, tags: Mapping[str, str]) -> PolicyRequest:
        """What policies are asked; `tags` are the repository's."""
        registry = self.registry
        request_context = self.request_context()
        return PolicyRequest(
            self.caller, self.action, self.resource, registry.account, registry.region, request_context, tags
        )


class ResourcePolicies(NamedTuple):
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


def decide(tx: Transaction, access_request: AccessRequest) -> Decision:
    """The decision on a question, with the statements that decided it."""
    found = _resource_policies(tx, access_request).policies_on(access_request.action)
    tags = _tags(tx, access_request) if _speak_of_tags(access_request, found) else {}
    return _judge(access_request, found, tags)


def visible(tx: Transaction, access_request: AccessRequest, names: Iterable[str]) -> list[str]:
    """Those of the repositories to which the question's action is allowed."""
    return [name for name in names if decide(tx, access_request.about(name)).allowed]


class Authorizer:
    """Decides for requests as they come."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(self, access_request: AccessRequest) -> None:
        """Raise AccessDenied unless the answer is yes."""
        found = await self._policies(access_request)
        if not found and access_request.is_allowed_outright():
            return
        decision = _judge(access_request, found, await self._tags(access_request, found))
        if not decision.allowed:
            raise access_request.refusal(decision)

    async def _policies(self, access_request: AccessRequest) -> tuple[Policy, ...]:
        registry = access_request.registry
        resource_policies = await self._database.read_cached(
            ("protection", registry.account, registry.region, access_request.repository),
            lambda tx: _resource_policies(tx, access_request),
            keep=_exists,
            until=CachedUntil.ACCESS_CHANGE,
        )
        return resource_policies.policies_on(access_request.action)

    async def _tags(self, access_request: AccessRequest, found: tuple[Policy, ...]) -> Mapping[str, str]:
        if not _speak_of_tags(access_request, found):
            return {}
        registry = access_request.registry
        return await self._database.read_cached(
            ("resource tags", registry.account, registry.region, access_request.repository),
            lambda tx: _tags(tx, access_request),
            keep=bool,
            until=CachedUntil.ACCESS_CHANGE,
        )


@lru_cache(maxsize=_DECIDES_OUTRIGHT)
def _grant_outright(policies: tuple[Policy, ...], action: str) -> bool:
    return not any(policy.statements_on(Effect.DENY, action) for policy in policies) and any(
        statement.is_unconditional for policy in policies for statement in policy.statements_on(Effect.ALLOW, action)
    )


def _exists(resource_policies: ResourcePolicies) -> bool:
    """Names that are asked for and do not exist are too many to remember."""
    return resource_policies.exists


def _resource_policies(tx: Transaction, access_request: AccessRequest) -> ResourcePolicies:
    name = access_request.repository or ""
    attached = policies.attached(tx, access_request.registry, name)
    texts = ((attached.repository, Kind.REPOSITORY, name), (attached.registry, Kind.REGISTRY, ""))
    found = tuple(parse_policy(text, kind, named) for text, kind, named in texts if text is not None)
    narrow = attached.registry is not None and settings.registry_policy_scope(tx, access_request.registry) == "V1"
    return ResourcePolicies(attached.exists or not name, found, narrow)


def _speak_of_tags(access_request: AccessRequest, found: tuple[Policy, ...]) -> bool:
    caller = access_request.caller
    everything = (*caller.policies, *(caller.session_policies or ()), *found)
    return access_request.repository is not None and any(policy.uses_resource_tags for policy in everything)


def _tags(tx: Transaction, access_request: AccessRequest) -> Mapping[str, str]:
    repository = repositories.find(tx, access_request.registry, access_request.repository or "")
    return {} if repository is None else repositories.resource_tags(tx, repository)


def _judge(access_request: AccessRequest, found: tuple[Policy, ...], tags: Mapping[str, str]) -> Decision:
    caller = access_request.caller
    return evaluate(access_request.request(tags), PolicySet(caller.policies, found, caller.session_policies))
