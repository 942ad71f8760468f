"""A resource of Terraform's AWS provider, and what the resources of the stack share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tests.api.ecr import wire
from tests.api.iam.conftest import iam_client
from tests.api.services.calls import ACCOUNT, allow, client_of, person_with
from tests.support.server import Server

REGION = "tf-stack-1"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ARNS = {
    "repository": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/stack/app",
    "role": f"arn:aws:iam::{ACCOUNT}:role/stack",
    "policy": f"arn:aws:iam::{ACCOUNT}:policy/stack",
    "user": f"arn:aws:iam::{ACCOUNT}:user/stack",
    "profile": f"arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/stack",
}
SECRET = "ecr-pullthroughcache/stack"
MISSING = ("NoSuchEntity", "NotFoundException")
"""How the errors end that mean that a resource is gone."""


def policy(*actions: str, principal: str = "", resource: str = "") -> str:
    """What the data source `aws_iam_policy_document` writes."""
    statement: dict[str, Any] = {"Sid": "", "Effect": "Allow", "Action": list(actions)}
    if principal:
        statement["Principal"] = {"AWS": principal}
    if resource:
        statement["Resource"] = resource
    return normalized({"Version": "2012-10-17", "Statement": [statement]})


def normalized(document: Any) -> str:
    """A document, or its text, with sorted members: the provider compares documents without regard to their order."""
    return json.dumps(json.loads(document) if isinstance(document, str) else document, sort_keys=True)


def lifecycle(count: int) -> str:
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count}
    return normalized({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})


Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Resource:
    """A resource: its arguments in two versions of the stack, and the provider's calls for it.

    `read` returns the arguments as the server has them. It raises ClientError or returns None if the resource is gone.
    A resource without `update` has no arguments that can change.
    """

    name: str
    first: Arguments
    second: Arguments
    create: Callable[[Arguments], Any]
    read: Callable[[], Arguments | None]
    update: Callable[[Arguments], Any]
    delete: Callable[[], Any]

    def state(self) -> Arguments | None:
        try:
            return self.read()
        except ClientError as error:
            if not error.response["Error"]["Code"].endswith(MISSING):
                raise
            return None


class Clients:
    """The clients of the user whose access key Terraform has."""

    def __init__(self, server: Server) -> None:
        person = person_with(server, allow("ecr:*", "iam:*", "kms:*", "secretsmanager:*", "signer:*"))
        credentials = {"aws_access_key_id": person.key, "aws_secret_access_key": person.secret}
        self.ecr = wire.client_of(server, region=REGION, **credentials)
        names = ("kms", "secretsmanager", "signer")
        self.kms, self.secrets, self.signer = (client_of(server, name, person, REGION) for name in names)
        self.iam = iam_client(server, person.key, person.secret)


def never(_: Arguments) -> None:
    raise AssertionError("none of its arguments changes")
