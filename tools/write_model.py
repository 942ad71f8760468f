"""Write `src/moorage/aws/models/*.json`: the parts of the models that validation and encoding need.

They are botocore's models, and for Moorage's own service the one in `src/moorage/aws/data`.

python tools/write_model.py

Only this tool and tests need botocore. The program reads the written files.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

FOLDER = Path(__file__).parent.parent / "src" / "moorage" / "aws" / "models"
OWN = FOLDER.parent / "data"
"""Models of services that are Moorage's own, in botocore's format. Clients read them, too (docs/operating-api.md)."""
KEPT = ("type", "required", "min", "max", "pattern", "enum", "exception", "fault", "sensitive")


class Source(NamedTuple):
    """A model of botocore, and the operations whose shapes are needed; of all others only the names are. None: all."""

    version: str
    operations: str | None = None


SOURCES: Final = {
    "ecr": Source("2015-09-21"),
    "iam": Source(
        "2010-05-08",
        "AddClientIDToOpenIDConnectProvider AttachRolePolicy AttachUserPolicy CreateAccessKey "
        "CreateOpenIDConnectProvider CreatePolicy CreatePolicyVersion CreateRole CreateUser DeleteAccessKey "
        "DeleteLoginProfile DeleteOpenIDConnectProvider DeletePolicy DeletePolicyVersion DeleteRole "
        "DeleteRolePolicy DeleteUser DeleteUserPolicy DetachRolePolicy DetachUserPolicy GetAccessKeyLastUsed "
        "GetAccountSummary GetLoginProfile GetOpenIDConnectProvider GetPolicy GetPolicyVersion GetRole "
        "GetRolePolicy GetUser GetUserPolicy ListAccessKeys ListAccountAliases ListAttachedRolePolicies "
        "ListAttachedUserPolicies ListEntitiesForPolicy ListGroupsForUser ListInstanceProfilesForRole "
        "ListMFADevices ListOpenIDConnectProviderTags ListOpenIDConnectProviders ListPolicies ListPolicyTags "
        "ListPolicyVersions ListRolePolicies ListRoleTags ListRoles ListSSHPublicKeys "
        "ListServiceSpecificCredentials ListSigningCertificates ListUserPolicies ListUserTags ListUsers "
        "ListVirtualMFADevices PutRolePolicy PutUserPolicy RemoveClientIDFromOpenIDConnectProvider "
        "SetDefaultPolicyVersion SimulateCustomPolicy SimulatePrincipalPolicy TagOpenIDConnectProvider "
        "TagPolicy TagRole TagUser UntagOpenIDConnectProvider UntagPolicy UntagRole UntagUser UpdateAccessKey "
        "UpdateAssumeRolePolicy UpdateOpenIDConnectProviderThumbprint UpdateRole UpdateRoleDescription "
        "UpdateUser",
    ),
    "kms": Source("2014-11-01", "DescribeKey ListAliases ListKeys"),
    "moorage": Source("2026-11-30"),
    "secretsmanager": Source(
        "2017-10-17",
        "CreateSecret DeleteSecret DescribeSecret GetResourcePolicy GetSecretValue ListSecretVersionIds ListSecrets "
        "PutSecretValue RestoreSecret TagResource UntagResource UpdateSecret UpdateSecretVersionStage",
    ),
    "signer": Source(
        "2017-08-25",
        "CancelSigningProfile GetRevocationStatus GetSigningProfile ListSigningProfiles ListTagsForResource "
        "PutSigningProfile RevokeSignature RevokeSigningProfile SignPayload TagResource UntagResource",
    ),
}


def model_text(service: str) -> str:
    """A file's text: one line for each operation and shape, sorted, so that diffs are readable."""
    source = SOURCES[service]
    model = _model(service, source.version)
    described = set(model["operations"] if source.operations is None else source.operations.split())
    operations = {
        name: _operation(operation, service, is_described=name in described)
        for name, operation in model["operations"].items()
    }
    names = sorted(model["shapes"] if source.operations is None else _used(model, described))
    shapes = {qualified(service, name): _shape(model["shapes"][name], service) for name in names}
    metadata = model["metadata"]
    namespace = f'"namespace": {_json(metadata["xmlNamespace"])},\n' if "xmlNamespace" in metadata else ""
    return (
        f'{{\n"name": {_json(service)},\n'
        f'"protocol": {_json(metadata["protocol"])},\n'
        f'"target_prefix": {_json(metadata.get("targetPrefix", ""))},\n{namespace}'
        f'"operations": {{\n{_lines(operations)}\n}},\n'
        f'"shapes": {{\n{_lines(shapes)}\n}}\n}}\n'
    )


