"""Where a registry is reached: the URIs and URLs that the API returns must be usable as they are."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.domain.names import Registry


@dataclass(frozen=True, slots=True)
class Addresses:
    """`host` is where the server listens; `domain`, if set, has a name for each registry. Both with their port."""

    scheme: str
    host: str
    domain: str | None = None

    def of(self, registry: Registry) -> str:
        """`localhost:5000`, or `ACCOUNT.dkr.ecr.REGION.DOMAIN`."""
        return self.host if self.domain is None else f"{registry.account}.dkr.ecr.{registry.region}.{self.domain}"

    def repository_uri(self, registry: Registry, name: str) -> str:
        return f"{self.of(registry)}/{name}"

    def proxy_endpoint(self, registry: Registry) -> str:
        return f"{self.scheme}://{self.of(registry)}"
