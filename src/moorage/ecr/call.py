"""One call of an operation: who asks, of which registry, and the services that answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from moorage.core.identity.authentication import Credentials
from moorage.core.identity.authorization import AccessRequest
from moorage.core.registry.layers import UploadScope
from moorage.core.services import Services
from moorage.domain.errors import InvalidParameter
from moorage.domain.identity.callers import Caller
from moorage.domain.identity.policies.request import RequestContext
from moorage.domain.names import Registry
from moorage.metadata.database import Transaction, Work

T = TypeVar("T")
Handler = Callable[["Call", Any], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Call:
    """`registry` is the one that the request is about: the caller's own unless `registryId` names another account's.

    `announce` tells of the change that the call makes, in the change's transaction.
    """

    services: Services
    caller: Caller
    credentials: Credentials
    registry: Registry
    request_context: RequestContext
    announce: Callable[[Transaction], None]

    async def read(self, work: Work[T]) -> T:
        return await self.services.database.read(work)

    async def write(self, work: Work[T]) -> T:
        return await self.services.database.write(lambda tx: self._done(tx, work))

    def _done(self, tx: Transaction, work: Work[T]) -> T:
        result = work(tx)
        self.announce(tx)
        return result

    def access_request(self, action: str, repository: str | None = None) -> AccessRequest:
        """Whether the caller may also do this."""
        return AccessRequest(self.caller, action, self.registry, repository, lambda: self.request_context)

    def scope(self, repository: str) -> UploadScope:
        """Where an upload of this caller belongs."""
        return UploadScope(self.registry, repository, self.caller.user_id)


def seconds(microseconds: int) -> float:
    """A time as AWS JSON has it: seconds since 1970 with a fraction."""
    return microseconds / 1_000_000


@dataclass(frozen=True, slots=True)
class Page:
    """What a paged request asks for. `scope` ties its tokens to this very list."""

    scope: str
    limit: int
    position: list[Any] | None


def page_of(call: Call, request: Mapping[str, Any], scope: str, default_limit: int = 100) -> Page:
    """Read `nextToken` and `maxResults`. Raises InvalidParameter for a token of another list."""
    scope = f"{scope}:{call.registry.account}:{call.registry.region}"
    token = request.get("nextToken")
    position = call.services.pages.read(scope, token) if token else None
    return Page(scope, request.get("maxResults") or default_limit, position)


def next_token(call: Call, page: Page, position: list[Any] | None) -> dict[str, str]:
    """The member that leads to the next page; nothing on the last one."""
    return {} if position is None else {"nextToken": call.services.pages.issue(page.scope, position)}


def refuse_paging_with(request: Mapping[str, Any], listed: str, also: tuple[str, ...] = ()) -> None:
    """Lists asked for by name are not paged. Raises InvalidParameter."""
    for member in ("nextToken", "maxResults", *also):
        if request.get(member) is not None:
            raise InvalidParameter(parameter=member, constraint=f"{member} cannot be used when {listed} is specified")
