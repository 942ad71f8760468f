"""The services of the core, in one value that the composition root creates and passes to every endpoint."""

from __future__ import annotations

from dataclasses import dataclass, replace

from moorage.core.clock import Clock
from moorage.core.events.audit import Audit
from moorage.core.garbage.grace import GracePeriods
from moorage.core.identity.authentication import Authenticator
from moorage.core.identity.authorization import Authorizer
from moorage.core.limits import Limits
from moorage.core.operating.audit_records import AuditRecords
from moorage.core.operating.status import ServerStatus
from moorage.core.pages import PageTokens
from moorage.core.pull_through.cache import PullThroughCache
from moorage.core.pull_through.upstreams import Upstreams
from moorage.core.reactions import Reactions
from moorage.core.registry.addresses import Addresses
from moorage.core.registry.downloads import DownloadLinks
from moorage.core.registry.images import Images
from moorage.core.registry.layers import Layers
from moorage.core.registry.mounts import Mounts
from moorage.core.registry.pulls import Pulls
from moorage.core.secrets.changes import Secrets
from moorage.core.signing.guard import SignatureGuard
from moorage.core.signing.signatures import Signatures
from moorage.domain.ports import BlobStore
from moorage.domain.remote_registries import RemoteRegistries
from moorage.metadata.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All services of the core. `now` returns the time in microseconds. Only in a server is there a `status`.

    `operator` is the account whose callers can operate the whole server.
    """

    operator: str
    database: Database
    blobs: BlobStore
    layers: Layers
    mounts: Mounts
    images: Images
    grace_periods: GracePeriods
    authenticator: Authenticator
    authorizer: Authorizer
    pages: PageTokens
    pulls: Pulls
    download_links: DownloadLinks
    addresses: Addresses
    now: Clock
    audit: Audit
    limits: Limits
    reactions: Reactions
    remotes: RemoteRegistries
    secrets: Secrets
    upstreams: Upstreams
    pull_through: PullThroughCache
    signatures: Signatures
    guard: SignatureGuard
    audit_records: AuditRecords
    status: ServerStatus | None = None

    def with_addresses(self, addresses: Addresses) -> Services:
        """The same services for a client that gets these addresses."""
        return self if addresses is self.addresses else replace(self, addresses=addresses)

    async def stop(self) -> None:
        """Write what waits for it, and close the connections to other registries. The database must still be open."""
        await self.pull_through.stop()
        self.pulls.flush()
        await self.remotes.close()
