"""One call of an operation, whichever service it belongs to: its caller, and the services that handlers use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from moorage.core.events.audit import AuditedRequest
from moorage.core.identity.authentication import Credentials
from moorage.core.identity.authorization import AccessRequest
from moorage.core.services import Services
from moorage.domain.errors import AccessDenied
from moorage.domain.identity.callers import Caller
from moorage.domain.identity.policies.request import RequestContext
from moorage.domain.names import Registry
from moorage.domain.units import SECOND
from moorage.metadata.database import Transaction, Work

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ApiCall:
    """`registry` has the account and Region that the call is about: the caller's own, unless the request names others.

    `run_reactions` runs the reactions to a call that changed something, in the transaction of the change.
    `request` is for audit records of what the call does beside its operation.
    """

    services: Services
    caller: Caller
    credentials: Credentials
    registry: Registry
    request_context: RequestContext
    run_reactions: Callable[[Transaction], None]
    request: AuditedRequest

    async def read(self, work: Work[T]) -> T:
        return await self.services.database.read(work)

    async def write(self, work: Work[T]) -> T:
        return await self.services.database.write(lambda tx: self._run(tx, work))

    def _run(self, tx: Transaction, work: Work[T]) -> T:
        result = work(tx)
        self.run_reactions(tx)
        return result

    def access_to(
        self, action: str, arn: str = "", tags: Mapping[str, str] | None = None, owner: Registry | None = None
    ) -> AccessRequest:
        """The access request of this caller for an action on a resource that is not of ECR; without `arn` on all.

        `tags` are the resource's, and `owner` has its account if that is not the one of the call.
        """
        return AccessRequest(
            self.caller, action, owner or self.registry, None, lambda: self.request_context, arn, tags or {}
        )

    async def authorize(self, *access_requests: AccessRequest) -> None:
        """Raises AccessDenied unless all of them are allowed."""
        for access_request in access_requests:
            await self.services.authorizer.check(access_request)

    async def authorize_without_revealing(self, claimed: AccessRequest, existing: AccessRequest | None) -> None:
        """Raises AccessDenied, from which a caller without permission does not learn whether a resource exists.

        `claimed` has only what the caller named, so its denial is the same for every resource. `existing` also has the
        tags; None if the resource does not exist.
        """
        if existing is None:
            await self.authorize(claimed)
            return
        try:
            await self.authorize(existing)
        except AccessDenied:
            await self.authorize(claimed)
            raise


C = TypeVar("C", bound=ApiCall)
HandlerOf = Callable[[C, Any], Awaitable[Mapping[str, Any]]]
"""Performs an operation of a service whose calls are of type C."""


def seconds(microseconds: int) -> float:
    """A timestamp of AWS JSON: seconds since the Unix epoch, with a fraction."""
    return microseconds / SECOND
