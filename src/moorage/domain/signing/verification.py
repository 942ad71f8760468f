"""Verification of signatures of images: envelopes of Notation made by this server's profiles, and those of cosign.

Notary Project specification, "JWS Signature Envelope"; cosign, "Signature Specification" and "Bundle Format". Results
say what a signature states; whether its profile or its job was revoked is known elsewhere.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key

from moorage.domain import strict_json
from moorage.domain.signing.certificates import chain_hashes
from moorage.domain.signing.envelope import EXPIRY, JOB, PAYLOAD_TYPE, SCHEME, SIGNING_AUTHORITY, TIME
from moorage.domain.signing.errors import SigningError
from moorage.domain.signing.keys import NUMBER_BYTES
from moorage.domain.strict_json import BadJson
from moorage.domain.units import SECOND

COSIGN_PAYLOAD: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
COSIGN_SIGNATURE: Final = "dev.cosignproject.cosign/signature"
"""The media type of a layer that cosign signed, and the annotation that has its signature."""

BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
_STATEMENT: Final = "application/vnd.in-toto+json"

_LONGEST_CHAIN: Final = 8


class SignatureInvalid(Exception):
    """The signature does not prove what it should; the text is the reason."""


@dataclass(frozen=True, slots=True)
class NotationFacts:
    """What a valid envelope states. `certificate` and its hash identify the profile version that made it."""

    certificate: bytes
    certificate_hash: str
    signed_at: int
    ends_at: int
    job: str


PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


class _Header(msgspec.Struct):
    x5c: list[str]


class _Json(msgspec.Struct):
    payload: str
    protected: str
    header: _Header
    signature: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope that was read and not verified: its signed attributes, and the digest of the image that it names."""

    protected: Mapping[str, Any]
    digest: str
    chain: list[x509.Certificate]
    signature: bytes
    message: bytes


def read_envelope(content: bytes) -> Envelope:
    """Read an envelope in JSON. Raises SignatureInvalid."""
    try:
        envelope = strict_json.read_as(_Json, content)
        protected = strict_json.read_as(dict[str, Any], _base64url(envelope.protected))
        payload = strict_json.read_as(dict[str, Any], _base64url(envelope.payload))
        certificates = [base64.b64decode(one, validate=True) for one in envelope.header.x5c[:_LONGEST_CHAIN]]
        chain = [x509.load_der_x509_certificate(one) for one in certificates]
        chain[0].public_key()
        signature = _base64url(envelope.signature)
        digest = payload["targetArtifact"]["digest"]
    except (BadJson, ValueError, TypeError, KeyError, IndexError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise SignatureInvalid(f"it is not an envelope of Notation: {type(error).__name__}") from None
    if protected.get("cty") != PAYLOAD_TYPE:
        raise SignatureInvalid("its payload is not one of Notation")
    message = f"{envelope.protected}.{envelope.payload}".encode()
    return Envelope(protected, str(digest), chain, signature, message)


def verify_notation(content: bytes, digest: str) -> NotationFacts:
    """Verify an envelope over the image with this digest. Raises SignatureInvalid.

    Only what this server's profiles make is accepted: ES384 and the scheme of a signing authority. Whose certificate it
    is remains to be checked.
    """
    envelope = read_envelope(content)
    protected, raw, public = envelope.protected, envelope.signature, envelope.chain[0].public_key()
    expected = {"alg": "ES384", SCHEME: SIGNING_AUTHORITY}
    if any(protected.get(name) != value for name, value in expected.items()) or len(raw) != 2 * NUMBER_BYTES:
        raise SignatureInvalid("it has another scheme or algorithm than those of this server")
    if envelope.digest != digest:
        raise SignatureInvalid("it is of another image")
    numbers = int.from_bytes(raw[:NUMBER_BYTES]), int.from_bytes(raw[NUMBER_BYTES:])
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise SignatureInvalid("its certificate has no elliptic curve key")
    check(lambda: public.verify(encode_dss_signature(*numbers), envelope.message, ec.ECDSA(hashes.SHA384())))
    return NotationFacts(
        certificate=envelope.chain[0].public_bytes(Encoding.DER),
        certificate_hash=chain_hashes(envelope.chain)[0],
        signed_at=time_in(protected, TIME),
        ends_at=time_in(protected, EXPIRY),
        job=str(protected.get(JOB, "")).rpartition("/")[2],
    )


def read_public_key(text: str) -> PublicKey:
    """A public key in PEM, such as cosign.pub. Raises SigningError."""
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningError(f"the file has no public key in PEM: {error}") from None
    if not isinstance(key, PublicKey):
        raise SigningError("the key must be an EC, RSA or Ed25519 key")
    return key


def verify_cosign(content: bytes, signature: str, digest: str, key: PublicKey) -> None:
    """Verify cosign's signature of a payload that names an image. Raises SignatureInvalid."""
    try:
        payload = strict_json.read_as(dict[str, Any], content)
        named = payload["critical"]["image"]["docker-manifest-digest"]
        raw = base64.b64decode(signature, validate=True)
    except (BadJson, ValueError, TypeError, KeyError) as error:
        raise SignatureInvalid(f"it is not a payload of cosign: {type(error).__name__}") from None
    if named != digest:
        raise SignatureInvalid("it is of another image")
    _verify(key, raw, content)


def verify_bundle(content: bytes, digest: str, key: PublicKey) -> None:
    """Verify a Sigstore bundle with a statement about an image. Raises SignatureInvalid."""
    try:
        envelope = strict_json.read_as(dict[str, Any], content)["dsseEnvelope"]
        kind = envelope["payloadType"]
        body = base64.b64decode(envelope["payload"], validate=True)
        raw = base64.b64decode(envelope["signatures"][0]["sig"], validate=True)
        subjects = strict_json.read_as(dict[str, Any], body)["subject"]
        named = {f"{algorithm}:{text}" for subject in subjects for algorithm, text in subject["digest"].items()}
    except (BadJson, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise SignatureInvalid(f"it is not a bundle with a signed statement: {type(error).__name__}") from None
    if kind != _STATEMENT or digest not in named:
        raise SignatureInvalid("it is of another image")
    _verify(key, raw, b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(body), body))


def _verify(key: PublicKey, signature: bytes, message: bytes) -> None:
    """Raises SignatureInvalid."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        check(lambda: key.verify(signature, message, ec.ECDSA(hashes.SHA256())))
    elif isinstance(key, rsa.RSAPublicKey):
        check(lambda: key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256()))
    else:
        check(lambda: key.verify(signature, message))


def check(verify: Callable[[], None]) -> None:
    """Raises SignatureInvalid if the signature is not one of the key."""
    try:
        verify()
    except (InvalidSignature, ValueError):
        raise SignatureInvalid("the signature does not match the key") from None


def _base64url(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def time_in(protected: Mapping[str, Any], name: str) -> int:
    """The time in a signed attribute, in whole seconds (RFC 3339). Raises SignatureInvalid."""
    try:
        found = datetime.fromisoformat(protected[name])
    except (KeyError, TypeError, ValueError):
        raise SignatureInvalid(f"it has no valid {name}") from None
    return int(found.replace(tzinfo=found.tzinfo or UTC).timestamp()) * SECOND
