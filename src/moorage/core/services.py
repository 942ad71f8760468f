"""What a door needs of the core, in one parcel: made once by the composition root."""

from __future__ import annotations

from dataclasses import dataclass, replace

from moorage.core.clock import Clock
from moorage.core.events.audit import Audit
from moorage.core.garbage.grace import GracePeriods
from moorage.core.identity.authentication import Access
from moorage.core.identity.authorization import Authorizer
from moorage.core.lifecycle import policies as lifecycle
from moorage.core.pages import PageTokens
from moorage.core.registry.addresses import Addresses
from moorage.core.registry.layers import Layers
from moorage.core.registry.pulls import Pulls
from moorage.core.vault import Vault
from moorage.domain.ports import BlobStore
from moorage.domain.registry.encryption import Keys
from moorage.domain.registry.quotas import Quotas
from moorage.metadata.database import Database


@dataclass(frozen=True, slots=True)
class Services:
    database: Database
    blobs: BlobStore
    layers: Layers
    telling: GracePeriods
    access: Access
    authorizer: Authorizer
    pages: PageTokens
    pulls: Pulls
    vault: Vault
    addresses: Addresses
    now: Clock
    audit: Audit
    keys: Keys
    quotas: Quotas
    sparse_manifests: bool = False
    lifecycle_delay: int = lifecycle.DELAY

    def reached_at(self, scheme_and_host: tuple[str, str] | None) -> Services:
        """The same services for a client that came through a trusted proxy, which it called by scheme and host."""
        if scheme_and_host is None:
            return self
        return replace(self, addresses=self.addresses.reached_at(*scheme_and_host))
