"""One call of an operation: its caller, its registry, and the services that handlers use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from moorage.core.identity.authentication import Credentials
from moorage.core.identity.authorization import AccessRequest
from moorage.core.registry.layers import UploadScope
from moorage.core.services import Services
from moorage.domain.identity.callers import Caller
from moorage.domain.identity.policies.request import RequestContext
from moorage.domain.names import Registry
from moorage.domain.units import SECOND
from moorage.metadata.database import Transaction, Work

T = TypeVar("T")
Handler = Callable[["Call", Any], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Call:
    """`registry` is the caller's own, unless the request names another account in `registryId` or an ARN.

    `run_reactions` runs the reactions to a call that changed something, in the transaction of the change.
    """

    services: Services
    caller: Caller
    credentials: Credentials
    registry: Registry
    request_context: RequestContext
    run_reactions: Callable[[Transaction], None]

    async def read(self, work: Work[T]) -> T:
        return await self.services.database.read(work)

    async def write(self, work: Work[T]) -> T:
        return await self.services.database.write(lambda tx: self._run(tx, work))

    def _run(self, tx: Transaction, work: Work[T]) -> T:
        result = work(tx)
        self.run_reactions(tx)
        return result

    def access_request(self, action: str, repository: str | None = None) -> AccessRequest:
        """The access request of this caller for another action or repository."""
        return AccessRequest(self.caller, action, self.registry, repository, lambda: self.request_context)

    def scope(self, repository: str) -> UploadScope:
        """The scope of this caller's uploads to a repository."""
        return UploadScope(self.registry, repository, self.caller.user_id)


def seconds(microseconds: int) -> float:
    """A timestamp of AWS JSON: seconds since the Unix epoch, with a fraction."""
    return microseconds / SECOND
