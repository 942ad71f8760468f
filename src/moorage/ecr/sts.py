"""The few operations of STS that AWS clients call beside ECR's, in AWS's query protocol, on the same endpoint."""

from __future__ import annotations

from typing import Final

from moorage.aws import sigv4, sts
from moorage.core.access import Credentials
from moorage.core.clock import HOUR, SECOND
from moorage.core.services import Services
from moorage.domain.errors import AccessDenied, InvalidParameter, Refusal
from moorage.ecr.authentication import authenticated_body
from moorage.http.messages import Request, Response

_SESSION_SECONDS: Final = range(900, 129_601)
"""GetSessionToken: DurationSeconds may be 15 minutes to 36 hours; 12 hours when it is not said."""

_DEFAULT_SESSION: Final = 12 * HOUR

_PREFIX: Final = "sts:"
_AUDITED: Final = frozenset({"GetCallerIdentity", "GetSessionToken"})


class StsDoor:
    """GetCallerIdentity and GetSessionToken."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def handle(self, request: Request) -> Response:
        failure: Refusal | None = None
        try:
            status, body = await self._answer(request)
        except Refusal as refusal:
            failure = refusal
            status, body = sts.refusal_response(refusal, request.id)
        operation = request.operation.removeprefix(_PREFIX)
        if operation in _AUDITED:
            self._services.audit.note(request, operation, failure, "sts")
        headers = [
            (b"content-type", b"text/xml"),
            (b"content-length", b"%d" % len(body)),
            (b"x-amzn-requestid", request.id.encode()),
        ]
        return Response(status, headers, body)

    async def _answer(self, request: Request) -> tuple[int, bytes]:
        signed = sigv4.parse(
            request.method, request.scope["raw_path"], request.query, request.scope["headers"], services=("sts",)
        )
        body, credentials = await authenticated_body(self._services, request, signed, sts.LONGEST_BODY)
        query = sts.parse_request(body)
        request.sender = credentials.caller(signed.region)
        request.operation = f"{_PREFIX}{query.action[:64]}"
        match query.action:
            case "GetCallerIdentity":
                return 200, self._caller_identity(request, credentials, signed.region)
            case "GetSessionToken":
                return 200, self._session_token(request, credentials, signed.region, query)
            case _:
                return sts.invalid_action_response(query, request.id)

    def _caller_identity(self, request: Request, credentials: Credentials, region: str) -> bytes:
        caller = credentials.caller(region)
        user_id = caller.account if caller.is_root else caller.user_id
        return sts.caller_identity_response(caller.arn, user_id, caller.account, request.id)

    def _session_token(self, request: Request, credentials: Credentials, region: str, query: sts.QueryRequest) -> bytes:
        caller = credentials.caller(region)
        if credentials.expires is not None:  # AWS: "You cannot call GetSessionToken with session credentials."
            raise AccessDenied(
                principal=caller.arn,
                action="sts:GetSessionToken",
                resource="*",
                reason="because it cannot be called with session credentials",
            )
        key = self._services.access.issue_session(caller, _life(query))
        session = sts.SessionCredentials(key.key, key.secret, key.token, key.expires)
        return sts.session_token_response(session, request.id)


def _life(query: sts.QueryRequest) -> int:
    text = query.parameters.get("DurationSeconds")
    if text is None:
        return _DEFAULT_SESSION
    if not (text.isascii() and text.isdigit() and len(text) < 8 and int(text) in _SESSION_SECONDS):
        limits = f"Member must have value between {_SESSION_SECONDS.start} and {_SESSION_SECONDS.stop - 1}"
        raise InvalidParameter(parameter="durationSeconds", constraint=limits)
    return int(text) * SECOND
