"""OpenID Connect tokens: which are accepted, and that no other is."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage.core.identity import oidc_tokens
from moorage.core.identity.oidc_tokens import BadKeySet
from moorage.domain.identity.session_errors import ExpiredIdentityToken, InvalidIdentityToken
from moorage.domain.units import SECOND
from tests.support.issuer import AUDIENCE, SUBJECT, Issuer, encoded

ISSUER = Issuer("https://ci.example.org")
OTHER = Issuer("https://ci.example.org")

NO_KEY = "No key of the identity provider matches the token's algorithm and key ID"
BAD_SIGNATURE = "The token's signature is invalid"


def now() -> int:
    return int(time.time()) * SECOND


def refused(token: str, key_set: str | None = None) -> str:
    with pytest.raises(InvalidIdentityToken) as caught:
        oidc_tokens.verify(token, key_set or ISSUER.key_set(), now())
    return str(caught.value)


@pytest.mark.parametrize("header", [{"alg": "RS256", "kid": "r1"}, {"alg": "ES256", "kid": "e1"}, {"alg": "ES256"}])
def test_a_token_of_the_issuer_is_accepted_with_its_claims(header: dict[str, Any]) -> None:
    token = ISSUER.token(header, aud=["other", AUDIENCE], azp="me", verified=True, groups=["a", "b"], count=3)

    claims = oidc_tokens.verify(token, ISSUER.key_set(), now())

    assert (claims.issuer, claims.subject, claims.audiences) == (ISSUER.url, SUBJECT, ("other", AUDIENCE))
    assert claims.party == "me"
    assert claims.values["groups"] == ("a", "b")
    assert claims.values["verified"] == ("true",)
    assert "count" not in claims.values
    assert oidc_tokens.issuer_of(token) == ISSUER.url


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS512", "PS256", "ES384", "rs256", ""])
def test_a_token_does_not_choose_its_verification(algorithm: str) -> None:
    for header in ({"alg": algorithm}, {"alg": algorithm, "kid": "r1"}):
        assert refused(ISSUER.token(header)) == NO_KEY


def test_a_key_of_one_kind_does_not_verify_the_other_algorithm() -> None:
    assert refused(ISSUER.token({"alg": "RS256", "kid": "e1"})) == NO_KEY
    assert refused(ISSUER.token({"alg": "ES256", "kid": "r1"})) == NO_KEY


def test_an_unknown_key_and_a_key_inside_the_token_prove_nothing() -> None:
    assert refused(OTHER.token({"alg": "RS256", "kid": "r2"})) == NO_KEY
    brought = OTHER.token({"alg": "RS256", "kid": "r1", "jwk": OTHER.rsa_jwk, "jku": "https://evil.example"})
    assert refused(brought) == BAD_SIGNATURE


def test_times_are_checked_with_a_minute_for_clocks_that_are_ahead() -> None:
    at = int(time.time())
    with pytest.raises(ExpiredIdentityToken):
        oidc_tokens.verify(ISSUER.token(exp=at), ISSUER.key_set(), at * SECOND)
    oidc_tokens.verify(ISSUER.token(nbf=at + 60, iat=at + 60), ISSUER.key_set(), at * SECOND)
    for early in (ISSUER.token(nbf=at + 61), ISSUER.token(iat=at + 61)):
        with pytest.raises(InvalidIdentityToken, match=r"not yet valid|issued in the future"):
            oidc_tokens.verify(early, ISSUER.key_set(), at * SECOND)


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "exp"])
def test_a_missing_required_claim_is_refused(claim: str) -> None:
    nothing: tuple[Any, ...] = (None, {})
    for value in nothing:
        changes = {claim: value}
        assert refused(ISSUER.token(None, **changes)).startswith("The token's claims are invalid")


def test_a_token_that_was_changed_anywhere_is_refused() -> None:
    header, payload, signature = ISSUER.token().split(".")
    other = encoded(json.dumps(ISSUER.claims(sub="repo:evil/app")).encode())

    assert refused(f"{header}.{other}.{signature}") == BAD_SIGNATURE
    assert refused(f"{header}.{payload}.{encoded(b'x' * 256)}") == BAD_SIGNATURE
    assert refused(f"{header}.{payload}.") == BAD_SIGNATURE
    es = ISSUER.token({"alg": "ES256", "kid": "e1"}).rpartition(".")[0]
    assert refused(f"{es}.{encoded(bytes(64))}") == BAD_SIGNATURE


@pytest.mark.parametrize(
    "token",
    [
        *("", "a.b", "a.b.c", "....", "e30.e30.", "x" * 20_001, "é.é.é", "\ud800.e30.e30", "e30=.e30.e30", "e31.e30."),
        *(f"{encoded(header)}.e30.e30" for header in (b"[]", b'["alg"]', b'"alg b64"', b"5", b"[" * 9_000, b"\xff")),
    ],
)
def test_a_text_that_is_not_a_token_is_refused(token: str) -> None:
    assert refused(token).startswith("The token is ")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60), st.integers(0, 2))
def test_no_text_causes_an_internal_error(text: str, place: int) -> None:
    sections = ISSUER.token().split(".")
    sections[place] = text
    token = ".".join(sections)
    if token != ISSUER.token():
        refused(token)


def test_only_one_spelling_of_a_token_is_accepted() -> None:
    """Base64 has several spellings of one content. A list of used or revoked tokens would miss the others."""
    token = ISSUER.token()
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + last[last.index(token[-1]) ^ 1]
    decode = base64.urlsafe_b64decode
    assert decode(twin.rpartition(".")[2] + "==") == decode(token.rpartition(".")[2] + "==")

    assert refused(twin) == BAD_SIGNATURE
    assert refused(token + "=") == BAD_SIGNATURE
    assert refused(token.replace(".", "=.", 1)) == "The token is not a JSON Web Token"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a JWK set"),
        ("[]", "not a JWK set"),
        ('{"keys": []}', "has no key"),
        ('{"keys": [{"kty": "oct", "k": "AAAA"}]}', "has no key"),
        ('{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}', "is invalid"),
        ('{"keys": [{"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}]}', "is invalid"),
        (json.dumps({"keys": [ISSUER.rsa_jwk] * 101}), "more than 100 keys"),
        (json.dumps({"keys": [ISSUER.rsa_jwk | {"use": "enc"}]}), "has no key"),
    ],
)
def test_a_key_set_without_a_usable_key_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadKeySet, match=message):
        oidc_tokens.read_key_set(text)


def test_the_public_key_of_an_issuer_is_not_a_shared_secret() -> None:
    """The classic algorithm confusion: an HMAC whose secret is a public text."""
    pem = ISSUER.rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, pem.strip(), ISSUER.key_set().encode(), json.dumps(ISSUER.rsa_jwk).encode(), b""):
        for header in ({"alg": "HS256"}, {"alg": "HS256", "kid": "r1"}):
            signed = ISSUER.token(header).rpartition(".")[0]
            signature = encoded(hmac.digest(secret, signed.encode(), "sha256"))
            assert refused(f"{signed}.{signature}") == NO_KEY


def test_a_symmetric_key_of_a_set_verifies_nothing() -> None:
    secret = b"a secret of thirty-two bytes ..."
    oct_key = {"kty": "oct", "kid": "h1", "alg": "HS256", "k": encoded(secret)}
    signed = ISSUER.token({"alg": "HS256", "kid": "h1"}).rpartition(".")[0]
    token = f"{signed}.{encoded(hmac.digest(secret, signed.encode(), 'sha256'))}"

    assert refused(token, json.dumps({"keys": [oct_key, ISSUER.rsa_jwk]})) == NO_KEY


def test_a_token_without_a_signature_is_refused_for_any_header() -> None:
    for algorithm in ("none", "None", "NONE", "RS256"):
        header = encoded(json.dumps({"alg": algorithm, "kid": "r1"}).encode())
        token = f"{header}.{encoded(json.dumps(ISSUER.claims()).encode())}."
        assert refused(token) == (BAD_SIGNATURE if algorithm == "RS256" else NO_KEY)


@pytest.mark.parametrize(
    "extra",
    [
        {"crit": ["b64"]},
        {"crit": ["b64"], "b64": True},
        {"crit": ["b64"], "b64": False},
        {"crit": ["alg"]},
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"crit": None},
        {"crit": 5},
    ],
)
def test_a_critical_header_is_refused(extra: dict[str, Any]) -> None:
    """No extension is implemented, and a JSON Web Token must not use b64 (RFC 7797, section 7)."""
    assert "critical extensions" in refused(ISSUER.token({"alg": "RS256", "kid": "r1"} | extra))


@pytest.mark.parametrize("extra", [{"b64": False}, {"b64": 1}, {"typ": 5}, {"kid": 5}, {"kid": None}, {"jku": "file:"}])
def test_a_header_with_a_value_of_the_wrong_kind_is_refused(extra: dict[str, Any]) -> None:
    refused(ISSUER.token({"alg": "RS256", "kid": "r1"} | extra))


def test_an_unknown_header_is_ignored() -> None:
    """RFC 7515, section 4. Issuers send certificates, so a header may be long."""
    header = {"alg": "RS256", "kid": "r1", "ver": "2.0", "x5c": ["A" * 4_000], "x5t": "AAAA"}

    assert oidc_tokens.verify(ISSUER.token(header), ISSUER.key_set(), now()).subject == SUBJECT


@pytest.mark.parametrize("header", ['{"alg": "none", "alg": "RS256"}', '{"Alg": "none", "alg": "RS256"}'])
def test_a_header_that_can_be_read_in_two_ways_is_refused(header: str) -> None:
    token = f"{encoded(header.encode())}.{ISSUER.token().split('.')[1]}.{encoded(bytes(256))}"

    assert refused(token) == "The token is not a JSON Web Token"


@pytest.mark.parametrize("name", ["Sub", "\u017fub", "AUD", "azP", "Repository"])
def test_claims_whose_names_differ_only_in_case_are_refused(name: str) -> None:
    """Condition keys have no case: one claim would replace the other."""
    assert "only in case" in refused(ISSUER.token(None, repository="a/b", **{name: SUBJECT}))


def test_any_key_of_a_set_may_sign_and_the_key_id_selects_it() -> None:
    old, new = Issuer("https://ci.example.org"), Issuer("https://ci.example.org")
    unknown = {"kty": "OKP", "crv": "Ed25519", "kid": "o1", "x": encoded(bytes(32))}
    keys = [unknown, old.rsa_jwk, old.ec_jwk, new.rsa_jwk | {"kid": "r2"}, new.ec_jwk | {"kid": "e2"}]
    key_set = json.dumps({"keys": keys})

    for issuer, header in (
        (old, {"alg": "RS256", "kid": "r1"}),
        (new, {"alg": "RS256", "kid": "r2"}),
        (old, {"alg": "ES256", "kid": "e1"}),
        (new, {"alg": "ES256", "kid": "e2"}),
        (new, {"alg": "RS256"}),
        (new, {"alg": "ES256"}),
    ):
        assert oidc_tokens.verify(issuer.token(header), key_set, now()).subject == SUBJECT
    assert refused(new.token({"alg": "RS256", "kid": "r1"}), key_set) == BAD_SIGNATURE
    assert refused(new.token({"alg": "RS256", "kid": "r3"}), key_set) == NO_KEY
    assert refused(new.token({"alg": "EdDSA", "kid": "o1"}), key_set) == NO_KEY


def test_two_keys_with_one_id_are_told_apart_by_their_algorithm() -> None:
    key_set = json.dumps({"keys": [ISSUER.ec_jwk | {"kid": "k"}, ISSUER.rsa_jwk | {"kid": "k"}]})

    for algorithm in ("RS256", "ES256"):
        assert oidc_tokens.verify(ISSUER.token({"alg": algorithm, "kid": "k"}), key_set, now()).subject == SUBJECT


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": "9999999999"},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"nbf": "0"},
        {"iat": []},
        {"iss": ["https://ci.example.org"]},
        {"sub": 5},
        {"sub": ""},
        {"aud": 5},
        {"aud": []},
        {"aud": [AUDIENCE, 5]},
        {"aud": {AUDIENCE: 1}},
        {"azp": ["me"]},
    ],
)
def test_a_claim_of_the_wrong_kind_is_refused(changes: dict[str, Any]) -> None:
    assert refused(ISSUER.token(None, **changes)).startswith("The token's claims are invalid")


@pytest.mark.parametrize("bits", [1024, 2047, 8200])
def test_an_rsa_key_that_is_too_short_or_too_long_is_refused(bits: int) -> None:
    modulus = encoded(((1 << bits) - 1).to_bytes((bits + 7) // 8))

    with pytest.raises(BadKeySet, match=f"2048 to 8192 bits, not {bits}"):
        oidc_tokens.read_key_set(json.dumps({"keys": [{"kty": "RSA", "n": modulus, "e": "AQAB"}]}))


def test_a_private_key_of_a_set_is_used_as_a_public_one() -> None:
    private = ISSUER.rsa_jwk | {"d": "AQAB", "key_ops": ["sign"]}

    (key,) = oidc_tokens.read_key_set(json.dumps({"keys": [private]}))

    assert not key.is_private
