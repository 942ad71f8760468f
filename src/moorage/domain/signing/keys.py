"""The keys that sign: a port, so that they can be anywhere. ECDSA with P-384 and SHA-384 (ES384)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

NUMBER_BYTES: Final = 48
"""The length of each of the two numbers of a signature (RFC 7518, section 3.4)."""


@dataclass(frozen=True, slots=True)
class KeyReference:
    """A key as the database stores it: what the store of keys needs to use it, for the row with this id."""

    id: str
    sealed: bytes


class SigningKeys(Protocol):
    """A store of keys. Methods may block; they raise Unavailable when the store does not answer."""

    def create(self, key_id: str) -> tuple[KeyReference, ec.EllipticCurvePublicKey]:
        """A new key."""

    def keep(self, key_id: str, key: ec.EllipticCurvePrivateKey) -> KeyReference:
        """Keep a key that exists already."""

    def sign(self, key: KeyReference, message: bytes) -> bytes:
        """The signature of a message in the form of JWS: two numbers of 48 bytes."""

    def certify(self, key: KeyReference, certificate: x509.CertificateBuilder) -> x509.Certificate:
        """Sign a certificate."""

    def export(self, key: KeyReference) -> bytes:
        """The private key in PEM (PKCS #8)."""
