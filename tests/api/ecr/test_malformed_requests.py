"""Malformed requests: each is rejected as the service model allows, and none causes an internal error."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from moorage.aws.service_model import OPERATIONS, SHAPES
from moorage.ecr.operations import OPERATIONS as ECR_OPERATIONS
from tests.api.ecr.wire import ACCOUNT, Wire
from tests.unit.aws.samples import broken_requests, sample

JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    10**400,
    1.5,
    1e308,
    "",
    " ",
    "\0",
    "\ud83d\ude00",
    "ÿ" * 200,
    "'; DROP TABLE repository; --",
    "../../../../etc/passwd",
    "%00%2f..",
    "x" * 70_000,
    "sha256:" + "0" * 64,
    "arn:aws:ecr:us-east-1:000000000000:repository/" + "a/" * 300,
    [],
    [[]],
    [None],
    ["a"] * 1001,
    {},
    {"": {}},
    {"imageTag": {"a": []}, "Key": 0},
]
TRIES = 12
BITS = {"integer": 32, "long": 64}


@pytest.fixture(scope="module", autouse=True)
def target(ecr: Any) -> str:
    """A repository that well-formed names in the requests can hit; other tests of the server may have created it."""
    with suppress(ecr.exceptions.RepositoryAlreadyExistsException):
        ecr.create_repository(repositoryName="team/app")
    return "team/app"


def own(value: Any) -> Any:
    """The request with the caller's own account, so that it gets past the account check."""
    if isinstance(value, dict):
        return {name: ACCOUNT if name == "registryId" else own(item) for name, item in value.items()}
    return [own(item) for item in value] if isinstance(value, list) else value


def mutated(value: Any, chance: random.Random) -> Any:
    """A copy of the value with junk in some places."""
    if chance.random() < 0.12:
        return chance.choice(JUNK)
    if isinstance(value, dict):
        members = {name: mutated(item, chance) for name, item in value.items() if chance.random() > 0.1}
        return members | ({chance.choice(["x", "", "__type"]): chance.choice(JUNK)} if chance.random() < 0.1 else {})
    if isinstance(value, list):
        return [mutated(item, chance) for item in value * chance.choice([1, 1, 2, 0])]
    return value


def bodies(operation: str) -> Iterator[bytes]:
    chance = random.Random(operation)
    whole = own(sample(OPERATIONS[operation].input_shape))
    text = json.dumps(whole).encode()
    yield text
    for _ in range(TRIES):
        yield json.dumps(mutated(whole, chance)).encode()
    yield chance.randbytes(300)
    yield text[: len(text) // 2]
    yield text.replace(b'"', b"'")
    position = chance.randrange(len(text))
    yield text[:position] + chance.randbytes(3) + text[position:]


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_no_body_makes_an_operation_fail(wire: Wire, operation: str) -> None:
    """`Wire.call` checks that the operation's model allows each response, and that its status is never 500."""
    for body in bodies(operation):
        wire.call(operation, body)


@pytest.mark.parametrize("operation", ["CreateRepository", "PutImage", "BatchGetImage", "ListImageReferrers"])
def test_each_broken_constraint_is_named(wire: Wire, operation: str) -> None:
    """Shows that the ECR endpoint checks the model's constraints. tests/unit/aws tests the constraints themselves."""
    for broken in broken_requests(OPERATIONS[operation]):
        refused = wire.call(operation, own_account(broken.request)).refusal
        message = f"Invalid parameter at '{broken.parameter}' failed to satisfy constraint: '{broken.constraint}'"
        assert refused == (400, "InvalidParameterException", message)


def numbers(operation: str) -> Iterator[tuple[str, str]]:
    """The numbers in an operation's input, with their types. None is in a structure of the input."""
    members = SHAPES[OPERATIONS[operation].input_shape].members
    yield from ((name, SHAPES[shape].type) for name, shape in members.items() if SHAPES[shape].type in BITS)


WITH_NUMBERS = [(operation, *number) for operation in sorted(ECR_OPERATIONS) for number in numbers(operation)]


@pytest.mark.parametrize(("operation", "member", "kind"), WITH_NUMBERS)
def test_a_number_has_the_size_of_its_type(wire: Wire, operation: str, member: str, kind: str) -> None:
    """Clients in Java and Go hold `integer` in 32 bits and `long` in 64."""
    whole = own(sample(OPERATIONS[operation].input_shape))
    limit = 2 ** (BITS[kind] - 1)

    for number in (limit, -limit - 1, 10**19, -(10**400), 1.0, 1e3):
        refused = wire.call(operation, whole | {member: number}).refusal
        assert refused == (400, "SerializationException", f"NUMBER_VALUE cannot be converted to {kind.title()}")
    for number in (limit - 1, -limit):
        answer = wire.call(operation, whole | {member: number})
        assert answer.status == 200 or answer.refusal.code != "SerializationException"


def own_account(request: Any) -> Any:
    """The sample request with the caller's own account. Values that break a rule stay."""
    if isinstance(request, dict) and request.get("registryId") == "123456789012":
        return request | {"registryId": ACCOUNT}
    return request
