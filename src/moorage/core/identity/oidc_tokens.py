"""Verify OpenID Connect tokens (RFC 7519) with the stored keys of their issuer.

joserfc verifies signatures and checks claims. Rules that joserfc leaves to its callers are here, each with its reason:

- A token has at most 20,000 characters: STS documents this limit.
- A key has one algorithm, RS256 or ES256 (RFC 7518), and an RSA key has 2,048 to 8,192 bits. joserfc pins an algorithm
  only to keys that name one, and only warns about short keys.
- A `crit` header is rejected. joserfc accepts the extension `b64`, which RFC 7797, section 7, forbids in these tokens.
- A token without `kid` may be signed by any key of its algorithm (RFC 7515, section 4.1.4: `kid` is a hint). A `KeySet`
  of joserfc with several keys rejects it.
- `nbf` and `iat` have a leeway, because an issuer's clock may be ahead; `exp` has none. joserfc has one for all.

Nothing is fetched, and what a token says about where its keys are (`jku`, `jwk`, `x5u`) is not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from joserfc import jws
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError
from joserfc.jwk import Key, import_key
from joserfc.jws import CompactSignature, JWSRegistry
from joserfc.jwt import ClaimsOption, JWTClaimsRegistry
from joserfc.util import base64_to_int, urlsafe_b64decode

from moorage.bounds import bounded_cache
from moorage.domain import strict_json
from moorage.domain.identity.session_errors import ExpiredIdentityToken, InvalidIdentityToken
from moorage.domain.strict_json import BadJson
from moorage.domain.units import SECOND

LONGEST_TOKEN: Final = 20_000
"""STS, AssumeRoleWithWebIdentity: WebIdentityToken has 4 to 20,000 characters."""

CLOCK_SKEW: Final = 60
"""Seconds by which an issuer's clock may be ahead of the server's."""

_KEY_LIMIT: Final = 100
_RSA_BITS: Final = range(2048, 8193)
_HEADER: Final = strict_json.names_by_fold(("alg", "kid", "crit", "typ", "b64"))
_REGISTERED: Final = strict_json.names_by_fold(("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "azp"))
"""Header parameters (RFC 7515) and claims (RFC 7519, OpenID Connect) on which decisions depend."""

_REQUIRED: Final[ClaimsOption] = {"essential": True}


class BadKeySet(ValueError):
    """A text that is not a JWK set (RFC 7517), or a set without a usable key; the message says which."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a verified token. `values` has every claim that is a string, a boolean or a list of them."""

    issuer: str
    subject: str
    audiences: tuple[str, ...]
    party: str | None
    values: Mapping[str, tuple[str, ...]]


class _Registry(JWSRegistry):
    """`LONGEST_TOKEN` limits a token as a whole; joserfc's own limits would reject long headers and 8,192-bit keys."""

    max_header_length = LONGEST_TOKEN
    max_signature_length = LONGEST_TOKEN


_REGISTRY: Final = _Registry(
    algorithms=("RS256", "ES256"),
    strict_check_header=False,  # RFC 7515, section 4: header parameters that are not understood are ignored.
)


class _ClaimRules(JWTClaimsRegistry):
    """Adds the authorized party of OpenID Connect, which becomes a condition key."""

    def validate_azp(self, value: object) -> None:
        if not isinstance(value, str):
            raise InvalidClaimError("azp", "Claim 'azp' must be a string")


class _Jwk(msgspec.Struct, omit_defaults=True):
    """The public members of a key. Others are not read, private ones in particular."""

    kty: str
    kid: str | None = None
    use: str | None = None
    alg: str | None = None
    crv: str | None = None
    n: str = ""
    e: str = ""
    x: str = ""
    y: str = ""


class _JwkSet(msgspec.Struct):
    keys: list[_Jwk]


def issuer_of(token: str) -> str:
    """The issuer that a token claims, not verified: use it only to find the keys. Raises InvalidIdentityToken."""
    issuer = _claims(_extract(token)).get("iss")
    if not isinstance(issuer, str):
        raise InvalidIdentityToken(reason="The token's claims are invalid: 'iss' must be a string")
    return issuer


