"""Access decisions for the ECR endpoint and the registry endpoint: `decide` in a transaction, `Authorizer` before one.

Two things are cached between requests: lookups, until a commit of any process changes them, and parsed policies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple, TypeVar

from moorage.bounds import bounded_cache
from moorage.domain.errors import AccessDenied
from moorage.domain.identity.actions import V1_ACTIONS, permissions_of
from moorage.domain.identity.callers import Caller
from moorage.domain.identity.policies.document import CACHED_CHARACTERS, Policy, PolicyKind, length_of, parse_policy
from moorage.domain.identity.policies.evaluation import EXPLICIT_DENIES, Decision, PolicySet, evaluate
from moorage.domain.identity.policies.request import PolicyRequest, RequestContext
from moorage.domain.identity.policies.statements import Effect
from moorage.domain.names import Registry
from moorage.metadata.database import CachedUntil, Database, Lookup, Transaction, size_of_row
from moorage.metadata.registry import policies, repositories, settings

T = TypeVar("T")

_CACHED_GRANTS: Final = 4096
"""Pairs of policies and action for which the answer of `_allow_unconditionally` is cached."""


class AccessRequest(NamedTuple):
    """A caller, an action (`ecr:PutImage`) and a resource: a repository, or the registry (None).

    The repository need not exist. `request_context` is called only when a policy has to be evaluated, which is rare.
    `arn` is the resource if it is neither a repository nor a registry. `own_tags` are the resource tags of a resource
    that is not of ECR; those of a repository are looked up. The policies of repositories and registries are for actions
    of ECR.
    """

    caller: Caller
    action: str
    registry: Registry
    repository: str | None = None
    request_context: Callable[[], RequestContext] = RequestContext
    arn: str = ""
    own_tags: Mapping[str, str] | None = None

    @property
    def is_of_ecr(self) -> bool:
        return self.action.startswith("ecr:")

    @property
    def resource(self) -> str:
        """An ARN, or `*` for the registry."""
        if self.arn:
            return self.arn
        return self.registry.repository_arn(self.repository) if self.repository else self.registry.registry_arn()

    def about(self, repository: str) -> AccessRequest:
        """The same access request for another repository."""
        return self._replace(repository=repository)

    def is_always_allowed(self) -> bool:
        """Whether the caller's own policies allow the action on every resource, without conditions.

        Valid only for resources without a policy.
        """
        caller = self.caller
        if caller.session_policies is not None or caller.account != self.registry.account:
            return False
        return caller.is_root or _allow_unconditionally(caller.policies, self.action)

    def refusal(self, decision: Decision) -> AccessDenied:
        """The error for a denied request, with AWS's text."""
        return AccessDenied(
            principal=self.caller.arn,
            action=self.action,
            resource=self.resource,
            reason=decision.reason.words(self.action),
        )

    def request(self, tags: Mapping[str, str]) -> PolicyRequest:
        """The request that policies are evaluated against; `tags` are the repository's."""
        registry = self.registry
        request_context = self.request_context()
        return PolicyRequest(
            self.caller, self.action, self.resource, registry.account, registry.region, request_context, tags
        )


class ResourcePolicies(NamedTuple):
    """The policies of a repository and its registry. `exists` is False if the repository does not exist.

    `v1_scope`: the registry policy covers only `V1_ACTIONS` (account setting REGISTRY_POLICY_SCOPE, value V1).
    """

    exists: bool
    policies: tuple[Policy, ...]
    v1_scope: bool

    def policies_on(self, action: str) -> tuple[Policy, ...]:
        if self.v1_scope and action not in V1_ACTIONS:
            return tuple(policy for policy in self.policies if policy.kind is not PolicyKind.REGISTRY)
        return self.policies


def decide(tx: Transaction, access_request: AccessRequest) -> Decision:
    """The decision on an access request, with the statements that decided it."""
    found = _resource_policies(tx, access_request).policies_on(access_request.action)
    tags = _tags(tx, access_request) if _depends_on_tags(access_request, found) else {}
    return _evaluate(access_request, found, tags)


class Visibility:
    """Decides in a transaction for which of many repositories of one registry an action is allowed."""

    def __init__(self, tx: Transaction, access_request: AccessRequest) -> None:
        self._tx = tx
        self._access_request = access_request
        self._registry = _resource_policies(tx, access_request._replace(repository=None))

    def allows(self, name: str, policy: str | None) -> bool:
        """Whether it is allowed for the repository with this name and this repository policy."""
        attached = () if policy is None else (parse_policy(policy, PolicyKind.REPOSITORY, name),)
        access_request = self._access_request.about(name)
        found = (*attached, *self._registry.policies_on(access_request.action))
        if not found and access_request.is_always_allowed():
            return True
        tags = _tags(self._tx, access_request) if _depends_on_tags(access_request, found) else {}
        return _evaluate(access_request, found, tags).allowed


def _with_tags(access_request: AccessRequest, tags: Mapping[str, str]) -> RequestContext:
    """The facts about a request that sets these resource tags."""
    return replace(access_request.request_context(), request_tags=tags, tag_keys=tuple(tags))


