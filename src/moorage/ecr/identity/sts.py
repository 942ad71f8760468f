"""The Security Token Service, in AWS's query protocol on the same endpoint: who am I, and temporary credentials."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from moorage.aws import sigv4, sts
from moorage.core.identity import assume_role as assuming
from moorage.core.identity.assume_role import AssumedSession, AssumeRoleRequest
from moorage.core.identity.authentication import Credentials
from moorage.core.identity.sessions import SessionKey
from moorage.core.services import Services
from moorage.domain.errors import AccessDenied, InvalidParameter, MissingAuthenticationToken, Refusal
from moorage.domain.identity.callers import Caller
from moorage.domain.units import HOUR, SECOND
from moorage.ecr.identity.authentication import authenticated_body
from moorage.http.messages import CallDetails, Request, Response
from moorage.http.request_context import request_context_of

_SESSION_SECONDS: Final = range(900, 129_601)
"""GetSessionToken: DurationSeconds may be 15 minutes to 36 hours; 12 hours when it is not said."""

_DEFAULT_SESSION: Final = 12 * HOUR

_PREFIX: Final = "sts:"
_AUDITED: Final = frozenset({"GetCallerIdentity", "GetSessionToken", "AssumeRole", "AssumeRoleWithWebIdentity"})
_NOT_TAKEN: Final = ("SerialNumber", "TokenCode", "SourceIdentity", "ProviderId", "Tags.", "TransitiveTagKeys.")
"""Parameters that would restrict or describe a session in ways that nothing here keeps."""

_UNSIGNED: Final = "AssumeRoleWithWebIdentity"
_LONGEST_PACKED: Final = 2048


class StsEndpoint:
    """GetCallerIdentity, GetSessionToken, AssumeRole, and without a signature AssumeRoleWithWebIdentity."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def respond(self, request: Request, details: CallDetails) -> Response:
        failure: Refusal | None = None
        try:
            status, body = await self._answer(request, details)
        except Refusal as refusal:
            failure = refusal
            status, body = sts.refusal_response(refusal, request.id)
        operation = details.operation.removeprefix(_PREFIX)
        if operation in _AUDITED:
            self._services.audit.note(request, replace(details, operation=operation), failure, "sts")
        headers = [
            (b"content-type", b"text/xml"),
            (b"content-length", b"%d" % len(body)),
            (b"x-amzn-requestid", request.id.encode()),
        ]
        return Response(status, headers, body)

    async def _answer(self, request: Request, details: CallDetails) -> tuple[int, bytes]:
        if not _is_signed(request):
            return await self._unsigned(request, details)
        signed = sigv4.parse(
            request.method, request.scope["raw_path"], request.query, request.scope["headers"], services=("sts",)
        )
        body, credentials = await authenticated_body(self._services, request, details, signed, sts.MAX_BODY_BYTES)
        query, caller = _read(details, body), credentials.caller(signed.region)
        match query.action:
            case "GetCallerIdentity":
                return 200, self._caller_identity(request, caller)
            case "GetSessionToken":
                return 200, self._session_token(request, credentials, query)
            case "AssumeRole":
                return 200, await self._assume_role(request, details, caller, query)
            case "AssumeRoleWithWebIdentity":
                return 200, await self._assume_with_token(request, details, query)
            case _:
                return sts.invalid_action_response(query, request.id)

    async def _unsigned(self, request: Request, details: CallDetails) -> tuple[int, bytes]:
        """The one action that needs no signature, since it brings another proof."""
        query = _read(details, await request.body.whole(sts.MAX_BODY_BYTES))
        if query.action != _UNSIGNED:
            raise MissingAuthenticationToken
        return 200, await self._assume_with_token(request, details, query)

    def _caller_identity(self, request: Request, caller: Caller) -> bytes:
        return sts.caller_identity_response(caller.arn, caller.unique_id, caller.account, request.id)

    def _session_token(self, request: Request, credentials: Credentials, query: sts.QueryRequest) -> bytes:
        if credentials.session is not None:  # AWS: "You cannot call GetSessionToken with session credentials."
            raise AccessDenied(
                principal=credentials.owner.arn,
                action="sts:GetSessionToken",
                resource="*",
                reason="because it cannot be called with session credentials",
            )
        seconds = _seconds(query)
        if seconds is not None and seconds not in _SESSION_SECONDS:
            limits = f"Member must have value between {_SESSION_SECONDS.start} and {_SESSION_SECONDS.stop - 1}"
            raise InvalidParameter(parameter="durationSeconds", constraint=limits)
        life = _DEFAULT_SESSION if seconds is None else seconds * SECOND
        return sts.session_token_response(
            _shown(self._services.authenticator.sessions.issue(credentials.key, life)), request.id
        )

    async def _assume_role(
        self, request: Request, details: CallDetails, caller: Caller, query: sts.QueryRequest
    ) -> bytes:
        wish, request_context = _wish(details, query), request_context_of(request, self._services.now())
        assumed = await self._services.database.read(lambda tx: assuming.assume(tx, caller, wish, request_context))
        return sts.assumed_role_response(query.action, self._made(assumed, caller.key), {}, request.id)

    async def _assume_with_token(self, request: Request, details: CallDetails, query: sts.QueryRequest) -> bytes:
        wish, request_context = _wish(details, query), request_context_of(request, self._services.now())
        token = _needed(query, "WebIdentityToken")
        assumed, claims = await self._services.database.read(
            lambda tx: assuming.assume_with_web_identity(tx, token, wish, request_context)
        )
        proven = {
            "SubjectFromWebIdentityToken": claims.subject,
            "Provider": claims.issuer,
            "Audience": claims.audiences[0],
        }
        made = self._made(assumed, "")
        details.caller_name = made.arn
        return sts.assumed_role_response(query.action, made, proven, request.id)

    def _made(self, assumed: AssumedSession, parent: str) -> sts.AssumedRoleResult:
        role, session = assumed.role, assumed.session
        key = self._services.authenticator.sessions.issue(parent, assumed.duration, session)
        return sts.AssumedRoleResult(
            _shown(key),
            f"{role.id}:{session.name}",
            f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{session.name}",
            _packed(assumed),
        )


