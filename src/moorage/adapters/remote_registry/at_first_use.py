"""Remote registries, for servers of which most talk to none: the client is imported when one is first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moorage.domain.remote_registries import RemoteAddress, RemoteRegistries, RemoteRegistry
from moorage.first_use import at_first_use

if TYPE_CHECKING:
    from moorage.adapters.remote_registry import registries
else:
    registries = at_first_use("moorage.adapters.remote_registry.registries")


class RegistriesAtFirstUse:
    """See `RemoteRegistries`. With `proxy`, an http URL, some registries are reached through it."""

    def __init__(self, proxy: str | None) -> None:
        self._proxy = proxy
        self._used: RemoteRegistries | None = None

    def at(self, address: RemoteAddress) -> RemoteRegistry:
        """See `RemoteRegistries.at`."""
        if self._used is None:
            self._used = registries.DistributionRegistries(proxy=self._proxy)
        return self._used.at(address)

    async def close(self) -> None:
        """See `RemoteRegistries.close`."""
        if self._used is not None:
            await self._used.close()
