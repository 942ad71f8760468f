"""Opaque page tokens: where a list goes on, provably ours, and only for the list it came from."""

from __future__ import annotations

from typing import Any

import msgspec

from moorage.core.vault import Forged, Vault
from moorage.domain.errors import InvalidParameter


class PageTokens:
    """Makes and reads `nextToken`. A position is a list of numbers and strings: the keys of the last row given."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def issue(self, scope: str, position: list[Any]) -> str:
        """`scope` names the list (operation, repository, filter): a token of one list is no token of another."""
        # Parsed names are strings of their own types, which msgspec does not take for strings.
        return self._vault.stamp(msgspec.msgpack.encode(position, enc_hook=str), f"page:{scope}")

    def read(self, scope: str, token: str) -> list[Any]:
        """Raises InvalidParameter for a token that was not issued for this list."""
        try:
            position: list[Any] = msgspec.msgpack.decode(self._vault.check(token, f"page:{scope}"), type=list[Any])
        except (Forged, msgspec.MsgspecError):
            raise InvalidParameter(parameter="nextToken", constraint="Invalid token") from None
        return position
