"""Secrets and signatures of messages (Standard Webhooks specification)."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from typing import Final

from moorage.domain.units import SECOND

_PREFIX: Final = "whsec_"
_KEY_BYTES: Final = 32
_KEY_LENGTHS: Final = range(24, 65)


class SecretInvalid(Exception):
    """A secret cannot be used. The text says what a secret looks like and is shown to the operator."""


def new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """The bytes of a secret (Standard Webhooks, "Signature scheme"). Raises SecretInvalid."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or len(key) not in _KEY_LENGTHS:
        raise SecretInvalid(f"a secret is {_PREFIX} and the base64 of 24 to 64 random bytes")
    return key


def signature_headers(secret: str, event_id: str, body: bytes, now: int) -> dict[str, str]:
    """The headers that prove origin, content and time of a message.

    The signature covers the time, so that a receiver can reject replayed messages.
    """
    timestamp = str(now // SECOND)
    signature = hmac.digest(key_of(secret), f"{event_id}.{timestamp}.".encode() + body, "sha256")
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + base64.b64encode(signature).decode(),
    }
