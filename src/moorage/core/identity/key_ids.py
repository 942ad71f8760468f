"""Generate ids and secrets in AWS's format.

`AKIA…` access keys, `ASIA…` session keys, `AIDA…` users, `AROA…` roles, `ANPA…` managed policies.
"""

from __future__ import annotations

import base64
import hashlib
import secrets

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def new_id(prefix: str) -> str:
    """A random id of 20 characters that starts with `prefix`."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(16))


def derived_id(prefix: str, *parts: object) -> str:
    """The id of 20 characters for what these values identify. It is the same whenever it is derived."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return prefix + base64.b32encode(digest).decode()[:16]


def new_secret() -> str:
    """A random secret access key of 40 characters."""
    return base64.b64encode(secrets.token_bytes(30)).decode()
