"""The audit log: who called which operation, from where, and with what result, in the format of AWS CloudTrail.

Every request that changes something, or tries to, has a record, and so has every command that changed something.
Requests that only read have one when that is turned on. Requests of docker clients are recorded as API calls (ECR user
guide, "Logging with CloudTrail"). Records contain no layers, manifests or page tokens, and of the headers only the name
of the client's program.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from moorage.bounds import shortened
from moorage.core.clock import Clock
from moorage.domain.errors import AccessDenied, InvalidParameter, Refusal
from moorage.domain.identity.actions import is_reading
from moorage.domain.identity.callers import Caller
from moorage.domain.names import Registry, parse_repository_arn
from moorage.domain.units import iso_time
from moorage.telemetry import RequestIds

_EVENT_VERSION: Final = "1.11"
_ITSELF: Final = "ecr.amazonaws.com"
_OWN_SERVICE: Final = "moorage"
"""The event source of calls of the operating API, which is not a service of AWS."""
_COMMAND_LINE: Final = "command line"
SERVER_FAULT: Final = "ServerException"
"""The error code of internal errors."""

_OMITTED: Final = frozenset({"imageManifest", "layerPartBlob", "nextToken", "payload"})
_PARAMETERS_LIMIT: Final = 100_000
"""Bytes of `requestParameters`, as CloudTrail limits them."""

_NAMES_LIMIT: Final = 4096
"""Bytes of `requestParameters` that were not checked: of a caller who did not authenticate, or of a docker client."""


_encode: Final = msgspec.json.Encoder(enc_hook=str).encode


class AuditedRequest(Protocol):
    """The parts of a request that a record contains."""

    id: str
    client: str

    def header(self, name: bytes) -> str | None: ...


class AuditedCall(Protocol):
    """The parts of a call that a record contains, as far as they became known."""

    operation: str
    caller: Caller | None
    parameters: dict[str, Any] | None
    is_from_console: bool


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in at the console: whose, or why it failed; `is_by_link`: with a link instead of an access key."""

    caller: Caller | None
    failure: str | None
    is_by_link: bool


@dataclass(frozen=True, slots=True)
class Command:
    """A command that changed something: its words, the user of the operating system, and what was given and made."""

    words: str
    user: dict[str, Any]
    parameters: dict[str, Any]
    result: Mapping[str, Any] | None
    program: str


class AuditWriter(Protocol):
    """Writes one record. A `dispensable` one, of a read or of a refused request, may be dropped when space is short."""

    def __call__(self, record: bytes, *, dispensable: bool) -> None: ...


