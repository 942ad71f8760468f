"""Download links: URLs of layers with a short-lived permission, as GetDownloadUrlForLayer returns them."""

from __future__ import annotations

from typing import Final

import msgspec

from moorage.core.clock import Clock
from moorage.core.vault import Forged, Vault
from moorage.domain.errors import AccessDenied
from moorage.domain.names import Registry
from moorage.domain.units import HOUR
from moorage.metadata.database import Transaction
from moorage.metadata.registry import layers
from moorage.metadata.registry.layers import Blob

LINK_LIFE: Final = HOUR
"""ECR's own links are S3 URLs that expire after an hour."""


class _Link(msgspec.Struct, array_like=True, frozen=True):
    account: str
    region: str
    repository: str
    digest: str
    expires: int


class DownloadLinks:
    """Creates and checks download links. Nothing is stored: the token proves the permission."""

    def __init__(self, vault: Vault, now: Clock) -> None:
        self._vault = vault
        self._now = now

    def path(self, registry: Registry, repository: str, digest: str) -> str:
        """The path and query of a URL that returns the layer's bytes without authentication, for an hour."""
        link = _Link(registry.account, registry.region, str(repository), str(digest), self._now() + LINK_LIFE)
        token = self._vault.stamp(msgspec.msgpack.encode(link), "download")
        return f"/layers/{digest}?token={token}"

    def blob(self, tx: Transaction, digest: str, token: str) -> Blob | None:
        """The blob of a link; None if it no longer exists. Raises AccessDenied for an invalid or expired link."""
        try:
            link = msgspec.msgpack.decode(self._vault.check(token, "download"), type=_Link)
        except (Forged, msgspec.MsgspecError):
            raise _denied(digest, "the link was not made by this registry") from None
        if link.digest != digest:
            raise _denied(digest, "the link was made for another layer")
        if link.expires <= self._now():
            raise _denied(digest, "the link has expired")
        return layers.find_layer_by_name(tx, link.account, link.region, link.repository, digest)


def _denied(digest: str, reason: str) -> AccessDenied:
    action = "ecr:GetDownloadUrlForLayer"
    return AccessDenied(principal="anonymous", action=action, resource=digest[:200], reason=reason)
