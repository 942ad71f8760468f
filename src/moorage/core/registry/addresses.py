"""Where a registry is reached: the URIs and URLs that the API returns must be usable as they are."""

from __future__ import annotations

from dataclasses import dataclass, replace

from moorage.domain.names import Registry, registry_of_host


@dataclass(frozen=True, slots=True)
class Addresses:
    """`host` is where the server listens; `domain`, if set, has a name for each registry. Both with their port."""

    scheme: str
    host: str
    domain: str | None = None

    def reached_at(self, scheme: str, host: str) -> Addresses:
        """The addresses for a client that came through a proxy and called it so.

        A domain that was set stays; a host of the form ACCOUNT.dkr.ecr.REGION.DOMAIN brings one.
        """
        if self.domain is not None:
            return replace(self, scheme=scheme, host=host)
        registry = registry_of_host(host)
        return Addresses(scheme, host, None if registry is None else host.partition(f".{registry.region}.")[2])

    def of(self, registry: Registry) -> str:
        """`localhost:5000`, or `ACCOUNT.dkr.ecr.REGION.DOMAIN`."""
        return self.host if self.domain is None else f"{registry.account}.dkr.ecr.{registry.region}.{self.domain}"

    def repository_uri(self, registry: Registry, name: str) -> str:
        return f"{self.of(registry)}/{name}"

    def proxy_endpoint(self, registry: Registry) -> str:
        return f"{self.scheme}://{self.of(registry)}"
