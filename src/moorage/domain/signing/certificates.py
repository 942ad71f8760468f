"""Certificates of signing keys (Notary Project specification, "Certificate requirements").

One root for each account signs one certificate for each version of a profile. A signature stays valid after the
certificate of its key has ended, because it carries the time at which this server made it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from moorage.domain.certificates import key_usage
from moorage.domain.signing.errors import SigningError
from moorage.domain.signing.profiles import ProfileName
from moorage.domain.units import SECOND

ROOT_LIFE: Final = timedelta(days=7305)
"""Twenty years."""

LEAF_LIFE: Final = timedelta(days=397)
RENEWAL_BEFORE_END: Final = timedelta(days=30)
"""A profile gets a new version, with a new key, when the certificate of its key ends so soon."""

_BACKDATED: Final = timedelta(minutes=5)
"""For verifiers whose clock is slow, and for signatures of the same second."""


def time_of(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds // SECOND, UTC)


def root_builder(account: str, public: ec.EllipticCurvePublicKey, now: datetime) -> x509.CertificateBuilder:
    """The certificate of a new root, which has a name of its own: a trust store may hold several."""
    number = x509.random_serial_number()
    subject = _name(f"Moorage signing root {account} {number:x}"[:64])
    return (
        _builder(subject, subject, public, now, now + ROOT_LIFE, number)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(signs_certificates=True), critical=True)
    )


def leaf_builder(
    profile: ProfileName, public: ec.EllipticCurvePublicKey, root: x509.Certificate, now: datetime
) -> x509.CertificateBuilder:
    """The certificate of a profile version, which does not outlive the root."""
    end = min(now + LEAF_LIFE, root.not_valid_after_utc)
    subject = _name(profile.name, profile.registry.account)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
        root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    )
    return (
        _builder(subject, root.subject, public, now, end, x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
        .add_extension(issuer, critical=False)
    )


def read_root(text: bytes, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The certificate and private key in a PEM text. Raises SigningError if they cannot be a root."""
    try:
        certificate = x509.load_pem_x509_certificate(text)
        key = load_pem_private_key(text, None)
        limits = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, x509.ExtensionNotFound, InvalidSignature, UnsupportedAlgorithm) as error:
        raise SigningError(f"the file must have a root certificate and its private key, both in PEM: {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != ec.SECP384R1().name:
        raise SigningError("the key of a signing root must be an EC key with the curve P-384")
    if key.public_key() != certificate.public_key() or not limits.ca:
        raise SigningError("the certificate is not that of a root with this key")
    if certificate.not_valid_after_utc - now < LEAF_LIFE:
        raise SigningError(f"the certificate of the root ends too soon: {certificate.not_valid_after_utc:%Y-%m-%d}")
    return certificate, key


def identity_of(profile: ProfileName) -> str:
    """The trusted identity of a profile's certificates in a trust policy of Notation."""
    parts = ("C=US", "ST=Harbour", "O=Moorage", f"OU={profile.registry.account}", f"CN={profile.name}")
    return f"x509.subject: {', '.join(parts)}"


def chain_hashes(chain: Sequence[x509.Certificate]) -> tuple[str, ...]:
    """The hashes by which GetRevocationStatus names certificates, the first certificate's first.

    Each is the SHA-384 of the certificate's signed part, followed by that of its issuer (AWS Signer's plugin for
    Notation). The root is its own issuer.
    """
    own = [hashlib.sha384(certificate.tbs_certificate_bytes).hexdigest() for certificate in chain]
    return tuple(child + issuer for child, issuer in zip(own, [*own[1:], own[-1]], strict=True))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    start: datetime,
    end: datetime,
    number: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(number)
        .not_valid_before(start - _BACKDATED)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _name(common: str, unit: str | None = None) -> x509.Name:
    """A name with the attributes that trust policies need: country, state and organization."""
    attributes = [(NameOID.COUNTRY_NAME, "US"), (NameOID.STATE_OR_PROVINCE_NAME, "Harbour")]
    attributes.append((NameOID.ORGANIZATION_NAME, "Moorage"))
    if unit is not None:
        attributes.append((NameOID.ORGANIZATIONAL_UNIT_NAME, unit))
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in (*attributes, (NameOID.COMMON_NAME, common))])
