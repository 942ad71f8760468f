"""Signatures by certificates from elsewhere (Notary Project, "Trust Store" and "Certificate Requirements")."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from moorage.domain.certificates import key_usage
from moorage.domain.signing.envelope import SIGNING_AUTHORITY
from moorage.domain.signing.errors import SigningError
from moorage.domain.signing.foreign import X509, Period, read_certificates, verify_foreign
from moorage.domain.signing.verification import SignatureInvalid
from moorage.domain.units import SECOND
from tests.unit.signing.authorities import (
    AUTHORITY,
    DAY,
    NOW,
    SIGNER,
    Extension,
    Holder,
    Key,
    certified,
    signed,
    with_long_exponent,
)

DIGEST = "sha256:" + "a" * 64
AT = int(NOW.timestamp()) * SECOND
ROOT = certified("root", None, AUTHORITY)
LEAF = certified("signer", ROOT, SIGNER)
CHAIN = [LEAF.certificate, ROOT.certificate]
EXPIRY = "io.cncf.notary.expiry"
TIME = "io.cncf.notary.authenticSigningTime"


def verified(envelope: dict[str, Any], trusted: Holder = ROOT, scheme: str = X509) -> Period:
    return verify_foreign(json.dumps(envelope).encode(), DIGEST, [trusted.certificate], scheme)


def with_purposes(*purposes: x509.ObjectIdentifier) -> list[Extension]:
    return [*SIGNER, (x509.ExtendedKeyUsage(purposes), False)]


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
        rsa.generate_private_key(65537, 2048),
    ],
)
def test_a_signature_by_a_trusted_certificate_counts_while_its_certificates_do(key: Key) -> None:
    leaf = certified("signer", ROOT, with_purposes(ExtendedKeyUsageOID.CODE_SIGNING), key=key, end=NOW + DAY)

    period = verified(signed(leaf, [leaf.certificate, ROOT.certificate], DIGEST))

    day = int(DAY.total_seconds()) * SECOND
    assert period.fault(AT) is None
    assert period.fault(AT - 2 * day) == period.fault(AT + day) == "a certificate of its chain is not valid now"


def test_a_chain_may_have_more_authorities_and_may_be_one_certificate() -> None:
    between = certified("between", ROOT, [(x509.BasicConstraints(ca=True, path_length=0), True), AUTHORITY[1]])
    leaf, alone = certified("signer", between, SIGNER), certified("alone", None, SIGNER)
    chain = [leaf.certificate, between.certificate, ROOT.certificate]

    assert verified(signed(leaf, chain, DIGEST)).fault(AT) is None
    assert verified(signed(leaf, chain, DIGEST), between).fault(AT) is None
    assert verified(signed(alone, [alone.certificate], DIGEST), alone).fault(AT) is None


def test_a_signature_that_expires_counts_until_then() -> None:
    attributes = {"crit": ["io.cncf.notary.signingScheme", EXPIRY], EXPIRY: NOW.isoformat()}

    period = verified(signed(LEAF, CHAIN, DIGEST, attributes))

    assert (period.fault(AT - 1), period.fault(AT)) == (None, "it has expired")


def by_authority(signed_at: str) -> dict[str, Any]:
    scheme = "io.cncf.notary.signingScheme"
    return signed(LEAF, CHAIN, DIGEST, {scheme: SIGNING_AUTHORITY, TIME: signed_at, "crit": [scheme, TIME]})


def test_the_time_of_a_signing_authority_is_trusted() -> None:
    period = verified(by_authority(NOW.isoformat()), scheme=SIGNING_AUTHORITY)

    assert period.fault(AT + int((9999 * DAY).total_seconds()) * SECOND) is None
    with pytest.raises(SignatureInvalid, match="was not valid when it was made"):
        verified(by_authority((NOW + 99 * DAY).isoformat()), scheme=SIGNING_AUTHORITY)
    with pytest.raises(SignatureInvalid, match="it has no valid "):
        verified(by_authority("yesterday"), scheme=SIGNING_AUTHORITY)


def test_a_certificate_is_trusted_for_one_scheme() -> None:
    """An expired key could otherwise sign with a time in the past."""
    with pytest.raises(SignatureInvalid, match=r"its scheme is not notary\.x509$"):
        verified(by_authority(NOW.isoformat()))
    with pytest.raises(SignatureInvalid, match=r"its scheme is not notary\.x509\.signingAuthority"):
        verified(signed(LEAF, CHAIN, DIGEST), scheme=SIGNING_AUTHORITY)


SCHEME_ONLY = ["io.cncf.notary.signingScheme"]
PLUGIN = "io.cncf.notary.verificationPlugin"


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"cty": "text/plain"}, "its payload is not one of Notation"),
        ({"crit": None}, "its critical attributes are not those of its scheme"),
        ({"crit": [*SCHEME_ONLY, "com.example.more"], "com.example.more": 1}, "its critical attributes are not"),
        ({EXPIRY: NOW.isoformat()}, "its critical attributes are not"),
        ({PLUGIN: "com.example.plugin", "crit": [*SCHEME_ONLY, PLUGIN]}, "it needs the plugin 'com.example.plugin'"),
        ({"alg": "ES384"}, "its algorithm is not the one of its key"),
    ],
)
def test_attributes_that_a_verifier_must_not_ignore_make_it_invalid(attributes: dict[str, Any], reason: str) -> None:
    with pytest.raises(SignatureInvalid, match=reason):
        verified(signed(LEAF, CHAIN, DIGEST, attributes))


def test_another_image_key_or_trusted_certificate_makes_it_invalid() -> None:
    with pytest.raises(SignatureInvalid, match="it is of another image"):
        verified(signed(LEAF, CHAIN, DIGEST.replace("a", "b")))
    with pytest.raises(SignatureInvalid, match="the signature does not match the key"):
        verified(signed(certified("signer", ROOT, SIGNER), CHAIN, DIGEST))
    with pytest.raises(SignatureInvalid, match="its certificates lead to none that is trusted"):
        verified(signed(LEAF, CHAIN, DIGEST), certified("root", None, AUTHORITY))


NOT_CRITICAL: list[Extension] = [(key_usage(signs_certificates=False), False)]
OTHER_KEYS: list[Key] = [ec.generate_private_key(ec.SECP256K1()), rsa.generate_private_key(65537, 1024)]


@pytest.mark.parametrize(
    "extensions",
    [
        [],
        AUTHORITY,
        NOT_CRITICAL,
        [(key_usage(signs_certificates=True), True)],
        with_purposes(ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.SERVER_AUTH),
        with_purposes(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE),
    ],
)
def test_a_certificate_that_is_not_one_for_signing_makes_it_invalid(extensions: list[Extension]) -> None:
    leaf = certified("signer", ROOT, extensions)

    with pytest.raises(SignatureInvalid, match="its first certificate is not one for signing code"):
        verified(signed(leaf, [leaf.certificate, ROOT.certificate], DIGEST))


@pytest.mark.parametrize("key", OTHER_KEYS)
def test_a_key_that_notation_does_not_have_makes_it_invalid(key: Key) -> None:
    leaf = certified("signer", ROOT, SIGNER, key=key)

    with pytest.raises(SignatureInvalid, match="of no kind that Notation has"):
        verified(signed(leaf, [leaf.certificate, ROOT.certificate], DIGEST))


@pytest.mark.parametrize(
    "extensions",
    [
        [],
        SIGNER,
        [(x509.BasicConstraints(ca=True, path_length=None), False), AUTHORITY[1]],
        [AUTHORITY[0], (key_usage(signs_certificates=True), False)],
    ],
)
def test_a_chain_through_what_is_no_authority_is_invalid(extensions: list[Extension]) -> None:
    between = certified("between", ROOT, extensions)
    leaf = certified("signer", between, SIGNER)

    with pytest.raises(SignatureInvalid, match="is not one of a certificate authority"):
        verified(signed(leaf, [leaf.certificate, between.certificate, ROOT.certificate], DIGEST))


def test_a_chain_that_is_longer_than_its_root_allows_is_invalid() -> None:
    root = certified("short", None, [(x509.BasicConstraints(ca=True, path_length=0), True), AUTHORITY[1]])
    between = certified("between", root, AUTHORITY)
    leaf = certified("signer", between, SIGNER)

    with pytest.raises(SignatureInvalid, match="is not one of a certificate authority"):
        verified(signed(leaf, [leaf.certificate, between.certificate, root.certificate], DIGEST), root)


def test_a_chain_ends_with_its_root_and_has_nothing_else() -> None:
    other = certified("other", None, AUTHORITY)

    for chain in ([LEAF.certificate], [LEAF.certificate, other.certificate], [*CHAIN, other.certificate]):
        with pytest.raises(SignatureInvalid, match="its certificates are not a chain to a root"):
            verified(signed(LEAF, chain, DIGEST))
    with pytest.raises(SignatureInvalid, match="its chain goes on after a root"):
        verified(signed(LEAF, [*CHAIN, ROOT.certificate], DIGEST))


def test_a_chain_that_takes_long_to_verify_is_not_verified() -> None:
    """Go's `crypto/rsa`, and so `notation`, accepts no such key either. The corpus of the fuzzer limits the time."""
    with pytest.raises(SignatureInvalid, match="has a longer exponent"):
        verified(signed(LEAF, [with_long_exponent()] * 8, DIGEST))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no certificate", "the file has no certificates in PEM"),
        (LEAF.pem, "must be that of a certificate authority, or sign itself"),
        ("x" * 65_537, "at most 65536 bytes"),
    ],
)
def test_only_roots_and_authorities_are_trusted(text: str, reason: str) -> None:
    with pytest.raises(SigningError, match=reason):
        read_certificates(text)


def test_a_file_may_have_several_certificates() -> None:
    assert read_certificates(ROOT.pem + certified("alone", None, SIGNER).pem)[0] == ROOT.certificate
