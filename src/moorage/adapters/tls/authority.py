"""The built-in certificate authority: creates, signs and reads certificates as bytes, without files.

A certificate and its key are always one text, so neither a crash nor a reader can separate them.
"""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from moorage.domain.certificates import key_usage

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

AUTHORITY_LIFE: Final = timedelta(days=3650)
SERVER_LIFE: Final = timedelta(days=397)
"""One day less than the maximum that Apple's clients accept (support.apple.com/102028), from `not_valid_before`."""

_BACKDATED: Final = timedelta(hours=1)  # for clients whose clock is slow


class CertificateUnusable(Exception):
    """The certificate cannot be used; the text gives the reason."""


class CertifiedKey(NamedTuple):
    """A private key and its certificate chain; the first certificate is the key's."""

    chain: list[x509.Certificate]
    key: Key

    @property
    def certificate(self) -> x509.Certificate:
        return self.chain[0]

    def pem(self) -> bytes:
        """The certificates, then the key as PKCS #8."""
        form, nothing = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self.public_pem() + self.key.private_bytes(serialization.Encoding.PEM, form, nothing)

    def public_pem(self) -> bytes:
        return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in self.chain)


def read_certified_key(certificates: bytes, key: bytes) -> CertifiedKey:
    """Read PEM. Raises CertificateUnusable for invalid PEM, an encrypted key, or a key that does not match."""
    try:
        chain = x509.load_pem_x509_certificates(certificates)
        private = serialization.load_pem_private_key(key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateUnusable(str(error)) from None
    if not isinstance(private, Key):
        raise CertificateUnusable("the key must be an EC, RSA or Ed25519 key")
    if chain[0].public_key() != private.public_key():
        raise CertificateUnusable("the key does not belong to the certificate")
    return CertifiedKey(chain, private)


def names_in(certificate: x509.Certificate) -> list[str]:
    """The host names and addresses of a certificate, in its order."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in found if isinstance(name, x509.DNSName | x509.IPAddress)]


def new_authority(now: datetime) -> CertifiedKey:
    """An authority that is valid for ten years and signs server certificates only, no other authorities."""
    key = ec.generate_private_key(ec.SECP256R1())
    # A different name for each authority: clients that know two with the same name try only one.
    name = _name(f"Moorage {now:%Y-%m-%d} {x509.random_serial_number():x}"[:32])
    certificate = (
        _builder(name, name, key, now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return CertifiedKey([certificate], key)


def new_server(names: list[str], authority: CertifiedKey, now: datetime) -> CertifiedKey:
    """A server certificate for `names` (hosts and addresses) that does not outlive the authority.

    Raises CertificateUnusable for an invalid name.
    """
    assert isinstance(authority.key, ec.EllipticCurvePrivateKey)  # noqa: S101 - for the type checker: `new_authority` made it
    key = ec.generate_private_key(ec.SECP256R1())
    life = min(SERVER_LIFE, authority.certificate.not_valid_after_utc - now + _BACKDATED)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    certificate = (
        _builder(_name("Moorage"), authority.certificate.subject, key, now, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_subject_name(name) for name in names]), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return CertifiedKey([certificate], key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    begins = now - _BACKDATED
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _subject_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError:
        raise CertificateUnusable(f"{name!r} is not a host name") from None
