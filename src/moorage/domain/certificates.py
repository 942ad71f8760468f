"""X.509 certificates: what their keys may be used for, and who issued them (RFC 5280)."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature


def key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """For a certificate authority, or for a certificate whose key signs messages (section 4.2.1.3)."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's key signed the certificate, and their names fit."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
