"""Ids and secrets in the forms that AWS gives them: keys `AKIA…`, of sessions `ASIA…`, users `AIDA…`, roles `AROA…`."""

from __future__ import annotations

import base64
import secrets

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def new_id(prefix: str) -> str:
    """20 characters, never given twice."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(16))


def new_secret() -> str:
    """40 characters."""
    return base64.b64encode(secrets.token_bytes(30)).decode()
