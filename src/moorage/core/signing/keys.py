"""Signing keys in the database, encrypted with the master key."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from moorage.core.vault import Vault
from moorage.domain.signing.keys import NUMBER_BYTES, KeyReference


class SealedKeys:
    """The port `SigningKeys` over the vault: each key is opened when it is used."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def create(self, key_id: str) -> tuple[KeyReference, ec.EllipticCurvePublicKey]:
        key = ec.generate_private_key(ec.SECP384R1())
        return self.keep(key_id, key), key.public_key()

    def keep(self, key_id: str, key: ec.EllipticCurvePrivateKey) -> KeyReference:
        return KeyReference(key_id, self._vault.seal(_pem(key).decode(), key_id))

    def sign(self, key: KeyReference, message: bytes) -> bytes:
        numbers = decode_dss_signature(self._open(key).sign(message, ec.ECDSA(hashes.SHA384())))
        return b"".join(number.to_bytes(NUMBER_BYTES, "big") for number in numbers)

    def certify(self, key: KeyReference, certificate: x509.CertificateBuilder) -> x509.Certificate:
        return certificate.sign(self._open(key), hashes.SHA384())

    def export(self, key: KeyReference) -> bytes:
        return _pem(self._open(key))

    def _open(self, key: KeyReference) -> ec.EllipticCurvePrivateKey:
        private = load_pem_private_key(self._vault.open(key.sealed, key.id).encode(), None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)  # noqa: S101 - for the type checker: `keep` sealed it
        return private


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
