"""Envelopes of Notation (Notary Project specification, "JWS Signature Envelope"), parsed back by other code."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from moorage.core.signing.keys import SealedKeys
from moorage.core.vault import Vault
from moorage.domain.names import Registry
from moorage.domain.signing.certificates import chain_hashes, identity_of, leaf_builder, read_root, root_builder
from moorage.domain.signing.envelope import Signing, envelope, payload_of
from moorage.domain.signing.errors import SigningError
from moorage.domain.signing.keys import KeyReference
from moorage.domain.signing.profiles import ProfileName, Validity
from moorage.domain.units import SECOND

PROFILE = ProfileName(Registry("123456789012", "eu-west-1"), "web")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT = int(NOW.timestamp()) * SECOND
KEYS = SealedKeys(Vault(bytes(32)))


def chain() -> tuple[list[x509.Certificate], KeyReference]:
    root_key, root_public = KEYS.create("root")
    root = KEYS.certify(root_key, root_builder("123456789012", root_public, NOW))
    key, public = KEYS.create("leaf")
    return [KEYS.certify(root_key, leaf_builder(PROFILE, public, root, NOW)), root], key


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def signed(certificates: list[x509.Certificate], key: KeyReference) -> dict[str, str]:
    payload = payload_of("application/vnd.oci.image.manifest.v1+json", "sha256:" + "a" * 64, 42)
    signing = Signing(AT, Validity().end(AT), "arn:aws:signer:eu-west-1:123456789012:/signing-jobs/j", "arn:version")
    made: dict[str, str] = json.loads(envelope(payload, signing, certificates, lambda message: KEYS.sign(key, message)))
    return made


def test_an_envelope_has_the_attributes_of_a_signing_authority() -> None:
    made = signed(*chain())

    assert json.loads(decoded(made["protected"])) == {
        "alg": "ES384",
        "cty": "application/vnd.cncf.notary.payload.v1+json",
        "crit": [
            "io.cncf.notary.signingScheme",
            "io.cncf.notary.authenticSigningTime",
            "io.cncf.notary.expiry",
        ],
        "io.cncf.notary.signingScheme": "notary.x509.signingAuthority",
        "io.cncf.notary.authenticSigningTime": "2026-03-01T12:00:00Z",
        "io.cncf.notary.expiry": "2037-06-01T12:00:00Z",  # 135 months later
        "com.amazonaws.signer.signingJob": "arn:aws:signer:eu-west-1:123456789012:/signing-jobs/j",
        "com.amazonaws.signer.signingProfileVersion": "arn:version",
    }
    assert json.loads(decoded(made["payload"])) == {
        "targetArtifact": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": "sha256:" + "a" * 64,
            "size": 42,
        }
    }


def test_an_envelope_for_aws_signers_plugin_has_its_attributes_as_critical_ones() -> None:
    """A verifier without the plugin must refuse what it does not know (specification, "Extended attributes")."""
    certificates, key = chain()
    signing = Signing(AT, Validity().end(AT), "arn:job", "arn:version", needs_plugin=True)

    made = json.loads(envelope(b"{}", signing, certificates, lambda message: KEYS.sign(key, message)))

    protected = json.loads(decoded(made["protected"]))
    assert protected["io.cncf.notary.verificationPlugin"] == "com.amazonaws.signer.notation.plugin"
    assert protected["crit"][3:] == [
        "com.amazonaws.signer.signingJob",
        "com.amazonaws.signer.signingProfileVersion",
        "io.cncf.notary.verificationPlugin",
    ]


def test_the_signature_is_that_of_the_first_certificate() -> None:
    certificates, key = chain()
    made = signed(certificates, key)
    raw = decoded(made["signature"])
    public = certificates[0].public_key()
    message = f"{made['protected']}.{made['payload']}".encode()
    in_der = encode_dss_signature(int.from_bytes(raw[:48]), int.from_bytes(raw[48:]))

    assert len(raw) == 96
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(in_der, message, ec.ECDSA(hashes.SHA384()))
    with pytest.raises(InvalidSignature):
        public.verify(in_der, message + b"x", ec.ECDSA(hashes.SHA384()))


def test_the_certificates_fulfil_the_requirements_of_notation() -> None:
    """Notary Project specification, "Certificate Requirements": basic constraints, key usage and extended key usage."""
    (leaf, root), _ = chain()

    leaf.verify_directly_issued_by(root)
    for certificate, is_root in ((leaf, False), (root, True)):
        limits = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
        assert limits.critical
        assert limits.value.ca is is_root
        assert usage.critical
        assert usage.value.digital_signature is not is_root
        assert usage.value.key_cert_sign is is_root
    assert identity_of(PROFILE) == "x509.subject: C=US, ST=Harbour, O=Moorage, OU=123456789012, CN=web"
    assert leaf.subject.rfc4514_string() == "CN=web,OU=123456789012,O=Moorage,ST=Harbour,C=US"


def test_a_leaf_does_not_outlive_its_root() -> None:
    (_, root), _ = chain()
    _, public = KEYS.create("late")

    late = leaf_builder(PROFILE, public, root, root.not_valid_after_utc - timedelta(days=1))

    key, _ = KEYS.create("any")
    assert KEYS.certify(key, late).not_valid_after_utc == root.not_valid_after_utc


def test_hashes_of_certificates_are_those_of_aws_signers_plugin() -> None:
    certificates, _ = chain()
    leaf, root = (hashlib.sha384(one.tbs_certificate_bytes).hexdigest() for one in certificates)

    assert chain_hashes(certificates) == (leaf + root, root + root)


@pytest.mark.parametrize(
    ("validity", "end"),
    [
        (Validity(), "2037-06-01T12:00:00+00:00"),
        (Validity(1, "DAYS"), "2026-03-02T12:00:00+00:00"),
        (Validity(12, "MONTHS"), "2027-03-01T12:00:00+00:00"),
        (Validity(2, "YEARS"), "2028-03-01T12:00:00+00:00"),
    ],
)
def test_a_signature_ends_after_its_validity(validity: Validity, end: str) -> None:
    assert datetime.fromtimestamp(validity.end(AT) // SECOND, UTC).isoformat() == end


def test_a_month_that_is_shorter_ends_the_validity_on_its_last_day() -> None:
    last_of_january = int(datetime(2026, 1, 31, tzinfo=UTC).timestamp()) * SECOND

    ended = Validity(1, "MONTHS").end(last_of_january)

    assert datetime.fromtimestamp(ended // SECOND, UTC).isoformat() == "2026-02-28T00:00:00+00:00"


@pytest.mark.parametrize("validity", [Validity(0, "DAYS"), Validity(-1, "YEARS"), Validity(138, "MONTHS")])
def test_a_validity_is_positive_and_at_most_135_months(validity: Validity) -> None:
    with pytest.raises(SigningError, match="at most 135 months"):
        validity.check()


@pytest.mark.parametrize("text", [b"", b"no PEM", b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"])
def test_a_file_without_a_root_is_refused(text: bytes) -> None:
    with pytest.raises(SigningError, match="a root certificate and its private key"):
        read_root(text, NOW)
