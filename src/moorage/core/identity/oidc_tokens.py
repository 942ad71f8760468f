"""OpenID Connect tokens (RFC 7519) checked against the keys of their issuer: small, and strict.

Only RS256 and ES256 (RFC 7518) are known, each with keys of its own kind, so that no token chooses how it is checked;
`alg: none` and the symmetric algorithms are no algorithms here. Keys come from a JWK set (RFC 7517) that was stored
before: nothing is fetched, and what a token says of where its keys are (`jku`, `jwk`, `x5u`) is not read.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from moorage.core.clock import SECOND
from moorage.domain.identity.session_errors import ExpiredIdentityToken, InvalidIdentityToken

LONGEST_TOKEN: Final = 20_000
"""STS, AssumeRoleWithWebIdentity: WebIdentityToken has 4 to 20,000 characters."""

CLOCK_SKEW: Final = 60 * SECOND
"""How far an issuer's clock may be ahead of ours."""

_KEY_LIMIT: Final = 100
_RSA_BITS: Final = range(2048, 8193)
_COORDINATE_BYTES: Final = 32

Verify = Callable[[bytes, bytes], None]
"""Raises InvalidSignature unless the first is the signature of the second."""


class BadKeySet(ValueError):
    """A JWK set that has no usable key, or is none; the text says why."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, once its signature is proven. `values` has the texts of all claims that are texts."""

    issuer: str
    subject: str
    audiences: tuple[str, ...]
    party: str | None
    values: Mapping[str, tuple[str, ...]]


class _Header(msgspec.Struct):
    alg: str
    kid: str | None = None
    crit: Any = None


class _Payload(msgspec.Struct):
    iss: str
    sub: str
    aud: str | list[str]
    exp: float
    nbf: float | None = None
    iat: float | None = None
    azp: str | None = None


class _Jwk(msgspec.Struct):
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


@dataclass(frozen=True, slots=True)
class _Key:
    id: str | None
    algorithm: str
    verify: Verify


@dataclass(frozen=True, slots=True)
class _Parts:
    """A token taken apart, with nothing proven yet."""

    header: _Header
    payload: bytes
    signed: bytes
    signature: bytes


def issuer_of(token: str) -> str:
    """Who the token says made it: for choosing the keys to check it with. Raises InvalidIdentityToken."""
    return _payload(_taken_apart(token).payload).iss


def verify(token: str, key_set: str, now: int) -> Claims:
    """What a token says, signed by a key of the set and good at `now`.

    Raises InvalidIdentityToken, ExpiredIdentityToken. Whether issuer and audience are right is for the caller to ask.
    """
    parts = _taken_apart(token)
    _check_signature(parts, read_key_set(key_set))
    payload = _payload(parts.payload)
    _check_times(payload, now)
    return Claims(
        payload.iss,
        payload.sub,
        (payload.aud,) if isinstance(payload.aud, str) else tuple(payload.aud),
        payload.azp,
        _texts(parts.payload),
    )


@lru_cache(maxsize=64)
def read_key_set(text: str) -> tuple[_Key, ...]:
    """The keys of a JWK set that can check signatures. Raises BadKeySet."""
    try:
        keys = msgspec.json.decode(text, type=_JwkSet).keys
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
        raise BadKeySet(f"no JWK set: {error}") from None
    if len(keys) > _KEY_LIMIT:
        raise BadKeySet(f"a JWK set has {_KEY_LIMIT} keys at most")
    usable = tuple(key for key in map(_key, keys) if key is not None)
    if not usable:
        raise BadKeySet("the JWK set has no key for RS256 or ES256")
    return usable


def _check_signature(parts: _Parts, keys: tuple[_Key, ...]) -> None:
    """A token without `kid` may be signed by any key of its algorithm (RFC 7515, section 4.1.4: it is a hint)."""
    header = parts.header
    if header.crit is not None:
        raise InvalidIdentityToken(reason="The token has extensions that are not understood")
    fitting = [key for key in keys if key.algorithm == header.alg and header.kid in (None, key.id)]
    if not fitting:
        raise InvalidIdentityToken(reason="No key of the identity provider fits the token")
    if not any(_is_signed_by(key, parts) for key in fitting):
        raise InvalidIdentityToken(reason="The token's signature is invalid")


