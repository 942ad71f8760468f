"""Requests that keep every rule of the model, made from the model, and one broken value for each constraint."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, NamedTuple

from moorage.aws.constraints import constraint_texts
from moorage.aws.service_model import SHAPES, Operation, Shape

# A text for each pattern of the model that is used in requests. test_codec checks that none is missing or wrong.
MATCHING = {
    "CredentialArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ecr-pullthroughcache/hub",
    "ImageTagMutabilityExclusionFilterValue": "release-*",
    "KmsKeyForRepositoryCreationTemplate": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd",
    "LayerDigest": "sha256:" + "0a" * 32,
    "Prefix": "team/app",
    "PrincipalArn": "arn:aws:iam::123456789012:role/reader",
    "PullThroughCacheRuleRepositoryPrefix": "hub",
    "Region": "eu-west-1",
    "RegistryId": "123456789012",
    "ReplicationBackfillId": "12345678-1234-1234-1234-123456789012",
    "RepositoryFilterValue": "prod",
    "RepositoryName": "team/app",
    "ScanningRepositoryFilterValue": "team/*",
    "SigningProfileArn": "arn:aws:signer:eu-west-1:123456789012:/signing-profiles/release",
    "SigningRepositoryFilterValue": "team/*",
    "UploadId": "12345678-1234-1234-1234-123456789012",
    "iam:AttachmentName": "push-team",
    "iam:accessKeyIdType": "AKIAAAAAAAAAAAAAAAAA",
    "iam:existingUserNameType": "ann",
    "iam:markerType": "marker",
    "iam:pathPrefixType": "/team/",
    "iam:pathType": "/team/",
    "iam:policyDocumentType": "{}",
    "iam:policyNameType": "push-team",
    "iam:policyPathType": "/team/",
    "iam:policyVersionIdType": "v1",
    "iam:roleDescriptionType": "of CI",
    "iam:roleNameType": "deploy",
    "iam:tagKeyType": "team é",
    "iam:tagValueType": "a",
    "iam:userNameType": "ann",
    "kms:MarkerType": "marker",
    "moorage:RepositoryPrefix": "team/",
    "moorage:SessionId": "session-of-the-matrix",
    "secretsmanager:FilterValueStringType": "team",
    "secretsmanager:RegionType": "eu-west-1",
    "secretsmanager:RotationTokenType": "12345678-1234-1234-1234-123456789012",
    "signer:AccountId": "123456789012",
    "signer:ProfileName": "release",
    "signer:ProfileVersion": "abcdefghij",
    "signer:TagKey": "team",
}
UNMATCHED = "\x00 nothing matches this \x00"


class Broken(NamedTuple):
    """A request that breaks one constraint, and the expected refusal."""

    request: Any
    parameter: str
    constraint: str


def sample(shape_name: str) -> Any:
    """A value with every member, as a JSON client sends it."""
    shape = SHAPES[shape_name]
    match shape.type:
        case "structure":
            return {name: sample(member) for name, member in shape.members.items()}
        case "list":
            return [sample(shape.member)] * max(1, shape.min or 0)
        case "map":
            return {sample(shape.key): sample(shape.value)}
        case "string":
            return _text(shape_name, shape)
        case "blob":
            return base64.b64encode(b"layer").decode()
        case "boolean":
            return True
        case kind:
            assert kind in ("integer", "long", "timestamp"), kind
            return max(shape.min or 0, 1)


def _text(shape_name: str, shape: Shape) -> str:
    if shape.enum:
        return shape.enum[0]
    return MATCHING.get(shape_name, "x" * max(1, shape.min or 0))


def broken_requests(operation: Operation) -> Iterator[Broken]:
    """Yield the operation's sample request once for each constraint of its input, with that constraint broken."""
    for broken in _broken(operation.input_shape, ""):
        yield Broken(broken.request, broken.parameter, broken.constraint)


