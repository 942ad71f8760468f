"""Signers outside this server: certificates, and envelopes as `notation sign` makes them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from moorage.domain.certificates import key_usage

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
DAY = timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Extension = tuple[x509.ExtensionType, bool]

AUTHORITY: list[Extension] = [
    (x509.BasicConstraints(ca=True, path_length=None), True),
    (key_usage(signs_certificates=True), True),
]
SIGNER: list[Extension] = [(key_usage(signs_certificates=False), True)]


@dataclass(frozen=True)
class Holder:
    """A key and its certificate."""

    key: Key
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def certified(
    name: str,
    issuer: Holder | None,
    extensions: Sequence[Extension],
    *,
    key: Key | None = None,
    start: datetime = NOW - DAY,
    end: datetime = NOW + 30 * DAY,
) -> Holder:
    """A holder whose certificate the issuer signs, or its own key."""
    own = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return Holder(own, builder.sign(issuer.key if issuer else own, hashes.SHA256()))


def with_long_exponent() -> x509.Certificate:
    """A certificate that names itself as its issuer, whose signature by its RSA key takes long to verify."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "slow")])
    bits = 3072  # OpenSSL refuses long exponents of longer keys.
    slow = rsa.RSAPublicNumbers((1 << bits - 2) - 1, (1 << bits) - 1).public_key()
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(slow).serial_number(1)
    builder = builder.not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    return builder.sign(rsa.generate_private_key(65537, bits), hashes.SHA256())


def signed(
    holder: Holder, chain: Sequence[x509.Certificate], digest: str, attributes: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """An envelope in the scheme notary.x509. `attributes` replace signed ones; None removes one."""
    algorithm, digest_of_key = _algorithm(holder.key)
    protected = {
        "alg": algorithm,
        "cty": "application/vnd.cncf.notary.payload.v1+json",
        "crit": ["io.cncf.notary.signingScheme"],
        "io.cncf.notary.signingScheme": "notary.x509",
        "io.cncf.notary.signingTime": NOW.isoformat(),
        **(attributes or {}),
    }
    payload = {
        "targetArtifact": {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 3}
    }
    head, body = (_base64url(json.dumps(each).encode()) for each in (protected, payload))
    return {
        "payload": body,
        "protected": head,
        "header": {"x5c": [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in chain]},
        "signature": _base64url(_signature(holder.key, f"{head}.{body}".encode(), digest_of_key)),
    }


def _algorithm(key: Key) -> tuple[str, hashes.HashAlgorithm]:
    size = {256: 256, 384: 384, 521: 512, 2048: 256, 3072: 384, 4096: 512}.get(key.key_size, 256)
    digest: hashes.HashAlgorithm = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}[size]
    return f"{'ES' if isinstance(key, ec.EllipticCurvePrivateKey) else 'PS'}{size}", digest


def _signature(key: Key, message: bytes, digest: hashes.HashAlgorithm) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    length = (key.key_size + 7) // 8
    return b"".join(one.to_bytes(length) for one in decode_dss_signature(key.sign(message, ec.ECDSA(digest))))


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
