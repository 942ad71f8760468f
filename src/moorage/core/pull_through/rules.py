"""Pull-through cache rules: create, change, delete and validate them.

The texts of ECR's refusals were captured by users (cdk-preflight, September 2026), unless a text is marked as ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from moorage.core.limits import Limits
from moorage.core.pull_through import credentials
from moorage.core.pull_through.credentials import SecretMalformed
from moorage.core.pull_through.failures import refusal_of
from moorage.core.pull_through.upstreams import Upstreams
from moorage.domain.errors import Refusal, Validation
from moorage.domain.names import Registry
from moorage.domain.pull_through.errors import (
    PullThroughCacheRuleAlreadyExists,
    PullThroughCacheRuleNotFound,
    UnsupportedUpstreamRegistry,
)
from moorage.domain.pull_through.rules import Rule
from moorage.domain.pull_through.upstreams import ECR, AddedUpstreams, kind_of, needs_secret
from moorage.domain.remote_registries import RemoteAddress, RemoteFailure, RemoteRegistries
from moorage.domain.repository_prefixes import ROOT, key_of
from moorage.domain.units import HOUR, SECOND
from moorage.metadata.database import Transaction
from moorage.metadata.pull_through import rules as rows

_VERIFY: Final = "Please verify input and try again."
_VALIDATION_SECONDS: Final = 20

_SHORTEST_REFRESH: Final = 10 * SECOND
"""A shorter time would send a request to the upstream registry for nearly every pull."""

_LONGEST_REFRESH: Final = 365 * 24 * HOUR


class RuleError(Exception):
    """A command about a rule failed. The text is for the person who ran it."""


@dataclass(frozen=True, slots=True)
class RuleChecks:
    """What a rule is checked against. `added` are the upstream registries that the operator added."""

    limits: Limits
    added: AddedUpstreams
    now: int


def create(tx: Transaction, registry: Registry, rule: Rule, checks: RuleChecks) -> Rule:
    """Create a rule; returns it as stored.

    Raises UnsupportedUpstreamRegistry, Validation, SecretNotFound, UnableToAccessSecret, UnableToDecryptSecretValue,
    PullThroughCacheRuleAlreadyExists, LimitExceeded.
    """
    is_added = checks.added.find(rule.url) is not None
    kind = kind_of(rule.url)
    if kind is None and not is_added:
        raise UnsupportedUpstreamRegistry.of_url(rule.url)
    _check_kind(registry, rule, kind)
    rule = replace(rule, kind=kind or rule.kind)
    _check_prefixes(rule)
    _check_credentials(tx, registry, rule, checks)
    if not rows.insert(tx, registry, rule):
        raise PullThroughCacheRuleAlreadyExists
    checks.limits.quotas.check("pull_through_cache_rules", len(rows.list_all(tx, registry)))
    return rule


def get(tx: Transaction, registry: Registry, prefix: str) -> Rule:
    """Raises PullThroughCacheRuleNotFound."""
    found = rows.find(tx, registry, prefix)
    if found is None:
        raise PullThroughCacheRuleNotFound
    return found


def find_all(tx: Transaction, registry: Registry, prefixes: Sequence[str]) -> list[Rule]:
    """The rules with these prefixes. Raises PullThroughCacheRuleNotFound if there is none for one of them."""
    return [get(tx, registry, prefix) for prefix in dict.fromkeys(map(key_of, prefixes))]


def update(tx: Transaction, registry: Registry, prefix: str, changes: dict[str, Any], checks: RuleChecks) -> Rule:
    """Change `credential_arn` or `role`; returns the updated rule. Nothing else can be changed.

    Raises PullThroughCacheRuleNotFound and what `create` raises for credentials.
    """
    existing = get(tx, registry, prefix)
    if not changes:
        raise Validation(reason="Specify credentialArn or customRoleArn.")  # The text is ours.
    rule = replace(existing, **changes, updated_at=checks.now)
    _check_credentials(tx, registry, rule, checks)
    rows.update(tx, registry, rule)
    return rule


def delete(tx: Transaction, registry: Registry, prefix: str) -> Rule:
    """Delete a rule; returns it. Cached images stay. Raises PullThroughCacheRuleNotFound."""
    found = get(tx, registry, prefix)
    rows.delete(tx, registry, prefix)
    return found


def set_refresh(tx: Transaction, registry: Registry, prefix: str, refresh: int | None, now: int) -> Rule:
    """Set the time after which cached tags are compared with the upstream registry; None is ECR's day.

    Raises RuleError.
    """
    found = rows.find(tx, registry, prefix)
    if found is None:
        raise RuleError(f"there is no pull-through cache rule for the prefix {prefix} in {registry.region}")
    if refresh is not None and not _SHORTEST_REFRESH <= refresh <= _LONGEST_REFRESH:
        raise RuleError("cached tags can be compared with the upstream registry every 10 seconds to 365 days")
    rule = replace(found, refresh=refresh, updated_at=now)
    rows.update(tx, registry, rule)
    return rule


def address(tx: Transaction, registry: Registry, rule: Rule, upstreams: Upstreams) -> RemoteAddress | str:
    """The address of the upstream registry of a rule with its credentials; a text if its secret is not valid."""
    try:
        login = None
        if rule.credential_arn is not None:
            login = upstreams.credentials_of(tx, registry, rule.credential_arn)
        return upstreams.address_of(rule, login)
    except (SecretMalformed, Refusal) as error:
        return str(error)


async def failure_of(remotes: RemoteRegistries, address: RemoteAddress | str) -> str | None:
    """Why an upstream registry cannot be used; None if it answers and accepts the credentials."""
    if isinstance(address, str):
        return address
    try:
        async with asyncio.timeout(_VALIDATION_SECONDS):
            await remotes.at(address).check()
    except TimeoutError:
        return "The upstream registry does not answer in time."
    except RemoteFailure as failure:
        return str(refusal_of(failure))
    except ValueError as failure:
        return str(failure)
    return None


def _check_kind(registry: Registry, rule: Rule, kind: str | None) -> None:
    """ECR compares the two only for registries that need a secret; `rule.kind` is what the request names.

    Raises Validation.
    """
    if kind == ECR and rule.url == _own_host(registry):
        reason = f"Invalid input: Upstream registry URL cannot be the same as the cache registry. {_VERIFY}"
        raise Validation(reason=reason)
    if kind is not None and needs_secret(kind) and rule.kind not in (None, kind):
        reason = f"Invalid input: Upstream registry URL and entered upstream registry do not match. {_VERIFY}"
        raise Validation(reason=reason)


def _check_prefixes(rule: Rule) -> None:
    """User guide: with ROOT as the prefix, the upstream prefix is ROOT, too. The text is ours. Raises Validation."""
    if rule.key == ROOT and rule.upstream_key != ROOT:
        raise Validation(reason="Invalid input: With the repository prefix ROOT, the upstream prefix is ROOT, too.")


def _check_credentials(tx: Transaction, registry: Registry, rule: Rule, checks: RuleChecks) -> None:
    """Check the secret and the role of a rule.

    An upstream registry that the operator added, and an ECR registry, can have a secret. Raises what `create` raises.
    """
    kind = kind_of(rule.url)
    if rule.role is not None:
        if kind != ECR:
            reason = f"Invalid input: Upstream registry URL and provided credential type do not match. {_VERIFY}"
            raise Validation(reason=reason)
        if not rule.role.startswith(f"arn:aws:iam::{registry.account}:role/"):
            raise Validation(reason=f"customRoleArn '{rule.role}' is not the ARN of a role of this account")
    if kind not in (None, ECR) and checks.added.find(rule.url) is None:
        if needs_secret(kind) and rule.credential_arn is None:
            raise UnsupportedUpstreamRegistry.without_secret()
        if not needs_secret(kind) and rule.credential_arn is not None:
            raise UnsupportedUpstreamRegistry.with_secret()
    if rule.credential_arn is not None:
        credentials.secret_of(tx, registry, rule.credential_arn, checks.now)


def _own_host(registry: Registry) -> str:
    return f"{registry.account}.dkr.ecr.{registry.region}.amazonaws.com"
