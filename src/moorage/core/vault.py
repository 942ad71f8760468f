"""The vault: encrypts secrets and signs tokens with keys derived from one master key of 32 bytes.

Verifying Signature Version 4 needs the secret access key itself, so secrets are encrypted (AES-256-GCM), not hashed.
Tokens are payloads with an HMAC-SHA256, or encrypted if their content is secret. Each use has its own key, derived
from the master key and the use's name.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from moorage.bounds import bounded_cache

_NONCE_BYTES = 12
_MAC_BYTES = 32


class Forged(Exception):
    """A token or sealed secret was not made with this master key for this use."""


class Vault:
    """Encryption (`seal`, `open`), signed tokens (`stamp`, `check`) and secret ones (`seal_token`, `open_token`).

    All nodes have the same master key.
    """

    def __init__(self, master_key: bytes) -> None:
        if len(master_key) != 32:
            raise ValueError("a master key has 32 bytes")
        self._master = master_key
        self._sealing = AESGCM(self._derived("seal"))
        self._open_cached = bounded_cache(entries=4096, size=1 << 20)(self._open)

    def seal(self, secret: str, context: str) -> bytes:
        """Encrypt `secret`. Decrypting needs the same `context`, for example the id of the secret's access key."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._sealing.encrypt(nonce, secret.encode(), context.encode())

    def open(self, sealed: bytes, context: str) -> str:
        """Decrypt a secret. Raises Forged if it was sealed with another key or for another context."""
        return self._open_cached(sealed, context)

    def stamp(self, payload: bytes, use: str) -> str:
        """A URL-safe token with `payload`, which is readable, and a MAC that proves its origin."""
        return _encoded(self._mac(payload, use) + payload)

    def check(self, token: str, use: str) -> bytes:
        """The payload of a token of `stamp` with the same `use`. Raises Forged."""
        content = _decoded(token)
        mac, payload = content[:_MAC_BYTES], content[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(payload, use)):
            raise Forged
        return payload

    def signer(self, use: str) -> Callable[[bytes], bytes]:
        """A function that returns the MAC of a text, for a use that needs it in every request."""
        key = self._derived(use)
        return lambda payload: hmac.digest(key, payload, "sha256")

    def seal_token(self, payload: bytes, use: str) -> str:
        """A URL-safe token from which only this server can read the payload."""
        nonce = os.urandom(_NONCE_BYTES)
        return _encoded(nonce + AESGCM(self._derived(use)).encrypt(nonce, payload, None))

    def open_token(self, token: str, use: str) -> bytes:
        """The payload of a token of `seal_token` with the same `use`. Raises Forged."""
        content = _decoded(token)
        try:
            return AESGCM(self._derived(use)).decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], None)
        except (InvalidTag, ValueError):
            raise Forged from None

    def _open(self, sealed: bytes, context: str) -> str:
        try:
            return self._sealing.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode()).decode()
        except (InvalidTag, ValueError):
            raise Forged from None

    def _mac(self, payload: bytes, use: str) -> bytes:
        return hmac.digest(self._derived(use), payload, "sha256")

    def _derived(self, use: str) -> bytes:
        return hmac.digest(self._master, b"moorage:" + use.encode(), hashlib.sha256)


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decoded(token: str) -> bytes:
    try:
        return base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Forged from None