def _broken(shape_name: str, path: str) -> Iterator[Broken]:
    """Yield broken values of a shape (in `request`), with the path at which ECR reports each."""
    shape = SHAPES[shape_name]
    for value, constraint in _broken_leaf(shape):
        yield Broken(value, path, constraint)
    if shape.type == "structure":
        yield from _broken_members(shape_name, path)
    if shape.type == "list":
        yield from _broken_items(shape, path)
    if shape.type == "map":
        yield from _broken_entries(shape, path)


def _broken_members(shape_name: str, path: str) -> Iterator[Broken]:
    shape, whole = SHAPES[shape_name], sample(shape_name)
    for name, member in shape.members.items():
        member_path = f"{path}.{_java(name)}".lstrip(".")
        if name in shape.required:
            without = {other: value for other, value in whole.items() if other != name}
            yield Broken(without, member_path, "Member must not be null")
            yield Broken(whole | {name: None}, member_path, "Member must not be null")
        for broken in _broken(member, member_path):
            yield broken._replace(request=whole | {name: broken.request})


def _broken_entries(shape: Shape, path: str) -> Iterator[Broken]:
    """AWS reports a bad key or value at the map."""
    for part, name in (("keys", shape.key), ("value", shape.value)):
        leaf = SHAPES[name]
        texts = ", ".join(constraint_texts(leaf))
        for value, _ in _broken_leaf(leaf):
            entry = {value: sample(shape.value)} if part == "keys" else {sample(shape.key): value}
            yield Broken(entry, path, f"Map {part} must satisfy constraint: [{texts}]")


def _broken_items(shape: Shape, path: str) -> Iterator[Broken]:
    member = SHAPES[shape.member]
    count = max(1, shape.min or 0)
    if member.type == "structure":
        for broken in _broken(shape.member, f"{path}.{count}.member"):
            yield broken._replace(request=[*[sample(shape.member)] * (count - 1), broken.request])
        return
    texts = [constraint for _, constraint in _broken_leaf(member)]
    if member.min == 0:
        texts.append("Member must have length greater than or equal to 0")
    for value, _ in _broken_leaf(member):
        # "Largest length first" is AWS's order inside the brackets.
        nested = ", ".join(sorted(texts, key=lambda text: ("less than" not in text, "greater than" not in text)))
        items = [*[sample(shape.member)] * (count - 1), value]
        yield Broken(items, path, f"Member must satisfy constraint: [{nested}]")


def _broken_leaf(shape: Shape) -> Iterator[tuple[Any, str]]:
    """Yield a value of the right type for each constraint of the shape itself, and that constraint's text."""
    what = "value" if shape.type in ("integer", "long") else "length"
    if shape.min:
        yield _sized(shape, shape.min - 1), f"Member must have {what} greater than or equal to {shape.min}"
    elif shape.min == 0 and what == "value":
        yield -1, "Member must have value greater than or equal to 0"
    if shape.max is not None:
        yield _sized(shape, shape.max + 1), f"Member must have {what} less than or equal to {shape.max}"
    if shape.pattern is not None:
        text = shape.pattern_message or f"Member must satisfy regular expression pattern: {shape.pattern}"
        yield UNMATCHED.ljust(shape.min or 0)[: shape.max], text
    if shape.enum:
        yield "none of these", f"Member must satisfy enum value set: [{', '.join(sorted(shape.enum))}]"


def _sized(shape: Shape, size: int) -> Any:
    match shape.type:
        case "string":
            return "x" * size
        case "list":
            return [sample(shape.member)] * size
        case "map":
            return {f"key{letter}": sample(shape.value) for letter in _letters(size)}
        case "blob":
            return base64.b64encode(bytes(size)).decode()
        case _:
            return size


def _letters(size: int) -> list[str]:
    """As many different words of letters."""
    return [f"{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(size)]


def _java(name: str) -> str:
    return name[0].lower() + name[1:]
