"""Upstreams of repositories: by name, the rule that covers a repository, and the registry with its credentials.

The rules of a registry are cached until one changes, so other repositories pay one cached lookup.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moorage.core.clock import Clock
from moorage.core.pull_through import credentials
from moorage.core.pull_through.credentials import SecretMalformed
from moorage.core.vault import Vault
from moorage.domain.errors import Refusal, Unavailable
from moorage.domain.names import Registry
from moorage.domain.pull_through import upstreams
from moorage.domain.pull_through.rules import REFRESH, Rule, RuleSet
from moorage.domain.pull_through.upstreams import AddedUpstreams
from moorage.domain.remote_registries import (
    AwsCredentials,
    RemoteAddress,
    RemoteCredentials,
    RemoteDenied,
    UserCredentials,
)
from moorage.metadata.database import CachedUntil, Database, Lookup, Transaction
from moorage.metadata.pull_through import rules as rows

_LONG_LIVED_KEY: Final = "AKIA"


@dataclass(frozen=True, slots=True)
class Upstream:
    """The upstream of a repository: a rule of its registry, and the repository of the upstream registry."""

    registry: Registry
    rule: Rule
    repository: str

    @property
    def refresh(self) -> int:
        """The time after which a cached tag is compared with the upstream registry, in microseconds."""
        return REFRESH if self.rule.refresh is None else self.rule.refresh


class Upstreams:
    """Finds the upstreams of repositories.

    `added` are the upstream registries that the operator added, and `mirrored` those that this server is a mirror of.
    """

    def __init__(
        self, database: Database, vault: Vault, added: AddedUpstreams, now: Clock, mirrored: tuple[str, ...] = ()
    ) -> None:
        self._database = database
        self._vault = vault
        self._now = now
        self.added = added
        self.mirrored = mirrored

    async def find(self, registry: Registry, name: str) -> Upstream | None:
        """The upstream of a repository with this name, which need not exist; None if no rule covers it."""
        origin = (await self._rules(registry)).origin_of(name)
        return None if origin is None else Upstream(registry, origin.rule, origin.repository)

    async def mirrored_name(self, registry: Registry, host: str, repository: str) -> str | None:
        """The name under which a repository of another registry is cached, such as `hub/library/nginx`.

        `host` is what clients call that registry, for example in the parameter `ns` of containerd. None
        without a rule for it.
        """
        return (await self._rules(registry)).mirrored_name(upstreams.host_of_images(host), repository)

    def is_another_registry(self, host: str) -> bool:
        """Whether clients call a known upstream registry so. The host of one of ECR can mean one of this server."""
        name = upstreams.host_of_images(host)
        return self.added.find(name) is not None or upstreams.kind_of(name) not in (None, upstreams.ECR)

    async def address(self, upstream: Upstream) -> RemoteAddress:
        """The address of the upstream registry with its credentials. Raises RemoteDenied if they cannot be read."""
        registry, arn = upstream.registry, upstream.rule.credential_arn
        if arn is None:
            return self.address_of(upstream.rule, None)
        lookup: Lookup[UserCredentials | None] = Lookup(
            ("upstream credentials", registry.account, registry.region, arn),
            lambda tx: self.credentials_of(tx, registry, arn),
            until=CachedUntil.ACCESS_CHANGE,
        )
        try:
            return self.address_of(upstream.rule, await self._database.read_cached(lookup))
        except Unavailable:
            raise
        except (SecretMalformed, Refusal) as error:
            raise RemoteDenied(str(error)) from None

    def credentials_of(self, tx: Transaction, registry: Registry, arn: str) -> UserCredentials:
        """The credentials in the secret of a rule. Raises SecretMalformed and the refusals for its secret."""
        return credentials.read(tx, self._vault, registry, arn, self._now())

    def address_of(self, rule: Rule, login: UserCredentials | None) -> RemoteAddress:
        """The address of the upstream registry of a rule, with these credentials."""
        added = self.added.find(rule.url)
        if added is None:
            return RemoteAddress(upstreams.url_of(rule.url), _credentials(rule.url, login, ""))
        login_there = _credentials(rule.url, login, added.url if added.private_networks else "")
        return RemoteAddress(added.url, login_there, added.realms, added.private_networks)

    async def _rules(self, registry: Registry) -> RuleSet:
        lookup = Lookup(
            ("pull-through rules", registry.account, registry.region),
            lambda tx: RuleSet(rows.list_all(tx, registry)),
            until=CachedUntil.ACCESS_CHANGE,
            size=_size_of_rules,
        )
        return await self._database.read_cached(lookup)


def _credentials(host: str, login: UserCredentials | None, endpoint: str) -> RemoteCredentials | None:
    """An access key of AWS gets a token from ECR, if the host is that of an ECR registry. `endpoint` is of its API."""
    region = upstreams.region_of(host)
    if login is None or region is None or not login.username.startswith(_LONG_LIVED_KEY):
        return login
    return AwsCredentials(login.username, login.secret, region, endpoint=endpoint)


def _size_of_rules(rules: RuleSet) -> int:
    return rules.size
