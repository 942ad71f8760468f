"""What keeps an image or a layer in a repository. Who may see the images of the repository may ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import ApiCall, HandlerOf, seconds
from moorage.core.garbage.why import Retention, why_in
from moorage.core.identity.authorization import AccessRequest
from moorage.metadata.database import Transaction
from moorage.operating.refusals import ResourceNotFound
from moorage.operating.service import repository_named

if TYPE_CHECKING:
    from moorage.operating import shapes

_REASONS: Final = 100
_TAGS: Final = 20


async def list_retention_reasons(call: ApiCall, request: shapes.ListRetentionReasonsRequest) -> Mapping[str, Any]:
    """Raises ResourceNotFound."""
    name, digest = request["repositoryName"], request["digest"]
    await call.authorize(
        AccessRequest(call.caller, "ecr:DescribeImages", call.registry, name, lambda: call.request_context)
    )
    grace = call.services.limits.grace_period

    def read(tx: Transaction) -> list[Retention]:
        return why_in(tx, repository_named(tx, call, name), digest, grace, _REASONS + 1)

    found = await call.read(read)
    if not found:
        raise ResourceNotFound(reason=f"The repository {name} has no image and no layer with the digest {digest}")
    return {"reasons": [_view(one) for one in found[:_REASONS]], "isComplete": len(found) <= _REASONS}


def _view(retention: Retention) -> dict[str, Any]:
    view: dict[str, Any] = {"kind": retention.reason.value, "imageTags": list(retention.tags[:_TAGS])}
    if retention.name:
        view["imageDigest"] = retention.name
    if retention.until is not None:
        view["until"] = seconds(retention.until)
    return view


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = {"ListRetentionReasons": list_retention_reasons}