def verify(token: str, key_set: str, now: int) -> Claims:
    """The claims of a token that a key of the set signed and that is valid at `now` (microseconds since 1970).

    The caller checks issuer and audience. Raises InvalidIdentityToken, ExpiredIdentityToken, BadKeySet.
    """
    signed = _extract(token)
    _check_signature(signed, read_key_set(key_set))
    claims = _claims(signed)
    _check_claims(claims, now // SECOND)
    audience = claims["aud"]
    return Claims(
        claims["iss"],
        claims["sub"],
        (audience,) if isinstance(audience, str) else tuple(audience),
        claims.get("azp"),
        claim_texts(claims),
    )


@bounded_cache(entries=64, size=1 << 20)
def read_key_set(text: str) -> tuple[Key, ...]:
    """The keys of a JWK set that can verify tokens. Raises BadKeySet."""
    try:
        keys = strict_json.read_as(_JwkSet, text).keys
    except BadJson as error:
        raise BadKeySet(f"not a JWK set: {error}") from None
    if len(keys) > _KEY_LIMIT:
        raise BadKeySet(f"the JWK set has more than {_KEY_LIMIT} keys")
    usable = tuple(key for key in map(_key, keys) if key is not None)
    if not usable:
        raise BadKeySet("the JWK set has no key for RS256 or ES256")
    return usable


def _extract(token: str) -> CompactSignature:
    if len(token) > LONGEST_TOKEN:
        raise InvalidIdentityToken(reason=f"The token is longer than {LONGEST_TOKEN} characters")
    try:
        signed = jws.extract_compact(token.encode(), registry=_REGISTRY)
    except (JoseError, UnicodeEncodeError, RecursionError, TypeError):  # TypeError: the header is a JSON string.
        raise _not_a_token() from None
    try:
        _read_members(urlsafe_b64decode(signed.segments["header"]), _HEADER)
    except BadJson:
        raise _not_a_token() from None
    return signed


def _not_a_token() -> InvalidIdentityToken:
    return InvalidIdentityToken(reason="The token is not a JSON Web Token")


def _check_signature(signed: CompactSignature, keys: tuple[Key, ...]) -> None:
    header = signed.headers()
    if "crit" in header:
        raise InvalidIdentityToken(reason="The token has critical extensions, which are not supported")
    candidates = [key for key in keys if key.alg == header["alg"] and header.get("kid") in (None, key.kid)]
    if not candidates:
        raise InvalidIdentityToken(reason="No key of the identity provider matches the token's algorithm and key ID")
    if not any(_is_signed_by(key, signed) for key in candidates):
        raise InvalidIdentityToken(reason="The token's signature is invalid")


def _is_signed_by(key: Key, signed: CompactSignature) -> bool:
    try:
        return jws.validate_compact(signed, key, registry=_REGISTRY)
    except JoseError:
        return False


def _claims(signed: CompactSignature) -> dict[str, Any]:
    try:
        return _read_members(signed.payload, _REGISTERED)
    except BadJson as error:
        raise InvalidIdentityToken(reason=f"The token's claims are invalid: {error}") from None


def _read_members(text: bytes, known: Mapping[str, str]) -> dict[str, Any]:
    """The members of a part of a token. Two names that differ only in case are refused, as are those of `known`.

    Condition keys have no case, and libraries in Go ignore it. Raises BadJson.
    """
    members = strict_json.read_as(dict[str, Any], text)
    strict_json.reject_variants(members, {**strict_json.names_by_fold(members), **known})
    return members


def _check_claims(claims: dict[str, Any], seconds: int) -> None:
    required = dict.fromkeys(("iss", "sub", "aud", "exp"), _REQUIRED)
    try:
        _ClaimRules(seconds, CLOCK_SKEW, **required).validate(claims)
        _ClaimRules(seconds).validate_exp(claims["exp"])
    except ExpiredTokenError:
        raise ExpiredIdentityToken from None
    except JoseError as error:
        raise InvalidIdentityToken(reason=f"The token's claims are invalid: {error.description}") from None


def claim_texts(claims: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The claims that policy conditions can test."""
    found = {}
    for name, value in claims.items():
        items = value if isinstance(value, list) else [value]
        texts = [str(item).lower() if isinstance(item, bool) else item for item in items]
        if texts and all(isinstance(text, str) for text in texts):
            found[name] = tuple(texts)
    return found


def _key(jwk: _Jwk) -> Key | None:
    """None for keys of other kinds and uses, which JWK sets may also contain. Raises BadKeySet for an invalid key."""
    algorithm = _algorithm(jwk)
    if algorithm is None or jwk.use not in (None, "sig"):
        return None
    try:
        if algorithm == "RS256":
            _check_size(jwk)
        return import_key(msgspec.to_builtins(jwk), parameters={"alg": algorithm})
    except (JoseError, ValueError) as error:
        raise BadKeySet(f"the key {jwk.kid!r} is invalid: {error}") from None


def _algorithm(jwk: _Jwk) -> str | None:
    if jwk.kty == "RSA" and jwk.alg in (None, "RS256"):
        return "RS256"
    if jwk.kty == "EC" and jwk.crv == "P-256" and jwk.alg in (None, "ES256"):
        return "ES256"
    return None


def _check_size(jwk: _Jwk) -> None:
    bits = base64_to_int(jwk.n).bit_length() if jwk.n else 0
    if bits not in _RSA_BITS:
        raise ValueError(f"an RSA key has {_RSA_BITS.start} to {_RSA_BITS.stop - 1} bits, not {bits}")