def _is_signed_by(key: _Key, parts: _Parts) -> bool:
    try:
        key.verify(parts.signature, parts.signed)
    except InvalidSignature:
        return False
    return True


def _check_times(payload: _Payload, now: int) -> None:
    if payload.exp * SECOND <= now:
        raise ExpiredIdentityToken
    for begin in (payload.nbf, payload.iat):
        if begin is not None and begin * SECOND > now + CLOCK_SKEW:
            raise InvalidIdentityToken(reason="The token is not valid yet")


def _taken_apart(token: str) -> _Parts:
    if len(token) > LONGEST_TOKEN:
        raise InvalidIdentityToken(reason=f"The token is longer than {LONGEST_TOKEN} characters")
    sections = token.split(".")
    if len(sections) != 3 or not token.isascii():
        raise InvalidIdentityToken(reason="The token is no JSON web token")
    try:
        header, payload, signature = (_decoded(section) for section in sections)
        return _Parts(
            msgspec.json.decode(header, type=_Header), payload, token.rpartition(".")[0].encode("ascii"), signature
        )
    except (binascii.Error, msgspec.MsgspecError, RecursionError):
        raise InvalidIdentityToken(reason="The token is no JSON web token") from None


def _payload(content: bytes) -> _Payload:
    try:
        return msgspec.json.decode(content, type=_Payload)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidIdentityToken(reason=f"The token's claims are wrong: {error}") from None


def _texts(content: bytes) -> dict[str, tuple[str, ...]]:
    """Claims that policies can ask for: texts, truths and lists of texts."""
    claims: dict[str, Any] = msgspec.json.decode(content)
    found = {}
    for name, value in claims.items():
        listed = value if isinstance(value, list) else [value]
        texts = [str(item).lower() if isinstance(item, bool) else item for item in listed]
        if texts and all(isinstance(text, str) for text in texts):
            found[name] = tuple(texts)
    return found


def _decoded(section: str) -> bytes:
    """Base64 for URLs without padding (RFC 7515, appendix C), and no other spelling of the same bytes."""
    content = base64.b64decode(section + "=" * (-len(section) % 4), altchars=b"-_", validate=True)
    if base64.urlsafe_b64encode(content).rstrip(b"=") != section.encode("ascii"):
        raise binascii.Error("not the canonical spelling")
    return content


def _key(jwk: _Jwk) -> _Key | None:
    """None for keys of other kinds and uses, which sets have, too. Raises BadKeySet for one that is broken."""
    if jwk.use not in (None, "sig"):
        return None
    try:
        if jwk.kty == "RSA" and jwk.alg in (None, "RS256"):
            return _Key(jwk.kid, "RS256", _rsa_check(jwk))
        if jwk.kty == "EC" and jwk.crv == "P-256" and jwk.alg in (None, "ES256"):
            return _Key(jwk.kid, "ES256", _ec_check(jwk))
    except ValueError as error:
        raise BadKeySet(f"the key {jwk.kid!r} is no key: {error}") from None
    return None


def _rsa_check(jwk: _Jwk) -> Verify:
    key = rsa.RSAPublicNumbers(_number(jwk.e), _number(jwk.n)).public_key()
    if key.key_size not in _RSA_BITS:
        raise ValueError(f"{key.key_size} bits")
    return lambda signature, signed: key.verify(signature, signed, padding.PKCS1v15(), SHA256())


def _ec_check(jwk: _Jwk) -> Verify:
    key = ec.EllipticCurvePublicNumbers(_number(jwk.x), _number(jwk.y), ec.SECP256R1()).public_key()

    def check(signature: bytes, signed: bytes) -> None:
        if len(signature) != 2 * _COORDINATE_BYTES:
            raise InvalidSignature
        r, s = signature[:_COORDINATE_BYTES], signature[_COORDINATE_BYTES:]
        key.verify(encode_dss_signature(int.from_bytes(r), int.from_bytes(s)), signed, ec.ECDSA(SHA256()))

    return check


def _number(text: str) -> int:
    return int.from_bytes(_decoded(text))
