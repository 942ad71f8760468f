"""Notation signatures: the JWS envelope, and the annotations with which it becomes a referrer of an image.

Notary Project specifications, "Signature Specification" and "JWS Signature Envelope". The scheme is
`notary.x509.signingAuthority`, as in AWS Signer: the time of the signature is this server's word.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from moorage.domain.units import iso_time

ENVELOPE_TYPE: Final = "application/jose+json"
COSE_ENVELOPE: Final = "application/cose"
NOTATION_ENVELOPES: Final = frozenset({ENVELOPE_TYPE, COSE_ENVELOPE})
"""The media types of envelopes of Notation. This server makes and reads the first."""

PAYLOAD_TYPE: Final = "application/vnd.cncf.notary.payload.v1+json"

SCHEME: Final = "io.cncf.notary.signingScheme"
SIGNING_AUTHORITY: Final = "notary.x509.signingAuthority"
TIME: Final = "io.cncf.notary.authenticSigningTime"
EXPIRY: Final = "io.cncf.notary.expiry"
JOB: Final = "com.amazonaws.signer.signingJob"
PROFILE_VERSION: Final = "com.amazonaws.signer.signingProfileVersion"
"""Attributes of AWS Signer: what to ask GetRevocationStatus about. Verifiers without its plugin ignore them, unless
they are critical."""

PLUGIN: Final = "io.cncf.notary.verificationPlugin"
AWS_PLUGIN: Final = "com.amazonaws.signer.notation.plugin"
"""The attribute that names the plugin without which a verifier must refuse (Notary Project specification, "Extended
attributes"), and AWS Signer's plugin."""


@dataclass(frozen=True, slots=True)
class Signing:
    """What a signature states beside its payload: when it was made, when it ends, by which job and profile version.

    With `needs_plugin`, as signatures of AWS Signer: verifiers must have its plugin, which asks who is revoked.
    """

    at: int
    ends_at: int
    job_arn: str
    profile_version_arn: str
    needs_plugin: bool = False


def payload_of(media_type: str, digest: str, size: int) -> bytes:
    """The payload that says which image was signed."""
    return msgspec.json.encode({"targetArtifact": {"mediaType": media_type, "digest": digest, "size": size}})


def envelope(
    payload: bytes, signing: Signing, chain: Sequence[x509.Certificate], sign: Callable[[bytes], bytes]
) -> bytes:
    """The envelope in JSON. `sign` makes the signature of bytes with the key of the chain's first certificate."""
    of_signer = {JOB: signing.job_arn, PROFILE_VERSION: signing.profile_version_arn}
    if signing.needs_plugin:
        of_signer[PLUGIN] = AWS_PLUGIN
    protected = {
        "alg": "ES384",
        "cty": PAYLOAD_TYPE,
        "crit": [SCHEME, TIME, EXPIRY, *(of_signer if signing.needs_plugin else ())],
        SCHEME: SIGNING_AUTHORITY,
        TIME: iso_time(signing.at),
        EXPIRY: iso_time(signing.ends_at),
        **of_signer,
    }
    head, body = _base64url(msgspec.json.encode(protected)), _base64url(payload)
    certificates = [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in chain]
    return msgspec.json.encode(
        {
            "payload": body,
            "protected": head,
            "header": {"x5c": certificates, "io.cncf.notary.signingAgent": "Moorage"},
            "signature": _base64url(sign(f"{head}.{body}".encode())),
        }
    )


def annotations_of(chain: Sequence[x509.Certificate], at: int) -> dict[str, str]:
    """The annotations of the manifest of a signature (Notary Project specification, "Signature Manifest")."""
    prints = [hashlib.sha256(one.public_bytes(Encoding.DER)).hexdigest() for one in chain]
    return {
        "io.cncf.notary.x509chain.thumbprint#S256": msgspec.json.encode(prints).decode(),
        "org.opencontainers.image.created": iso_time(at),
    }


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
