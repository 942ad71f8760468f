"""A policy's text as ECR returns it: not as sent, but formatted anew (API reference, SetRepositoryPolicy, sample).

The format is that of Java's Jackson pretty printer: two spaces per level, spaces around colons, lists in one line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from moorage.domain.identity.policies.document import VERSIONS, decode, statements_of
from moorage.domain.identity.policies.elements import principal_arn
from moorage.domain.identity.policies.statements import MEMBERS


def render(text: str, principal: Callable[[str], str] = principal_arn) -> str:
    """The text of an accepted policy, in ECR's order and format. `principal` returns the ARN of a named principal."""
    sent = decode(text)
    document: dict[str, Any] = {"Version": sent.get("Version", VERSIONS[-1])}
    if "Id" in sent:
        document["Id"] = sent["Id"]
    document["Statement"] = [_statement(statement, principal) for statement in statements_of(sent)]
    return _formatted(document, 0)


def rename_principals(text: str, rename: Callable[[str], str]) -> str | None:
    """A policy in which AWS principals have other names; None if all keep theirs. Raises BadPolicy."""
    changes = False

    def renamed(name: str) -> str:
        nonlocal changes
        changes |= rename(name) != name
        return rename(name)

    rendered = render(text, renamed)
    return rendered if changes else None


def _statement(sent: dict[str, Any], principal: Callable[[str], str]) -> dict[str, Any]:
    members: dict[str, Any] = {member: sent[member] for member in MEMBERS if member in sent}
    for member in ("Principal", "NotPrincipal"):
        if isinstance(members.get(member), dict):
            members[member] = members[member] | _aws_principals(members[member], principal)
    return members


def _aws_principals(element: dict[str, Any], principal: Callable[[str], str]) -> dict[str, Any]:
    named = element.get("AWS")
    if isinstance(named, list):
        return {"AWS": [principal(name) for name in named]}
    return {} if named is None else {"AWS": principal(named)}


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
