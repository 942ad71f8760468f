"""An issuer of OpenID Connect tokens for tests. It signs any claims, valid or not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

AUDIENCE = "sts.amazonaws.com"
SUBJECT = "repo:octo/app:ref:refs/heads/main"


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def number(value: int) -> str:
    return encoded(value.to_bytes((value.bit_length() + 7) // 8))


class Issuer:
    """Has one key of each kind, `r1` and `e1`, and publishes both."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.rsa = rsa.generate_private_key(65537, 2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())

    @property
    def rsa_jwk(self) -> dict[str, Any]:
        public = self.rsa.public_key().public_numbers()
        return {"kty": "RSA", "kid": "r1", "use": "sig", "alg": "RS256", "n": number(public.n), "e": number(public.e)}

    @property
    def ec_jwk(self) -> dict[str, Any]:
        public = self.ec.public_key().public_numbers()
        x, y = (encoded(value.to_bytes(32)) for value in (public.x, public.y))
        return {"kty": "EC", "kid": "e1", "crv": "P-256", "x": x, "y": y}

    def key_set(self) -> str:
        return json.dumps({"keys": [self.rsa_jwk, self.ec_jwk]})

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of a valid token. A claim that is changed to None is omitted."""
        now = int(time.time())
        good = {"iss": self.url, "sub": SUBJECT, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 600}
        return {name: value for name, value in (good | changes).items() if value is not None}

    def token(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """A token with these claims, signed as its header says: RS256 by default."""
        head = {"typ": "JWT", "alg": "RS256", "kid": "r1"} if header is None else header
        parts = f"{encoded(json.dumps(head).encode())}.{encoded(json.dumps(self.claims(**changes)).encode())}"
        return f"{parts}.{encoded(self.signature(head['alg'], parts.encode()))}"

    def signature(self, algorithm: str, signed: bytes) -> bytes:
        if algorithm == "RS256":
            return self.rsa.sign(signed, padding.PKCS1v15(), SHA256())
        if algorithm == "ES256":
            r, s = decode_dss_signature(self.ec.sign(signed, ec.ECDSA(SHA256())))
            return r.to_bytes(32) + s.to_bytes(32)
        if algorithm == "HS256":  # Signed with the public key as the secret: the classic algorithm confusion.
            return hmac.digest(self.key_set().encode(), signed, hashlib.sha256)
        return b""
