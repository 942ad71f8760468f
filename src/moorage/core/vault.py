"""Secrets at rest and proofs in other people's hands, all from one master key of 32 bytes.

Secret access keys must be readable again to verify Signature Version 4, so they are sealed (AES-256-GCM), not hashed.
Tokens are payloads with an HMAC-SHA256. Each use has a key of its own, derived from the master key by its name.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_MAC_BYTES = 32


class Forged(Exception):
    """What was presented was not made by this vault for this use."""


class Vault:
    """Seals, opens, stamps and checks. One master key for all nodes of a registry."""

    def __init__(self, master_key: bytes) -> None:
        if len(master_key) != 32:
            raise ValueError("a master key has 32 bytes")
        self._master = master_key
        self._sealing = AESGCM(self._derived("seal"))
        self._open_cached = lru_cache(maxsize=4096)(self._open)

    def seal(self, secret: str, context: str) -> bytes:
        """Encrypt `secret`; it opens again only with the same `context` (the id of what it belongs to)."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._sealing.encrypt(nonce, secret.encode(), context.encode())

    def open(self, sealed: bytes, context: str) -> str:
        """Raises Forged when it was sealed with another key or for another context."""
        return self._open_cached(sealed, context)

    def stamp(self, payload: bytes, use: str) -> str:
        """A token of URL-safe text that carries `payload` in the clear and proves that we made it."""
        return base64.urlsafe_b64encode(self._mac(payload, use) + payload).decode().rstrip("=")

    def check(self, token: str, use: str) -> bytes:
        """The payload of a token that `stamp` made for the same use. Raises Forged."""
        try:
            content = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise Forged from None
        mac, payload = content[:_MAC_BYTES], content[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(payload, use)):
            raise Forged
        return payload

    def _open(self, sealed: bytes, context: str) -> str:
        try:
            return self._sealing.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode()).decode()
        except (InvalidTag, ValueError):
            raise Forged from None

    def _mac(self, payload: bytes, use: str) -> bytes:
        return hmac.digest(self._derived(use), payload, "sha256")

    def _derived(self, use: str) -> bytes:
        return hmac.digest(self._master, b"moorage:" + use.encode(), hashlib.sha256)
