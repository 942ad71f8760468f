"""What repositories use, by pages with a sum for each account."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import ApiCall, HandlerOf
from moorage.metadata.database import Transaction
from moorage.metadata.registry import usage as rows
from moorage.metadata.registry.usage import Usage
from moorage.operating.service import requested_page, with_token

if TYPE_CHECKING:
    from moorage.operating import shapes

_AT_ONCE: Final = 10
"""Repositories in one transaction: a large one has thousands of layers."""

_LAYERS: Final = 20_000
"""Layers after which a page ends early."""

_SUMS: Final = ("images", "layers", "bytes", "ownBytes")


async def list_usage(call: ApiCall, request: shapes.ListUsageRequest) -> Mapping[str, Any]:
    """Only who operates the server learns the bytes that no other repository has: it depends on other accounts."""
    of_server = request.get("scope") == "SERVER"
    start: tuple[Any, ...] = (0,) if of_server else ("",)
    page = requested_page(call, request, f"ListUsage:{of_server}", start)
    found: list[Usage] = []
    after, is_complete = page.after[0], False
    while len(found) < page.limit and not is_complete and sum(row.layers for row in found) < _LAYERS:
        size = min(_AT_ONCE, page.limit - len(found))
        read = await call.read(partial(_read, call=call, of_server=of_server, after=after, size=size))
        found += read
        is_complete = len(read) < size
        if read:
            after = read[-1].id if of_server else read[-1].name
    repositories = [_view(row, with_own=of_server) for row in found]
    members = {"repositories": repositories, "accounts": _by_account(repositories)}
    return with_token(members, None if is_complete else page.token((after,)))


def _read(tx: Transaction, *, call: ApiCall, of_server: bool, after: Any, size: int) -> list[Usage]:
    return rows.page(tx, after, size) if of_server else rows.page_of_registry(tx, call.caller.registry, after, size)


def _view(row: Usage, *, with_own: bool) -> dict[str, Any]:
    view: dict[str, Any] = {
        "registryId": row.account,
        "region": row.region,
        "repositoryName": row.name,
        "images": row.images,
        "layers": row.layers,
        "bytes": row.bytes,
    }
    return view | {"ownBytes": row.own_bytes} if with_own else view


def _by_account(repositories: list[dict[str, Any]]) -> list[dict[str, Any]]:
    sums: dict[str, dict[str, Any]] = {}
    for each in repositories:
        total = sums.setdefault(each["registryId"], {"registryId": each["registryId"], "repositories": 0})
        total["repositories"] += 1
        for member in _SUMS:
            if member in each:
                total[member] = total.get(member, 0) + each[member]
    return [sums[account] for account in sorted(sums)]


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = {"ListUsage": list_usage}
