"""A policy's text as ECR returns it: not as sent, but formatted anew (API reference, SetRepositoryPolicy, sample).

The format is that of Java's Jackson pretty printer: two spaces per level, spaces around colons, lists in one line.
"""

from __future__ import annotations

from typing import Any

import msgspec

from moorage.domain.identity.policies.document import VERSIONS, decode, statements_of
from moorage.domain.identity.policies.elements import principal_arn
from moorage.domain.identity.policies.statements import MEMBERS


def render(text: str) -> str:
    """The text of an accepted policy, in ECR's order and format."""
    sent = decode(text)
    document: dict[str, Any] = {"Version": sent.get("Version", VERSIONS[-1])}
    if "Id" in sent:
        document["Id"] = sent["Id"]
    document["Statement"] = [_statement(statement) for statement in statements_of(sent)]
    return _formatted(document, 0)


def _statement(sent: dict[str, Any]) -> dict[str, Any]:
    members: dict[str, Any] = {member: sent[member] for member in MEMBERS if member in sent}
    for member in ("Principal", "NotPrincipal"):
        if isinstance(members.get(member), dict):
            members[member] = {kind: _principals(names) for kind, names in members[member].items()}
    return members


def _principals(names: Any) -> Any:
    """An account id becomes the ARN of its root user."""
    if isinstance(names, list):
        return [_principals(name) for name in names]
    return principal_arn(names)


def _formatted(value: Any, depth: int) -> str:
    if isinstance(value, dict) and value:
        margin = "\n" + "  " * (depth + 1)
        members = [f"{_formatted(key, 0)} : {_formatted(member, depth + 1)}" for key, member in value.items()]
        return "{" + margin + f",{margin}".join(members) + "\n" + "  " * depth + "}"
    if isinstance(value, list) and value:
        return f"[ {', '.join(_formatted(item, depth) for item in value)} ]"
    if isinstance(value, (dict, list)):
        return "{ }" if isinstance(value, dict) else "[ ]"
    return msgspec.json.encode(value).decode()