class Authorizer:
    """Decides access requests before a transaction begins, from cached lookups where possible."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(self, access_request: AccessRequest) -> bool:
        """Raise AccessDenied unless the request is allowed. True if it is, whatever the facts about the request are.

        A denial costs the same reads whether the repository exists or not. Cached lookups are repeated, because the
        time of a denial would otherwise reveal what is cached: lookups of missing repositories are not cached.
        """
        found: tuple[Policy, ...] = ()
        cached_policies = False
        if access_request.is_of_ecr:
            resource_policies, cached_policies = await self._looked_up(
                "protection", access_request, _resource_policies, _exists, _size_of_policies
            )
            found = resource_policies.policies_on(access_request.action)
        if not found and access_request.is_always_allowed():
            return True
        tags, cached_tags = await self._tags(access_request, found)
        decision = _evaluate(access_request, found, tags)
        if decision.allowed:
            return False
        if cached_policies:
            await self._database.read(lambda tx: _resource_policies(tx, access_request))
        if cached_tags:
            await self._database.read(lambda tx: _tags(tx, access_request))
        raise access_request.refusal(_reported(access_request, decision, found))

    async def check_creation(self, access: Callable[[str], AccessRequest], tags: Mapping[str, str]) -> None:
        """Raise AccessDenied unless the caller may create a repository with these resource tags.

        Conditions of policies can test the tags. `access` makes the access request for an action on the repository.
        """
        for permission in permissions_of("CreateRepository", {"tags": tags}):
            needed = access(permission.action)
            await self.check(needed._replace(request_context=partial(_with_tags, needed, tags)))

    async def _tags(self, access_request: AccessRequest, found: tuple[Policy, ...]) -> tuple[Mapping[str, str], bool]:
        """The resource tags if a policy depends on them, and whether they were cached."""
        if access_request.own_tags is not None:
            return access_request.own_tags, False
        if not _depends_on_tags(access_request, found):
            return {}, False
        return await self._looked_up("resource tags", access_request, _tags, bool, _size_of_tags)

    async def _looked_up(
        self,
        name: str,
        access_request: AccessRequest,
        find: Callable[[Transaction, AccessRequest], T],
        keep: Callable[[T], bool],
        size: Callable[[T], int],
    ) -> tuple[T, bool]:
        """The result of a cached lookup for a repository, and whether it was cached."""
        registry = access_request.registry
        is_cached = True

        def read(tx: Transaction) -> T:
            nonlocal is_cached
            is_cached = False
            return find(tx, access_request)

        key = (name, registry.account, registry.region, access_request.repository)
        lookup = Lookup(key, read, keep=keep, until=CachedUntil.ACCESS_CHANGE, size=size)
        return await self._database.read_cached(lookup), is_cached


@bounded_cache(_CACHED_GRANTS, CACHED_CHARACTERS, length_of)
def _allow_unconditionally(policies: tuple[Policy, ...], action: str) -> bool:
    return not any(policy.statements_on(Effect.DENY, action) for policy in policies) and any(
        statement.is_unconditional for policy in policies for statement in policy.statements_on(Effect.ALLOW, action)
    )


def _exists(resource_policies: ResourcePolicies) -> bool:
    """Do not cache missing repositories: a client can invent any number of names."""
    return resource_policies.exists


def _size_of_policies(resource_policies: ResourcePolicies) -> int:
    return size_of_row(resource_policies) + sum(policy.size for policy in resource_policies.policies)


def _size_of_tags(tags: Mapping[str, str]) -> int:
    return size_of_row(tags) + 4 * sum(len(key) + len(value) for key, value in tags.items())


def _resource_policies(tx: Transaction, access_request: AccessRequest) -> ResourcePolicies:
    if not access_request.is_of_ecr:
        return ResourcePolicies(True, (), False)
    name = access_request.repository or ""
    attached = policies.attached(tx, access_request.registry, name)
    texts = ((attached.repository, PolicyKind.REPOSITORY, name), (attached.registry, PolicyKind.REGISTRY, ""))
    found = tuple(parse_policy(text, kind, named) for text, kind, named in texts if text is not None)
    v1_scope = attached.registry is not None and settings.registry_policy_scope(tx, access_request.registry) == "V1"
    return ResourcePolicies(attached.exists or not name, found, v1_scope)


def _depends_on_tags(access_request: AccessRequest, found: tuple[Policy, ...]) -> bool:
    caller = access_request.caller
    all_policies = (*caller.policies, *(caller.session_policies or ()), *found)
    has_tags = access_request.repository is not None or access_request.own_tags is not None
    return has_tags and any(policy.uses_resource_tags for policy in all_policies)


def _tags(tx: Transaction, access_request: AccessRequest) -> Mapping[str, str]:
    if access_request.own_tags is not None:
        return access_request.own_tags
    repository = repositories.find(tx, access_request.registry, access_request.repository or "")
    return {} if repository is None else repositories.resource_tags(tx, repository)


def _reported(access_request: AccessRequest, decision: Decision, found: tuple[Policy, ...]) -> Decision:
    """The denial whose reason the caller gets.

    An explicit deny can come from the repository's policy or tags, and then reveals that the repository exists. Only
    callers who would be allowed without it get it as the reason.
    """
    if decision.reason not in EXPLICIT_DENIES or access_request.repository is None:
        return decision
    of_registry = tuple(policy for policy in found if policy.kind is PolicyKind.REGISTRY)
    if_missing = _evaluate(access_request, of_registry, {})
    return decision if if_missing.allowed else if_missing


def _evaluate(access_request: AccessRequest, found: tuple[Policy, ...], tags: Mapping[str, str]) -> Decision:
    caller = access_request.caller
    return evaluate(access_request.request(tags), PolicySet(caller.policies, found, caller.session_policies))