class Audit:
    """Creates audit records and passes them to `write`. If `write` is None, there is no audit log."""

    def __init__(self, write: AuditWriter | None, now: Clock, region: str, *, reads: bool) -> None:
        self._write = write
        self._now = now
        self._region = region
        self._reads = reads
        self._event_ids = RequestIds()  # They have the form of a UUID, too, and cost less.

    def wants(self, *, reading: bool) -> bool:
        """Whether requests that read, or requests that change something, are recorded."""
        return self._write is not None and (self._reads or not reading)

    def record_operation(
        self, request: AuditedRequest, call: AuditedCall, failure: Refusal | str | None, service: str = "ecr"
    ) -> None:
        """Record a call of an operation, unless it only reads and such calls are not recorded. See `record`."""
        if self.wants(reading=is_reading(call.operation)):
            self.record(request, call, failure, service=service)

    def record(
        self,
        request: AuditedRequest,
        call: AuditedCall,
        failure: Refusal | str | None,
        *,
        service: str = "ecr",
        docker: bool = False,
    ) -> None:
        """Record a call. `failure` is its refusal, or the code of an internal error; None if it succeeded."""
        if self._write is None:
            return
        is_checked = call.caller is not None and not docker
        record = self._describe(request, call, service, _PARAMETERS_LIMIT if is_checked else _NAMES_LIMIT)
        if docker:
            record["userIdentity"]["invokedBy"] = _ITSELF
        if failure is not None:
            record |= _bounded(_error(failure))
        self._write(_encode(record), dispensable=failure is not None or record["readOnly"])

    def record_sign_in(self, request: AuditedRequest, sign_in: SignIn) -> None:
        """Record that somebody signed in at the console, or tried to (CloudTrail, "Console sign-in events")."""
        if self._write is None:
            return
        caller, failure = sign_in.caller, sign_in.failure
        record: dict[str, Any] = {
            "eventVersion": _EVENT_VERSION,
            "userIdentity": identity(caller),
            "eventTime": iso_time(self._now()),
            "eventSource": "signin.amazonaws.com",
            "eventName": "ConsoleLogin",
            "awsRegion": self._region,
            "sourceIPAddress": request.client,
            "userAgent": request.header(b"user-agent") or "",
            "requestParameters": None,
            "responseElements": {"ConsoleLogin": "Success" if failure is None else "Failure"},
            "additionalEventData": {"MFAUsed": "No", "Link": "Yes" if sign_in.is_by_link else "No"},
            "eventID": self._event_ids.next(),
            "readOnly": False,
            "eventType": "AwsConsoleSignIn",
            "managementEvent": True,
            "recipientAccountId": caller.account if caller else "",
            "eventCategory": "Management",
        }
        if failure is not None:
            record["errorMessage"] = failure
        self._write(_encode(_bounded(record)), dispensable=failure is not None)

    def record_service_event(self, event: str, resource: str, owner: Registry, details: Mapping[str, Any]) -> None:
        """Record a change that no request made (CloudTrail, "Service events"). `resource` is an ARN."""
        if self._write is None:
            return
        record: dict[str, Any] = {
            "eventVersion": _EVENT_VERSION,
            "userIdentity": {"accountId": owner.account, "invokedBy": _ITSELF},
            "eventTime": iso_time(self._now()),
            "eventSource": _ITSELF,
            "eventName": event,
            "awsRegion": owner.region,
            "sourceIPAddress": _ITSELF,
            "userAgent": _ITSELF,
            "requestParameters": None,
            "responseElements": None,
            "eventID": self._event_ids.next(),
            "readOnly": False,
            "resources": [{"ARN": resource, "accountId": owner.account}],
            "eventType": "AwsServiceEvent",
            "managementEvent": True,
            "recipientAccountId": owner.account,
            "eventCategory": "Management",
        }
        self._write(_encode(_bounded(record) | {"serviceEventDetails": details}), dispensable=False)

    def record_command(self, command: Command) -> None:
        """Record a change that a command made in the database or the blob store, and not through the API."""
        if self._write is None:
            return
        record: dict[str, Any] = {
            "eventVersion": _EVENT_VERSION,
            "userIdentity": command.user,
            "eventTime": iso_time(self._now()),
            "eventSource": _COMMAND_LINE,
            "eventName": command.words,
            "awsRegion": self._region,
            "sourceIPAddress": _COMMAND_LINE,
            "userAgent": command.program,
            "requestParameters": None,
            "responseElements": None,
            "eventID": self._event_ids.next(),
            "readOnly": False,
            "resources": [],
            "eventType": "MoorageCommand",
            "managementEvent": True,
            "recipientAccountId": command.user["accountId"],
            "eventCategory": "Management",
        }
        record = _bounded(record) | {
            "requestParameters": _parameters(command.parameters, _PARAMETERS_LIMIT),
            "responseElements": _parameters(command.result, _PARAMETERS_LIMIT, "responseElements"),
        }
        self._write(_encode(record), dispensable=False)

    def describe(self, request: AuditedRequest, call: AuditedCall) -> dict[str, Any]:
        """The record of a successful call of ECR. This works without an audit log, too."""
        return self._describe(request, call, "ecr", _PARAMETERS_LIMIT)

    def _describe(
        self, request: AuditedRequest, call: AuditedCall, service: str, parameters_limit: int
    ) -> dict[str, Any]:
        """The record of a call.

        Each text that a client chose has at most `TEXT_LIMIT` characters, so CloudTrail's limits hold, such as that of
        `userAgent`. The parameters have a limit as a whole instead, because policies are long.
        """
        caller, operation = call.caller, call.operation
        region = caller.region if caller else self._region
        owner, resources = _resources(call.parameters or {}, Registry(caller.account if caller else "", region))
        record: dict[str, Any] = {
            "eventVersion": _EVENT_VERSION,
            "userIdentity": identity(caller),
            "eventTime": iso_time(self._now()),
            "eventSource": service if service == _OWN_SERVICE else f"{service}.amazonaws.com",
            "eventName": shortened(operation),
            "awsRegion": region,
            "sourceIPAddress": shortened(request.client),
            "userAgent": shortened(request.header(b"user-agent") or ""),
            "requestParameters": _parameters(call.parameters, parameters_limit),
            "responseElements": None,
            "requestID": request.id,
            "eventID": self._event_ids.next(),
            "readOnly": is_reading(operation),
            "resources": resources,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": shortened(owner.account),
            "eventCategory": "Management",
        }
        if call.is_from_console:
            record["sessionCredentialFromConsole"] = "true"
        return record