def qualified(service: str, shape: str) -> str:
    """The name of a shape among those of all services: `signer:TagMap`. Those of ECR are named as in its model."""
    return shape if service == "ecr" else f"{service}:{shape}"


def _model(service: str, version: str) -> dict[str, Any]:
    own = OWN / service / version / "service-2.json"
    if own.exists():
        return msgspec.json.decode(own.read_bytes(), type=dict[str, Any])
    path = files("botocore").joinpath(f"data/{service}/{version}/service-2.json.gz")
    model: dict[str, Any] = msgspec.json.decode(gzip.decompress(path.read_bytes()))
    for name, operation in model["operations"].items():
        if "input" not in operation:  # A request without members.
            operation["input"] = {"shape": f"{name}Request"}
            model["shapes"].setdefault(f"{name}Request", {"type": "structure", "members": {}})
    return model


def _used(model: Mapping[str, Any], operations: set[str]) -> set[str]:
    """The shapes that these operations refer to, at any depth."""
    found: set[str] = set()
    waiting = [name for operation in operations for name in _direct(model["operations"][operation])]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_references(model["shapes"][name]))
    return found


def _direct(operation: Mapping[str, Any]) -> Iterator[str]:
    yield from (operation[key]["shape"] for key in ("input", "output") if key in operation)
    yield from (error["shape"] for error in operation.get("errors", ()))


def _references(shape: Mapping[str, Any]) -> Iterator[str]:
    yield from (member["shape"] for member in shape.get("members", {}).values())
    yield from (shape[key]["shape"] for key in ("member", "key", "value") if key in shape)


def _operation(operation: Mapping[str, Any], service: str, *, is_described: bool) -> dict[str, Any]:
    described = {
        "input_shape": qualified(service, operation["input"]["shape"]),
        "output_shape": qualified(service, operation["output"]["shape"]) if "output" in operation else "",
        "errors": [qualified(service, error["shape"]) for error in operation.get("errors", ())],
    }
    http = operation["http"]
    route = {} if http["requestUri"] == "/" else {"method": http["method"], "path": http["requestUri"]}
    return {"service": service, "name": operation["name"], **(described if is_described else {}), **route}


def _shape(shape: Mapping[str, Any], service: str) -> dict[str, Any]:
    """Members keep the order of the model, in which violations are searched."""
    return dict(_parts(shape, service))


def _parts(shape: Mapping[str, Any], service: str) -> Iterator[tuple[str, Any]]:
    for key in KEPT:
        if key in shape:
            yield key, shape[key]
    if "members" in shape:
        members = shape["members"].items()
        yield "members", {name: qualified(service, member["shape"]) for name, member in members}
        locations = {
            name: [member["location"], member["locationName"]] for name, member in members if "location" in member
        }
        if locations:
            yield "locations", locations
    for key in ("member", "key", "value"):
        if key in shape:
            yield key, qualified(service, shape[key]["shape"])
    error = shape.get("error", {})
    if "httpStatusCode" in error:
        yield "status", error["httpStatusCode"]
    if "code" in error:
        yield "code", error["code"]


def _lines(entries: Mapping[str, Any]) -> str:
    return ",\n".join(f"{_json(name)}: {_json(entries[name])}" for name in sorted(entries))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


if __name__ == "__main__":
    for each in SOURCES:
        FOLDER.joinpath(f"{each}.json").write_text(model_text(each), encoding="utf-8")
        print(f"wrote {each}.json")
