"""Identity tokens: what is proven by them, and that nothing else is."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage.core.clock import SECOND
from moorage.core.identity import oidc_tokens as web_tokens
from moorage.core.identity.oidc_tokens import BadKeySet
from moorage.domain.identity.session_errors import ExpiredIdentityToken, InvalidIdentityToken
from tests.api.identity.issuer import AUDIENCE, SUBJECT, Issuer, encoded

ISSUER = Issuer("https://ci.example.org")
OTHER = Issuer("https://ci.example.org")


def now() -> int:
    return int(time.time()) * SECOND


def refused(token: str, key_set: str | None = None) -> str:
    with pytest.raises(InvalidIdentityToken) as caught:
        web_tokens.verify(token, key_set or ISSUER.key_set(), now())
    return str(caught.value)


@pytest.mark.parametrize("header", [{"alg": "RS256", "kid": "r1"}, {"alg": "ES256", "kid": "e1"}, {"alg": "ES256"}])
def test_a_token_of_the_issuer_says_who_it_is_for(header: dict[str, Any]) -> None:
    token = ISSUER.token(header, aud=["other", AUDIENCE], azp="me", verified=True, groups=["a", "b"], count=3)

    claims = web_tokens.verify(token, ISSUER.key_set(), now())

    assert (claims.issuer, claims.subject, claims.audiences) == (ISSUER.url, SUBJECT, ("other", AUDIENCE))
    assert claims.party == "me"
    assert claims.values["groups"] == ("a", "b")
    assert claims.values["verified"] == ("true",)
    assert "count" not in claims.values
    assert web_tokens.issuer_of(token) == ISSUER.url


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS512", "PS256", "ES384", "rs256", ""])
def test_a_token_does_not_choose_how_it_is_checked(algorithm: str) -> None:
    for header in ({"alg": algorithm}, {"alg": algorithm, "kid": "r1"}):
        assert refused(ISSUER.token(header)) == "No key of the identity provider fits the token"


def test_a_key_of_one_kind_does_not_check_the_other_algorithm() -> None:
    assert refused(ISSUER.token({"alg": "RS256", "kid": "e1"})) == "No key of the identity provider fits the token"
    assert refused(ISSUER.token({"alg": "ES256", "kid": "r1"})) == "No key of the identity provider fits the token"


def test_an_unknown_key_and_one_that_the_token_brings_prove_nothing() -> None:
    assert "No key" in refused(OTHER.token({"alg": "RS256", "kid": "r2"}))
    brought = OTHER.token({"alg": "RS256", "kid": "r1", "jwk": OTHER.rsa_jwk, "jku": "https://evil.example"})
    assert refused(brought) == "The token's signature is invalid"
    assert "not understood" in refused(ISSUER.token({"alg": "RS256", "kid": "r1", "crit": ["b64"]}))


def test_times_are_kept_with_a_minute_for_clocks_that_are_ahead() -> None:
    at = int(time.time())
    with pytest.raises(ExpiredIdentityToken):
        web_tokens.verify(ISSUER.token(exp=at), ISSUER.key_set(), at * SECOND)
    web_tokens.verify(ISSUER.token(nbf=at + 60, iat=at + 60), ISSUER.key_set(), at * SECOND)
    for early in (ISSUER.token(nbf=at + 61), ISSUER.token(iat=at + 61)):
        with pytest.raises(InvalidIdentityToken, match="not valid yet"):
            web_tokens.verify(early, ISSUER.key_set(), at * SECOND)


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "exp"])
def test_what_a_token_must_say_is_not_guessed(claim: str) -> None:
    nothing: tuple[Any, ...] = (None, {})
    for value in nothing:
        changes = {claim: value}
        assert refused(ISSUER.token(None, **changes)).startswith("The token's claims are wrong")


def test_a_token_that_was_altered_anywhere_is_refused() -> None:
    header, payload, signature = ISSUER.token().split(".")
    other = encoded(json.dumps(ISSUER.claims(sub="repo:evil/app")).encode())

    assert refused(f"{header}.{other}.{signature}") == "The token's signature is invalid"
    assert refused(f"{header}.{payload}.{encoded(b'x' * 256)}") == "The token's signature is invalid"
    assert refused(f"{header}.{payload}.") == "The token's signature is invalid"
    es = ISSUER.token({"alg": "ES256", "kid": "e1"}).rpartition(".")[0]
    assert refused(f"{es}.{encoded(bytes(64))}") == "The token's signature is invalid"


@pytest.mark.parametrize(
    "token", ["", "a.b", "a.b.c", "....", "e30.e30.", "x" * 20_001, "é.é.é", "e30=.e30.e30", "W10.e30.e30", "e31.e30."]
)
def test_what_is_no_token_is_refused(token: str) -> None:
    assert refused(token).startswith("The token is ")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60), st.integers(0, 2))
def test_no_text_is_a_fault(text: str, place: int) -> None:
    sections = ISSUER.token().split(".")
    sections[place] = text
    token = ".".join(sections)
    if token != ISSUER.token():
        refused(token)


def test_only_one_spelling_of_a_token_is_read() -> None:
    """Base64 has several spellings of one content; a list of used or revoked tokens would miss the others."""
    token = ISSUER.token()
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + last[last.index(token[-1]) ^ 1]
    decode = base64.urlsafe_b64decode
    assert decode(twin.rpartition(".")[2] + "==") == decode(token.rpartition(".")[2] + "==")

    assert refused(twin) == "The token is no JSON web token"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no JWK set"),
        ("[]", "no JWK set"),
        ('{"keys": []}', "has no key"),
        ('{"keys": [{"kty": "oct", "k": "AAAA"}]}', "has no key"),
        ('{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}', "is no key"),
        ('{"keys": [{"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}]}', "is no key"),
        (json.dumps({"keys": [ISSUER.rsa_jwk] * 101}), "100 keys at most"),
        (json.dumps({"keys": [ISSUER.rsa_jwk | {"use": "enc"}]}), "has no key"),
    ],
)
def test_a_key_set_without_a_usable_key_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadKeySet, match=message):
        web_tokens.read_key_set(text)