def _is_signed(request: Request) -> bool:
    return request.header(b"authorization") is not None or b"X-Amz-Signature" in request.query


def _read(details: CallDetails, body: bytes) -> sts.QueryRequest:
    query = sts.parse_request(body)
    details.operation = f"{_PREFIX}{query.action[:64]}"
    return query


def _wish(details: CallDetails, query: sts.QueryRequest) -> AssumeRoleRequest:
    """What is asked for, noted for the audit log without the policy and the token."""
    for parameter in query.parameters:
        if parameter.startswith(_NOT_TAKEN):
            raise InvalidParameter(parameter=parameter[:100], constraint="Moorage does not have it")
    parameters = query.parameters
    wish = AssumeRoleRequest(
        _needed(query, "RoleArn"),
        _needed(query, "RoleSessionName"),
        _seconds(query),
        parameters.get("Policy"),
        tuple(_listed(query, "PolicyArns.member.{}.arn")),
        parameters.get("ExternalId"),
    )
    details.parameters = {
        "roleArn": wish.role_arn,
        "roleSessionName": wish.session_name,
        "externalId": wish.external_id,
    }
    return wish


def _listed(query: sts.QueryRequest, pattern: str) -> Iterator[str]:
    number = 1
    while (value := query.parameters.get(pattern.format(number))) is not None:
        yield value
        number += 1


def _needed(query: sts.QueryRequest, parameter: str) -> str:
    value = query.parameters.get(parameter)
    if not value:
        name = parameter[0].lower() + parameter[1:]
        raise InvalidParameter(parameter=name, constraint="Member must not be null")
    return value


def _seconds(query: sts.QueryRequest) -> int | None:
    """Seconds that no session can last are those that are no number, too."""
    text = query.parameters.get("DurationSeconds")
    if text is None:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else -1


def _shown(key: SessionKey) -> sts.SessionCredentials:
    return sts.SessionCredentials(key.key, key.secret, key.token, key.expires)


def _packed(assumed: AssumedSession) -> int | None:
    """How much of the room for session policies is taken, in percent; None without any."""
    session = assumed.session
    if not session.is_restricted:
        return None
    taken = len(session.policy or "") + sum(map(len, session.policy_arns))
    return max(1, min(100, 100 * taken // _LONGEST_PACKED))
