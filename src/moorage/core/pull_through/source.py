"""Where the content of a repository comes from."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.core.pull_through.upstreams import Upstream, Upstreams
from moorage.domain.names import Registry
from moorage.domain.pull_through.rules import Rule
from moorage.domain.remote_registries import RemoteDenied, RemoteRegistries, RemoteRegistry


@dataclass(frozen=True, slots=True)
class Source:
    """A repository of this server, and the repository of an upstream registry that it caches.

    `host` names the upstream registry in texts and limits. Tags are compared with it after `refresh` microseconds.
    """

    registry: Registry
    name: str
    remote: RemoteRegistry
    repository: str
    rule: Rule
    refresh: int

    @property
    def host(self) -> str:
        return self.rule.url


class Sources:
    """The sources of repositories, by the rules of their registries."""

    def __init__(self, upstreams: Upstreams, remotes: RemoteRegistries) -> None:
        self._upstreams = upstreams
        self._remotes = remotes

    async def upstream(self, registry: Registry, name: str) -> Upstream | None:
        """The upstream of a repository; None if no rule covers it. This is one cached lookup."""
        return await self._upstreams.find(registry, name)

    async def of(self, upstream: Upstream, name: str) -> Source:
        """The source of a repository with this upstream. Raises RemoteDenied if its credentials cannot be read."""
        address = await self._upstreams.address(upstream)
        try:
            remote = self._remotes.at(address)
        except ValueError as error:
            raise RemoteDenied(str(error)) from None
        return Source(upstream.registry, name, remote, upstream.repository, upstream.rule, upstream.refresh)

    async def find(self, registry: Registry, name: str) -> Source | None:
        """The source of a repository; None if no rule covers it. Raises RemoteDenied."""
        upstream = await self.upstream(registry, name)
        return None if upstream is None else await self.of(upstream, name)
