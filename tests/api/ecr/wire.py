"""Hand-made requests to the ECR endpoint, and the checks that each of its responses must pass."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from moorage.aws.constraints import violations
from moorage.aws.service_model import OPERATIONS, SHAPES
from moorage.aws.signing import RequestLine, SigningKey, signed_headers
from tests.support.server import Server

ACCOUNT = "000000000000"
"""The account of the root access key of a new server."""

TARGET_PREFIX = "AmazonEC2ContainerRegistry_V20150921."
CONTENT_TYPE = "application/x-amz-json-1.1"

# Errors of AWS's front door, and errors that any operation of ECR may return (API reference, "Common errors").
FRONT_DOOR = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidParameterException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "RequestEntityTooLargeException",
    "SerializationException",
    "UnrecognizedClientException",
    "UnsupportedOperationException",
}

# ECR publishes no limit of open uploads, so its model has no error for one (docs/decisions/0038).
BEYOND_THE_MODEL = {"InitiateLayerUpload": {"LimitExceededException"}}

# Requests and responses share this shape. In a response the list may be empty, or as long as `maxResults` allows.
LISTS_OF_ANSWERS = {
    "imageIds: Member must have length greater than or equal to 1",
    "imageIds: Member must have length less than or equal to 100",
}

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Refusal(NamedTuple):
    """An error as a client sees it."""

    status: int
    code: str
    message: str


class NotRefused(AssertionError):
    """A call that a test expects to fail succeeded."""


def refusal(call: Callable[..., Any], **request: Any) -> Refusal:
    """The error of a boto3 call. Raises NotRefused if the call succeeds."""
    try:
        response = call(**request)
    except ClientError as error:
        metadata, described = error.response["ResponseMetadata"], error.response["Error"]
        return Refusal(metadata["HTTPStatusCode"], described["Code"], described.get("Message", ""))
    raise NotRefused(str(response))


def check_answer(operation_name: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Raise AssertionError unless the response follows the service model and the rules of AWS JSON 1.1."""
    operation = OPERATIONS[operation_name]
    assert headers["Content-Type"] == CONTENT_TYPE, headers
    assert _UUID.fullmatch(headers["x-amzn-RequestId"]), headers
    members = json.loads(body)
    if status == 200:
        assert set(violations(operation.output_shape, members)) <= LISTS_OF_ANSWERS, body
        return
    code = members.pop("__type")
    known = FRONT_DOOR | set(operation.errors) | BEYOND_THE_MODEL.get(operation_name, set())
    assert code in known, f"{operation_name} cannot answer {body!r}"
    assert status == (413 if code == "RequestEntityTooLargeException" else 400), (status, body)
    assert isinstance(members["message"], str), body
    if code in SHAPES:
        assert list(violations(code, members)) == [], body
    else:
        assert members.keys() == {"message"}, body


def check_answers_of(client: Any) -> Any:
    """Make this boto3 client of ECR pass each response to `check_answer`. Returns the client."""

    def check(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
        check_answer(
            operation_model.name, response_dict["status_code"], response_dict["headers"], response_dict["body"]
        )

    client.meta.events.register("before-parse.ecr", check)
    return client


@cache
def _session() -> Any:
    """One session for all clients, because each new one reads the service model again."""
    return boto3.session.Session()


def client_of(server: Server, service: str = "ecr", *, region: str = "us-east-1", **credentials: str | None) -> Any:
    """A boto3 client without retries and client-side checks, with the root access key by default."""
    environment = server.environment
    keys = {
        "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
    }
    client = _session().client(
        service,
        region_name=region,
        endpoint_url=environment[f"AWS_ENDPOINT_URL_{service.upper()}"],
        config=Config(parameter_validation=False, max_pool_connections=16, retries={"total_max_attempts": 1}),
        **(keys | credentials),
    )
    return check_answers_of(client) if service == "ecr" else client


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def refusal(self) -> Refusal:
        members = self.json()
        return Refusal(self.status, members["__type"], members.get("message", ""))


@dataclass(frozen=True)
class Signer:
    """Signs requests. Each part can be replaced by a wrong one."""

    key: str
    secret: str
    host: str
    token: str | None = None
    region: str = "us-east-1"
    service: str = "ecr"
    when: datetime | None = None

    def headers(self, target: str | None, body: bytes, content_type: str = CONTENT_TYPE) -> dict[str, str]:
        """The headers of `POST /` with this body, including Authorization."""
        values = {"content-type": content_type, "host": self.host}
        if self.token is not None:
            values["x-amz-security-token"] = self.token
        if target is not None:
            values["x-amz-target"] = target
        key = SigningKey(self.key, self.secret, self.region, self.service)
        now = int((self.when or datetime.now(UTC)).timestamp())
        return signed_headers(key, RequestLine("POST", "/"), values, hashlib.sha256(body).hexdigest(), now)


class Wire:
    """A client on one persistent connection that sends exactly the given requests. `signer` has the root access key."""

    def __init__(self, server: Server) -> None:
        host, port = server.host, server.port
        environment = server.environment
        self.signer = Signer(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"], f"{host}:{port}")
        self._connection = http.client.HTTPConnection(host, port, timeout=60)

    def call(self, operation: str, request: Any = None, **changes: Any) -> Answer:
        """Send a request of an operation. `request` becomes JSON unless it is bytes; `changes` apply to the signer."""
        body = request if isinstance(request, bytes) else json.dumps({} if request is None else request).encode()
        headers = replace(self.signer, **changes).headers(TARGET_PREFIX + operation, body)
        answer = self.send(headers, body)
        check_answer(operation, *answer)
        return answer

    def send(self, headers: Mapping[str, str], body: bytes, method: str = "POST", path: str = "/") -> Answer:
        """Send exactly this."""
        try:
            answer = self._exchange(headers, body, method, path)
        except ConnectionError:  # The server may close a kept connection at any time (RFC 9112, section 9.3.1).
            self._connection.close()
            answer = self._exchange(headers, body, method, path)
        if answer.status != 200:
            # The server closes the connection when it rejects a request before reading its body.
            self._connection.close()
        return answer

    def _exchange(self, headers: Mapping[str, str], body: bytes, method: str, path: str) -> Answer:
        try:
            self._connection.request(method, path, body, dict(headers))
            response = self._connection.getresponse()
            return Answer(response.status, response.headers, response.read())  # type: ignore[arg-type]  # its Message maps
        except BaseException:
            self._connection.close()  # The next response would follow the rest of this one.
            raise

    def close(self) -> None:
        self._connection.close()