def identity(caller: Caller | None) -> dict[str, Any]:
    """The `userIdentity` of a caller. Its type is Unknown when the request was not authenticated."""
    if caller is None:
        return {"type": "Unknown"}
    members: dict[str, Any] = {
        "type": _IDENTITY_TYPES[caller.kind],
        "principalId": caller.unique_id,
        "arn": caller.arn,
        "accountId": caller.account,
    }
    if caller.key:
        members["accessKeyId"] = caller.key
    if caller.kind == "User":
        members["userName"] = caller.user_name
    context = _session_context(caller)
    return members | {"sessionContext": context} if context else members


_IDENTITY_TYPES: Final = {"Account": "Root", "User": "IAMUser", "AssumedRole": "AssumedRole"}


def _session_context(caller: Caller) -> dict[str, Any]:
    """Creation time and role of temporary credentials (CloudTrail, "userIdentity element")."""
    context: dict[str, Any] = {}
    if caller.role is not None:
        context["sessionIssuer"] = {
            "type": "Role",
            "principalId": caller.user_id.partition(":")[0],
            "arn": caller.principal_arn,
            "accountId": caller.account,
            "userName": caller.role.name,
        }
    if caller.issued_at is not None:
        context["attributes"] = {"creationDate": iso_time(caller.issued_at), "mfaAuthenticated": "false"}
    return context


def _error(failure: Refusal | str) -> dict[str, str]:
    if isinstance(failure, str):
        return {"errorCode": failure, "errorMessage": "An internal error occurred"}
    # The only code that CloudTrail shows without "Exception".
    code = "AccessDenied" if isinstance(failure, AccessDenied) else failure.code()
    return {"errorCode": code, "errorMessage": str(failure)}


def _bounded(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with long texts shortened, at any depth."""
    return {name: _shortened(value) for name, value in record.items()}


def _shortened(value: Any) -> Any:
    match value:
        case str():
            return shortened(value)
        case dict():
            return _bounded(value)
        case list():
            return [_shortened(item) for item in value]
    return value


def _parameters(
    parameters: Mapping[str, Any] | None, limit: int, member: str = "requestParameters"
) -> dict[str, Any] | None:
    """The parameters without content; a notice instead if they are too large (CloudTrail, "Record contents")."""
    if parameters is None:
        return None
    kept = {name: value for name, value in parameters.items() if name not in _OMITTED}
    size = len(_encode(kept))
    if size <= limit:
        return kept
    return {"omitted": True, "originalSize": size, "reason": f"{member} too large"}


def _resources(parameters: Mapping[str, Any], own: Registry) -> tuple[Registry, list[dict[str, str]]]:
    """The registry of a request, and its repository if the request names one by ARN or by name."""
    owner = Registry(parameters.get("registryId") or own.account, own.region)
    arn = parameters.get("resourceArn")
    if arn is not None:
        with suppress(InvalidParameter):
            owner = parse_repository_arn(arn)[0]
    elif "repositoryName" in parameters:
        arn = owner.repository_arn(parameters["repositoryName"])
    else:
        return owner, []
    return owner, [{"ARN": shortened(arn), "accountId": shortened(owner.account)}]
