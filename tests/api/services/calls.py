"""Clients of services other than ECR that check each response against the model of its service."""

from __future__ import annotations

import itertools
import json
import shlex
from typing import Any, Final, NamedTuple

import boto3
import botocore.session
from botocore.config import Config

from moorage.aws.constraints import violations
from moorage.aws.service_model import MODELS, SHAPES
from moorage.cli.aws import MODELS_OF_CLIENTS
from tests.support.policies import policy
from tests.support.server import Server

FRONT_DOOR: Final = {
    "AccessDeniedException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SerializationException",
    "UnrecognizedClientException",
    "UnsupportedOperationException",
    "ValidationException",
}
"""What AWS's front door returns for every service; also the validation of members, of which many models say nothing."""

ACCOUNT: Final = "000000000000"
_numbers = itertools.count(1)


class Person(NamedTuple):
    """A user of the shared server with an access key."""

    name: str
    key: str
    secret: str


def client_of(
    server: Server, service: str, person: Person | None = None, region_name: str = "us-east-1", **options: Any
) -> Any:
    """A boto3 client without retries and client-side checks, whose responses are checked. By default of root."""
    environment = server.environment
    client = session_of_boto3().client(
        service,
        region_name=region_name,
        endpoint_url=server.url,
        aws_access_key_id=person.key if person else environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=person.secret if person else environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(
            **{
                "parameter_validation": False,
                "retries": {"total_max_attempts": 1},
                "inject_host_prefix": False,
            }
            | options
        ),
    )
    client.meta.events.register(f"before-parse.{service}", check_answer)
    return client


def session_of_boto3() -> boto3.session.Session:
    """A session that also knows the model of the operating API, as with AWS_DATA_PATH."""
    core = botocore.session.get_session()
    core.get_component("data_loader").search_paths.append(str(MODELS_OF_CLIENTS))
    return boto3.session.Session(botocore_session=core)


def check_answer(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """Raise AssertionError unless a response follows the model of its service."""
    service = operation_model.service_model.service_name
    operation = MODELS[service].operations[operation_model.name]
    body, headers = response_dict["body"], response_dict["headers"]
    members = json.loads(body)
    assert headers["x-amzn-RequestId"]
    if response_dict["status_code"] == 200:
        broken = violations(operation.output_shape, members) if operation.output_shape else iter(members)
        assert [text for text in broken if "a blob cannot be" not in text] == [], body  # A blob is text in JSON.
        return
    code = members.get("__type") or headers["x-amzn-errortype"]
    known = {error.partition(":")[2] for error in operation.errors}
    assert code in FRONT_DOOR | known, f"{operation_model.name} cannot answer {body!r}"
    if code in known:
        assert response_dict["status_code"] == SHAPES[f"{service}:{code}"].status
        assert MODELS[service].message_member in members


def person_with(server: Server, *statements: dict[str, Any]) -> Person:
    """A new user with an access key and these statements as its policy."""
    name = f"person-of-services-{next(_numbers)}"
    server.moorage("user", "create", name)
    if statements:
        server.moorage("user", "put-policy", name, "own", "-", stdin=policy(*statements))
    exports = server.moorage("key", "create", "--user", name).splitlines()
    key, secret = (shlex.split(line)[1].partition("=")[2] for line in exports)
    return Person(name, key, secret)


def allow(*actions: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
