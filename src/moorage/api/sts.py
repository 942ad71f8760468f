"""The STS endpoint: GetCallerIdentity and temporary credentials, in AWS's query protocol on the path of ECR."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from moorage.api.authentication import Authentication
from moorage.aws import sts
from moorage.aws.query import CONTENT_TYPE, QueryRequest
from moorage.aws.sts_parameters import check_parameters
from moorage.core.events.audit import SERVER_FAULT
from moorage.core.identity import assume_role
from moorage.core.identity.assume_role import AssumedSession, AssumeRoleRequest
from moorage.core.identity.authentication import Credentials
from moorage.core.identity.sessions import SessionKey
from moorage.core.services import Services
from moorage.domain.errors import AccessDenied, InvalidParameter, MissingAuthenticationToken, Refusal, Unavailable
from moorage.domain.identity.actions import takes_space
from moorage.domain.identity.callers import Caller
from moorage.domain.units import HOUR, SECOND
from moorage.http.messages import RETRY_SECONDS, CallDetails, Request, Response
from moorage.http.request_context import request_context_of
from moorage.http.shares.body_budget import BodyBudget

_SESSION_SECONDS: Final = range(900, 129_601)
"""GetSessionToken: DurationSeconds is 15 minutes to 36 hours, by default 12 hours."""

_DEFAULT_SESSION: Final = 12 * HOUR

_PREFIX: Final = "sts:"
_AUDITED: Final = frozenset({"GetCallerIdentity", "GetSessionToken", "AssumeRole", "AssumeRoleWithWebIdentity"})

_UNSIGNED: Final = "AssumeRoleWithWebIdentity"
_PACKED_LIMIT: Final = 2048
_FAULT: Final = "An internal error occurred; the log has the request id"


class StsEndpoint:
    """GetCallerIdentity, GetSessionToken, AssumeRole, and without a signature AssumeRoleWithWebIdentity."""

    def __init__(self, services: Services, budget: BodyBudget, authentication: Authentication) -> None:
        self._services = services
        self._budget = budget
        self._authentication = authentication

    async def respond(self, request: Request, details: CallDetails) -> Response:
        failure: Refusal | None = None
        try:
            status, body = await self._answer(request, details)
        except Unavailable:
            raise
        except Refusal as refusal:
            failure = refusal
            status, body = sts.refusal_response(refusal, request.id)
        self._record(request, details, failure)
        return _xml(status, body, request)

    def unavailable(self, request: Request, details: CallDetails, refusal: Unavailable) -> Response:
        """See `Endpoint.unavailable`."""
        self._record(request, details, refusal)
        response = _xml(*sts.refusal_response(refusal, request.id), request)
        response.headers.append((b"retry-after", b"%d" % RETRY_SECONDS))
        return response

    def fault(self, request: Request, details: CallDetails) -> Response:
        """See `Endpoint.fault`."""
        self._record(request, details, SERVER_FAULT)
        return _xml(500, sts.error_xml("InternalFailure", _FAULT, request.id, fault="Receiver"), request)

    def _record(self, request: Request, details: CallDetails, failure: Refusal | str | None) -> None:
        """Write the call to the audit log, if it is an STS operation."""
        operation = details.operation.removeprefix(_PREFIX)
        if operation in _AUDITED:
            self._services.audit.record_operation(request, replace(details, operation=operation), failure, "sts")

    async def _answer(self, request: Request, details: CallDetails) -> tuple[int, bytes]:
        if not _is_signed(request):
            return await self._unsigned(request, details)
        proof = await self._authentication.begin(request, "sts")
        async with self._budget.reserve(request, sts.MAX_BODY_BYTES):
            body = await proof.body(request, details, sts.MAX_BODY_BYTES)
        credentials = proof.credentials
        query, caller = _read(details, body), credentials.caller(proof.region)
        check_parameters(query.action, query.parameters)
        self._require_reserve(query)
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
                raise query.unknown()

    async def _unsigned(self, request: Request, details: CallDetails) -> tuple[int, bytes]:
        """Answer the only action that does not need a signature, because it is authenticated by a token."""
        async with self._budget.reserve(request, sts.MAX_BODY_BYTES):
            query = _read(details, await request.body.whole(sts.MAX_BODY_BYTES))
        if query.action != _UNSIGNED:
            raise MissingAuthenticationToken
        check_parameters(query.action, query.parameters)
        self._require_reserve(query)
        return 200, await self._assume_with_token(request, details, query)

    def _require_reserve(self, query: QueryRequest) -> None:
        """Raise Unavailable if there is no space for the audit record."""
        if query.action in _AUDITED and takes_space(query.action):
            self._services.limits.require_reserve()

    def _caller_identity(self, request: Request, caller: Caller) -> bytes:
        return sts.caller_identity_response(caller.arn, caller.unique_id, caller.account, request.id)

    def _session_token(self, request: Request, credentials: Credentials, query: QueryRequest) -> bytes:
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
        duration = _DEFAULT_SESSION if seconds is None else seconds * SECOND
        key = self._services.authenticator.sessions.issue(credentials.key, duration)
        return sts.session_token_response(_credentials(key), request.id)

    async def _assume_role(self, request: Request, details: CallDetails, caller: Caller, query: QueryRequest) -> bytes:
        parameters, context = _assume_role_request(details, query), request_context_of(request, self._services.now())
        assumed = await self._services.database.read(lambda tx: assume_role.assume(tx, caller, parameters, context))
        return sts.assumed_role_response(query.action, self._issue(assumed, caller.key), {}, request.id)

    async def _assume_with_token(self, request: Request, details: CallDetails, query: QueryRequest) -> bytes:
        parameters, context = _assume_role_request(details, query), request_context_of(request, self._services.now())
        token = _required(query, "WebIdentityToken")
        assumed, claims = await self._services.database.read(
            lambda tx: assume_role.assume_with_web_identity(tx, token, parameters, context)
        )
        token_members = {
            "SubjectFromWebIdentityToken": claims.subject,
            "Provider": claims.issuer,
            "Audience": claims.audiences[0],
        }
        result = self._issue(assumed, "")
        details.caller_name = result.arn
        return sts.assumed_role_response(query.action, result, token_members, request.id)

    def _issue(self, assumed: AssumedSession, parent: str) -> sts.AssumedRoleResult:
        role, session = assumed.role, assumed.session
        key = self._services.authenticator.sessions.issue(parent, assumed.duration, session)
        return sts.AssumedRoleResult(
            _credentials(key),
            f"{role.id}:{session.name}",
            f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{session.name}",
            _packed_policy_size(assumed),
        )


def _xml(status: int, body: bytes, request: Request) -> Response:
    headers = [
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"x-amzn-requestid", request.id.encode()),
    ]
    return Response(status, headers, body)


def _is_signed(request: Request) -> bool:
    return request.header(b"authorization") is not None or b"X-Amz-Signature" in request.query


def _read(details: CallDetails, body: bytes) -> QueryRequest:
    query = sts.parse_request(body)
    details.operation = f"{_PREFIX}{query.action[:64]}"
    return query


def _assume_role_request(details: CallDetails, query: QueryRequest) -> AssumeRoleRequest:
    """The parameters of a call; they are set in `details` for the audit log, without the policy and the token."""
    parameters = query.parameters
    request = AssumeRoleRequest(
        _required(query, "RoleArn"),
        _required(query, "RoleSessionName"),
        _seconds(query),
        parameters.get("Policy"),
        tuple(_members(query, "PolicyArns.member.{}.arn")),
        parameters.get("ExternalId"),
    )
    details.parameters = {
        "roleArn": request.role_arn,
        "roleSessionName": request.session_name,
        "externalId": request.external_id,
    }
    return request


def _members(query: QueryRequest, pattern: str) -> Iterator[str]:
    number = 1
    while (value := query.parameters.get(pattern.format(number))) is not None:
        yield value
        number += 1


def _required(query: QueryRequest, parameter: str) -> str:
    value = query.parameters.get(parameter)
    if not value:
        name = parameter[0].lower() + parameter[1:]
        raise InvalidParameter(parameter=name, constraint="Member must not be null")
    return value


def _seconds(query: QueryRequest) -> int | None:
    """The DurationSeconds parameter; -1, which is not a valid duration, if it is not a number."""
    text = query.parameters.get("DurationSeconds")
    if text is None:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else -1


def _credentials(key: SessionKey) -> sts.SessionCredentials:
    return sts.SessionCredentials(key.key, key.secret, key.token, key.expires)


def _packed_policy_size(assumed: AssumedSession) -> int | None:
    """The size of the session policies in percent of the limit; None without session policies."""
    session = assumed.session
    if not session.is_restricted:
        return None
    size = len(session.policy or "") + sum(map(len, session.policy_arns))
    return max(1, min(100, 100 * size // _PACKED_LIMIT))
