"""Generate ids and secrets in AWS's format: `AKIA…` access keys, `ASIA…` session keys, `AIDA…` users, `AROA…` roles."""

from __future__ import annotations

import base64
import secrets

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def new_id(prefix: str) -> str:
    """A random id of 20 characters that starts with `prefix`."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(16))


def new_secret() -> str:
    """A random secret access key of 40 characters."""
    return base64.b64encode(secrets.token_bytes(30)).decode()
