"""The parsers that read bytes from outside, each as a function of bytes that may only raise refusals."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from moorage.aws import codec, query_shapes, rest_json, sigv4, sts
from moorage.aws.rest_json import RestRequest, Routes
from moorage.aws.service_model import MODELS, OPERATIONS
from moorage.core.identity import authentication, oidc_tokens
from moorage.core.identity.sessions import Sessions
from moorage.core.pages import PageTokens
from moorage.core.vault import Vault
from moorage.domain.errors import Refusal
from moorage.domain.identity import further_actions
from moorage.domain.identity.policies.document import PolicyKind, accept_policy
from moorage.domain.identity.policies.elements import BadPolicy
from moorage.domain.lifecycle.policy import parse as parse_lifecycle_policy
from moorage.domain.names import Digest, RepositoryName, Tag, matches_wildcard, parse_repository_arn, registry_of_host
from moorage.domain.registry.manifests import IMAGE_TYPES, INDEX_TYPES, parse_manifest
from moorage.domain.secrets import names as secret_names
from moorage.domain.signing import verification
from moorage.domain.signing.envelope import EXPIRY, SIGNING_AUTHORITY
from moorage.domain.signing.errors import SigningError
from moorage.domain.signing.foreign import X509, verify_foreign
from moorage.domain.signing.profiles import ProfileName
from moorage.domain.signing.verification import SignatureInvalid
from moorage.domain.units import SECOND
from moorage.http.blob_response import byte_range
from moorage.http.forwarding import TrustedProxies
from moorage.http.messages import BadRequest, Request, RequestHead
from moorage.http.server.parser import MalformedRequest, RequestParser

_NOW: Final = 1_700_000_000 * SECOND
_VAULT: Final = Vault(b"k" * 32)
_SESSIONS: Final = Sessions(_VAULT, lambda: _NOW)
_PAGES: Final = PageTokens(_VAULT)
_PROXIES: Final = TrustedProxies(["192.0.2.0/24", "2001:db8::/32"])
_OPERATIONS: Final = sorted(OPERATIONS)
_IAM: Final = {name: operation for name, operation in MODELS["iam"].operations.items() if operation.input_shape}
_BUILT_OF_IAM: Final = sorted(_IAM)
_MANIFEST_TYPES: Final = sorted({*IMAGE_TYPES, *INDEX_TYPES})
_ROUTES: Final = Routes(MODELS["signer"])
_NAME_PARSERS: Final[tuple[Callable[[str], object], ...]] = (
    RepositoryName.parse,
    Tag.parse,
    Digest.parse,
    parse_repository_arn,
    registry_of_host,
    further_actions.parse_arn,
    secret_names.is_name,
    secret_names.parse_arn,
    ProfileName.of_arn,
)
_IMAGE: Final = f"sha256:{'a' * 64}"
"""The digest of the image that the envelopes of the corpus sign."""

_KEY_SET: Final = '{"keys":[{"kty":"oct","k":"a2V5","alg":"HS256"}]}'


_BETWEEN_CERTIFICATES: Final = b"\n--\n"


def _text(data: bytes) -> str:
    """Header values and names arrive as Latin-1, so each byte is a character."""
    return data.decode("latin-1")


def _lines(data: bytes, count: int) -> list[bytes]:
    return [*data.split(b"\n", count - 1), *[b""] * count][:count]


def _signature(data: bytes) -> None:
    """The lines: Authorization, X-Amz-Date, Host, path, query, and one more header."""
    authorization, date, host, path, query, other = _lines(data, 6)
    name, _, value = other.partition(b":")
    headers = [(b"authorization", authorization), (b"x-amz-date", date), (b"host", host), (name.lower(), value)]
    for name, value in headers:
        if name == b"authorization":
            sigv4.claimed_service(value.decode("latin-1"))
    signed = sigv4.parse("POST", path, query, headers)
    sigv4.verify(signed, "secret", "0" * 64, _NOW)


def _tokens(data: bytes) -> None:
    text = _text(data)
    for read in (
        lambda: _SESSIONS.read("ASIA", text),
        lambda: _PAGES.page("list", text, (0,), 1),
        lambda: authentication._basic(text),
    ):
        with suppress(Refusal):
            read()


def _web_identity(data: bytes) -> None:
    """A token and, after a line feed, a key set."""
    token, keys = _lines(data, 2)
    text = _text(token)
    for read in (
        lambda: oidc_tokens.issuer_of(text),
        lambda: oidc_tokens.verify(text, _KEY_SET, _NOW),
        lambda: oidc_tokens.read_key_set(_text(keys)),
    ):
        with suppress(Refusal, oidc_tokens.BadKeySet):
            read()


def _envelope(data: bytes) -> None:
    """An envelope of Notation; or its parts, which the fuzzer changes more easily than their encoded forms.

    The lines are the signed attributes and the payload in JSON and the signature in hexadecimal digits; the rest has
    certificates in DER.
    """
    content = data if data.startswith(b'{"payload"') else _composed(data)
    for read in (
        lambda: verify_foreign(content, _IMAGE, (), X509),
        lambda: verify_foreign(content, _IMAGE, verification.read_envelope(content).chain, SIGNING_AUTHORITY),
        lambda: verification.verify_notation(content, _IMAGE),
        lambda: verification.time_in(verification.read_envelope(content).protected, EXPIRY),
    ):
        with suppress(SignatureInvalid):
            read()


def _composed(data: bytes) -> bytes:
    """The envelope that has these parts."""
    attributes, payload, signature, certificates = _lines(data, 4)
    try:
        raw = bytes.fromhex(_text(signature))
    except ValueError:
        raw = signature
    head, body, end = (base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (attributes, payload, raw))
    chain = [base64.b64encode(each).decode() for each in certificates.split(_BETWEEN_CERTIFICATES)]
    return json.dumps({"payload": body, "protected": head, "header": {"x5c": chain}, "signature": end}).encode()


def _manifest(data: bytes) -> None:
    for media_type in (None, *_MANIFEST_TYPES):
        with suppress(Refusal):
            parse_manifest(data, media_type)


def _ranges(data: bytes) -> None:
    for size in (0, 1, 1000, 1 << 62):
        selected = byte_range(data, size)
        assert selected is None or selected.stop <= size or not selected


def _names(data: bytes) -> None:
    text = _text(data)
    for parse in _NAME_PARSERS:
        with suppress(Refusal, SigningError):
            parse(text)
    pattern, _, name = text.partition("\n")
    matches_wildcard(pattern, name)


def _policy(data: bytes) -> None:
    for kind in PolicyKind:
        with suppress(BadPolicy):
            accept_policy(_text(data), kind)


def _lifecycle_policy(data: bytes) -> None:
    parse_lifecycle_policy(_text(data))


def _query_protocol(data: bytes) -> None:
    """A form, for STS and for an operation of IAM."""
    form = sts.parse_request(data)
    operation = _IAM.get(form.action) or _IAM[_BUILT_OF_IAM[len(data) % len(_BUILT_OF_IAM)]]
    assert isinstance(query_shapes.decode(operation, form), dict)


def _api_call(data: bytes) -> None:
    """The name of an operation, and its body in the second line."""
    name, body = _lines(data, 2)
    operation = OPERATIONS.get(_text(name)) or OPERATIONS[_OPERATIONS[len(data) % len(_OPERATIONS)]]
    members = codec.decode(operation, body)
    assert isinstance(members, dict)


def _rest_call(data: bytes) -> None:
    """The lines: method, path, query, and the rest is the body."""
    method, path, query, body = _lines(data, 4)
    operation = _ROUTES.operation_at(_text(method), path)
    if operation.input_shape:
        assert isinstance(rest_json.decode(operation, RestRequest(_text(method), path, query, {}), body), dict)


def _forwarded(data: bytes) -> None:
    """The lines: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Host."""
    names = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"host")
    head = RequestHead("GET", b"/", list(zip(names, _lines(data, 4), strict=True)))
    head.client = "192.0.2.1"
    _PROXIES.apply(head)
    assert head.scheme in {"http", "https"}
    assert len(head.client) <= 45


def _connection(data: bytes) -> None:
    """Heads and bodies with their framing, in one piece and byte for byte; the result must be the same."""
    assert _requests([data]) == _requests([data[index : index + 1] for index in range(len(data))])


def _receive(parser: RequestParser, data: bytes) -> None:
    """What a connection does with received bytes: it reads the rest of a body with a Content-Length by itself."""
    incoming = parser.requests[-1] if parser.requests else None
    if incoming is None or not incoming.missing:
        parser.feed(data)
        return
    incoming.pieces.append(data)
    incoming.missing -= len(data)
    if not incoming.missing:
        incoming.is_complete = True
        parser.skip_body()


def _requests(pieces: list[bytes]) -> list[tuple[str, bytes, int, bytes]]:
    parser = RequestParser()
    found: list[tuple[str, bytes, int, bytes]] = []
    with suppress(MalformedRequest):
        for piece in pieces:
            _receive(parser, piece)
    for incoming in parser.requests:
        found.append(
            (incoming.head.method, incoming.head.target, len(incoming.head.headers), b"".join(incoming.pieces))
        )
        with suppress(BadRequest, ValueError):
            Request(incoming.head, None, "id").parameters()  # type: ignore[arg-type]  # the body is not read
        if not incoming.keep_alive:  # the connection ends with this request
            break
    return found


PARSERS: Final[dict[str, Callable[[bytes], None]]] = {
    "api-call": _api_call,
    "connection": _connection,
    "envelope": _envelope,
    "forwarded": _forwarded,
    "lifecycle-policy": _lifecycle_policy,
    "manifest": _manifest,
    "names": _names,
    "policy": _policy,
    "query-protocol": _query_protocol,
    "ranges": _ranges,
    "rest-call": _rest_call,
    "signature": _signature,
    "tokens": _tokens,
    "web-identity": _web_identity,
}


def parse(name: str, data: bytes) -> None:
    """Read the bytes. Refusals are right answers; any other exception is a fault."""
    with suppress(Refusal, BadRequest):
        PARSERS[name](data)
