"""The addresses of a registry, from which the API builds the URIs and URLs that it returns."""

from __future__ import annotations

from dataclasses import dataclass, replace

from moorage.domain.names import Registry, registry_of_host


@dataclass(frozen=True, slots=True)
class Addresses:
    """`host` is the server's host; `domain`, if set, has a subdomain for each registry. Both include the port.

    `is_host_set` says that the operator or the certificate names the host; otherwise it is derived from the address on
    which the server listens.
    """

    scheme: str
    host: str
    domain: str | None = None
    is_host_set: bool = False

    def called_at(self, scheme: str, host: str) -> Addresses:
        """The addresses for a client that certainly called the server at this scheme and host.

        A host that is set is kept: the operator chose it for all clients.
        """
        return self if self.is_host_set else self.reached_at(scheme, host)

    def reached_at(self, scheme: str, host: str) -> Addresses:
        """The addresses for a client behind a proxy, with the scheme and host that the client used.

        A configured domain is kept. Without one, a host of the form ACCOUNT.dkr.ecr.REGION.DOMAIN sets it.
        """
        if self.domain is not None:
            return replace(self, scheme=scheme, host=host)
        registry = registry_of_host(host)
        domain = None if registry is None else host.partition(f".{registry.region}.")[2]
        return replace(self, scheme=scheme, host=host, domain=domain)

    def host_of(self, registry: Registry) -> str:
        """The host of a registry: `localhost:5000`, or `ACCOUNT.dkr.ecr.REGION.DOMAIN`."""
        return self.host if self.domain is None else f"{registry.account}.dkr.ecr.{registry.region}.{self.domain}"

    def repository_uri(self, registry: Registry, name: str) -> str:
        return f"{self.host_of(registry)}/{name}"

    def proxy_endpoint(self, registry: Registry) -> str:
        return f"{self.scheme}://{self.host_of(registry)}"
