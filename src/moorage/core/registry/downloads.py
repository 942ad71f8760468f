"""Links to layers that carry their own, short-lived permission: what GetDownloadUrlForLayer hands out."""

from __future__ import annotations

from typing import Final

import msgspec

from moorage.core.clock import HOUR
from moorage.core.services import Services
from moorage.core.vault import Forged
from moorage.domain.errors import AccessDenied
from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.registry import layers
from moorage.metadata.registry.layers import Blob

LINK_LIFE: Final = HOUR
"""ECR's own links are S3 URLs that end after an hour."""


class _Link(msgspec.Struct, array_like=True, frozen=True):
    account: str
    region: str
    repository: str
    digest: str
    expires: int


def download_url(services: Services, registry: Registry, repository: str, digest: str) -> str:
    """A URL that gives the layer's bytes to whoever has it, for an hour."""
    link = _Link(registry.account, registry.region, str(repository), str(digest), services.now() + LINK_LIFE)
    token = services.vault.stamp(msgspec.msgpack.encode(link), "download")
    return f"{services.addresses.proxy_endpoint(registry)}/layers/{digest}?token={token}"


def linked_blob(tx: Transaction, services: Services, digest: str, token: str) -> Blob | None:
    """The blob that a link names; None when it is gone since. Raises AccessDenied for a link not ours or over."""
    try:
        link = msgspec.msgpack.decode(services.vault.check(token, "download"), type=_Link)
    except (Forged, msgspec.MsgspecError):
        raise _denied(digest, "the link was not made by this registry") from None
    if link.digest != digest:
        raise _denied(digest, "the link was made for another layer")
    if link.expires <= services.now():
        raise _denied(digest, "the link has expired")
    return layers.find_layer_by_name(tx, link.account, link.region, link.repository, digest)


def _denied(digest: str, reason: str) -> AccessDenied:
    action = "ecr:GetDownloadUrlForLayer"
    return AccessDenied(principal="anonymous", action=action, resource=digest[:200], reason=reason)
