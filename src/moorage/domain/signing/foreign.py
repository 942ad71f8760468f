"""Verification of Notation signatures that were made elsewhere, by certificates that an operator trusts.

Notary Project specifications, "Trust Store and Trust Policy", section "Signature Verification", and "Signature
Specification", section "Certificate Requirements". Every check of the level `strict` is here but revocation, because
that needs requests to other servers. Timestamps of authorities (RFC 3161) are not read: without them, a signature
counts for as long as its certificates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID

from moorage.domain.certificates import is_issued_by
from moorage.domain.signing.envelope import EXPIRY, PLUGIN, SCHEME, SIGNING_AUTHORITY, TIME
from moorage.domain.signing.errors import SigningError
from moorage.domain.signing.verification import Envelope, SignatureInvalid, check, read_envelope, time_in
from moorage.domain.units import SECOND

T = TypeVar("T", bound=x509.ExtensionType)

X509: Final = "notary.x509"
"""The scheme of signatures whose time is not certain: they count while their certificates are valid."""

_TEXT_LIMIT: Final = 65_536
"""Bytes of a file with trusted certificates."""

_NOT_FOR_SIGNERS: Final = frozenset(
    {
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        ExtendedKeyUsageOID.TIME_STAMPING,
    }
)

_RSA: Final[dict[int, tuple[str, hashes.HashAlgorithm]]] = {
    2048: ("PS256", hashes.SHA256()),
    3072: ("PS384", hashes.SHA384()),
    4096: ("PS512", hashes.SHA512()),
}
_EC: Final[dict[str, tuple[str, hashes.HashAlgorithm]]] = {
    "secp256r1": ("ES256", hashes.SHA256()),
    "secp384r1": ("ES384", hashes.SHA384()),
    "secp521r1": ("ES512", hashes.SHA512()),
}
"""The algorithm of each key (specification, "Algorithm Selection")."""

_EXPONENT_BITS: Final = 31
"""The longest exponent of an RSA key that `notation` reads. Signatures by longer ones take long to verify."""


@dataclass(frozen=True, slots=True)
class Period:
    """When a valid signature counts, in microseconds: from `starts_at` until `ends_at`, unless it expires before."""

    starts_at: int
    ends_at: int
    expires_at: int | None

    def fault(self, now: int) -> str | None:
        """Why it does not count now; None if it does."""
        if self.expires_at is not None and self.expires_at <= now:
            return "it has expired"
        if not self.starts_at <= now < self.ends_at:
            return "a certificate of its chain is not valid now"
        return None


def read_certificates(text: str) -> list[x509.Certificate]:
    """The certificates of a trust store in PEM. Raises SigningError."""
    if len(text) > _TEXT_LIMIT:
        raise SigningError(f"a file of trusted certificates has at most {_TEXT_LIMIT} bytes")
    try:
        found = x509.load_pem_x509_certificates(text.encode())
        usable = all(_is_authority(one) or is_issued_by(one, one) for one in found)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningError(f"the file has no certificates in PEM: {error}") from None
    if not usable:
        raise SigningError("a trusted certificate must be that of a certificate authority, or sign itself")
    return found


def verify_foreign(content: bytes, digest: str, trusted: Sequence[x509.Certificate], scheme: str) -> Period:
    """Verify an envelope over the image with this digest, whose chain must lead to a trusted certificate.

    `scheme` is the one that the operator trusts these certificates for. Raises SignatureInvalid.
    """
    envelope = read_envelope(content)
    _check_attributes(envelope, digest, scheme)
    _check_chain(envelope.chain)
    _check_signature(envelope)
    if not any(one in trusted for one in envelope.chain):
        raise SignatureInvalid("its certificates lead to none that is trusted")
    period = Period(
        starts_at=max(int(one.not_valid_before_utc.timestamp()) * SECOND for one in envelope.chain),
        ends_at=min(int(one.not_valid_after_utc.timestamp()) * SECOND for one in envelope.chain),
        expires_at=time_in(envelope.protected, EXPIRY) if EXPIRY in envelope.protected else None,
    )
    if scheme == X509:
        return period
    signed_at = time_in(envelope.protected, TIME)
    if not period.starts_at <= signed_at <= period.ends_at:
        raise SignatureInvalid("a certificate of its chain was not valid when it was made")
    return Period(0, _ENDLESS, period.expires_at)


_ENDLESS: Final = 1 << 63


def _check_attributes(envelope: Envelope, digest: str, scheme: str) -> None:
    """The signed attributes (specification, "Signed Attributes"). Raises SignatureInvalid."""
    protected = envelope.protected
    if protected.get(SCHEME) != scheme:
        raise SignatureInvalid(f"its scheme is not {scheme}")
    if PLUGIN in protected:
        raise SignatureInvalid(f"it needs the plugin {str(protected[PLUGIN])[:100]!r}")
    required = {SCHEME, *({EXPIRY} & protected.keys()), *({TIME} if scheme == SIGNING_AUTHORITY else ())}
    critical = protected.get("crit")
    if not isinstance(critical, list) or {str(name) for name in critical} != required:
        raise SignatureInvalid("its critical attributes are not those of its scheme")
    if envelope.digest != digest:
        raise SignatureInvalid("it is of another image")


def _check_signature(envelope: Envelope) -> None:
    """The signature by the key of the first certificate, with the algorithm of that key. Raises SignatureInvalid."""
    key, raw, message = envelope.chain[0].public_key(), envelope.signature, envelope.message
    match key:
        case ec.EllipticCurvePublicKey() if key.curve.name in _EC:
            algorithm, digest = _EC[key.curve.name]
            half = (key.curve.key_size + 7) // 8
            numbers = int.from_bytes(raw[:half]), int.from_bytes(raw[half:])
            is_fitting = len(raw) == 2 * half
            check(lambda: key.verify(encode_dss_signature(*numbers), message, ec.ECDSA(digest)))
        case rsa.RSAPublicKey() if key.key_size in _RSA:
            algorithm, digest = _RSA[key.key_size]
            is_fitting = True
            scheme = padding.PSS(padding.MGF1(digest), padding.PSS.AUTO)
            check(lambda: key.verify(raw, message, scheme, digest))
        case _:
            raise SignatureInvalid("the key of its certificate is of no kind that Notation has")
    if not is_fitting or envelope.protected.get("alg") != algorithm:
        raise SignatureInvalid("its algorithm is not the one of its key")


def _check_chain(chain: Sequence[x509.Certificate]) -> None:
    """A complete chain from a signing certificate to a root. Raises SignatureInvalid."""
    try:
        if any(map(_has_long_exponent, chain)):
            raise SignatureInvalid("an RSA key of its chain has a longer exponent than any that Notation has")
        faults = [
            None if is_issued_by(one, issuer) else "its certificates are not a chain to a root"
            for one, issuer in zip(chain, [*chain[1:], chain[-1]], strict=True)
        ]
        if any(is_issued_by(one, one) for one in chain[:-1]):
            faults.append("its chain goes on after a root")
        if any(isinstance(one.signature_hash_algorithm, hashes.SHA1 | hashes.MD5) for one in chain):
            faults.append("a certificate of its chain has a weak signature")
        faults.append(None if _is_signer(chain[0]) else "its first certificate is not one for signing code")
        if not all(_is_authority(one, below) for below, one in enumerate(chain[1:])):
            faults.append("a certificate of its chain is not one of a certificate authority")
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise SignatureInvalid(f"a certificate of its chain cannot be read: {type(error).__name__}") from None
    for fault in faults:
        if fault is not None:
            raise SignatureInvalid(fault)


def _has_long_exponent(certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    return isinstance(key, rsa.RSAPublicKey) and key.public_numbers().e.bit_length() > _EXPONENT_BITS


def _is_authority(certificate: x509.Certificate, below: int = 0) -> bool:
    """Whether it may certify others, with this number of authorities between it and the signer."""
    limits = _extension(certificate, x509.BasicConstraints)
    usage = _extension(certificate, x509.KeyUsage)
    return (
        limits is not None
        and limits.critical
        and limits.value.ca
        and (limits.value.path_length is None or limits.value.path_length >= below)
        and usage is not None
        and usage.critical
        and usage.value.key_cert_sign
    )


def _is_signer(certificate: x509.Certificate) -> bool:
    """Whether its key may sign, and do nothing else (specification, "Leaf Certificates")."""
    limits = _extension(certificate, x509.BasicConstraints)
    usage = _extension(certificate, x509.KeyUsage)
    purposes = _extension(certificate, x509.ExtendedKeyUsage)
    if limits is not None and limits.value.ca:
        return False
    if purposes is not None and not _NOT_FOR_SIGNERS.isdisjoint(purposes.value):
        return False
    if usage is None or not usage.critical or not usage.value.digital_signature:
        return False
    found = usage.value
    return not (
        found.key_encipherment
        or found.data_encipherment
        or found.key_agreement
        or found.key_cert_sign
        or found.crl_sign
    )


def _extension(certificate: x509.Certificate, kind: type[T]) -> x509.Extension[T] | None:
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None
