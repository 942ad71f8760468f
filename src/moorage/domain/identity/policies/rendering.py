"""A policy's text as ECR returns it: not what was sent, but written anew (API reference, SetRepositoryPolicy, sample).

Two spaces to an object, spaces around colons, lists in one line: the pretty printer of Java's Jackson.
"""

from __future__ import annotations

from typing import Any

import msgspec

from moorage.domain.identity.policies.document import VERSIONS, decode, listed
from moorage.domain.identity.policies.elements import principal_arn
from moorage.domain.identity.policies.statements import MEMBERS


def rendered(text: str) -> str:
    """The text of a policy that was accepted, in ECR's order and form."""
    given = decode(text)
    document: dict[str, Any] = {"Version": given.get("Version", VERSIONS[-1])}
    if "Id" in given:
        document["Id"] = given["Id"]
    document["Statement"] = [_statement(statement) for statement in listed(given)]
    return _written(document, 0)


def _statement(given: dict[str, Any]) -> dict[str, Any]:
    members: dict[str, Any] = {member: given[member] for member in MEMBERS if member in given}
    for member in ("Principal", "NotPrincipal"):
        if isinstance(members.get(member), dict):
            members[member] = {kind: _principals(names) for kind, names in members[member].items()}
    return members


def _principals(names: Any) -> Any:
    """An account comes back as its root user."""
    if isinstance(names, list):
        return [_principals(name) for name in names]
    return principal_arn(names)


def _written(value: Any, depth: int) -> str:
    if isinstance(value, dict) and value:
        margin = "\n" + "  " * (depth + 1)
        members = [f"{_written(key, 0)} : {_written(member, depth + 1)}" for key, member in value.items()]
        return "{" + margin + f",{margin}".join(members) + "\n" + "  " * depth + "}"
    if isinstance(value, list) and value:
        return f"[ {', '.join(_written(item, depth) for item in value)} ]"
    if isinstance(value, (dict, list)):
        return "{ }" if isinstance(value, dict) else "[ ]"
    return msgspec.json.encode(value).decode()
