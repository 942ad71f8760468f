"""The parameters of each STS operation, as the query protocol names them.

A parameter that restricts a session must not be ignored because it is misspelled or numbered in another way, so
unknown names are refused. `tests/unit/aws/test_sts_parameters.py` compares the table with botocore's model.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from moorage.domain.errors import InvalidParameter

_TEXT: Final = None
"""A parameter without structure. Lists have the members of their elements instead, or "" for elements of text."""

_MFA: Final[Mapping[str, tuple[str, ...] | None]] = {"SerialNumber": _TEXT, "TokenCode": _TEXT}
_SESSION: Final[Mapping[str, tuple[str, ...] | None]] = {"DurationSeconds": _TEXT, "MinimumSessionTokenSize": _TEXT}
_ROLE: Final[Mapping[str, tuple[str, ...] | None]] = {
    **_SESSION,
    "RoleArn": _TEXT,
    "RoleSessionName": _TEXT,
    "Policy": _TEXT,
    "PolicyArns": ("arn",),
}

PARAMETERS: Final[Mapping[str, Mapping[str, tuple[str, ...] | None]]] = {
    "GetCallerIdentity": {},
    "GetSessionToken": {**_SESSION, **_MFA},
    "AssumeRole": {
        **_ROLE,
        **_MFA,
        "ExternalId": _TEXT,
        "SourceIdentity": _TEXT,
        "Tags": ("Key", "Value"),
        "TransitiveTagKeys": ("",),
        "ProvidedContexts": ("ProviderArn", "ContextAssertion"),
    },
    "AssumeRoleWithWebIdentity": {**_ROLE, "WebIdentityToken": _TEXT, "ProviderId": _TEXT},
}

_UNSUPPORTED: Final = frozenset(
    {
        "MinimumSessionTokenSize",
        "ProvidedContexts",
        "ProviderId",
        "SerialNumber",
        "SourceIdentity",
        "Tags",
        "TokenCode",
        "TransitiveTagKeys",
    }
)
"""Parameters that would restrict or describe a session in ways that Moorage does not support."""

_ELEMENT: Final = re.compile(r"(\w{1,64})\.member\.([1-9]\d?)(?:\.(\w{1,64}))?", re.ASCII)


def check_parameters(action: str, parameters: Mapping[str, str]) -> None:
    """Check the names of a request's parameters. Elements of lists are numbered from 1, without gaps.

    Raises InvalidParameter. An unknown action has no parameters to check.
    """
    known = PARAMETERS.get(action)
    if known is None:
        return
    numbers: defaultdict[str, set[int]] = defaultdict(set)
    for name, value in parameters.items():
        if name in known and (known[name] is _TEXT or not value):  # `PolicyArns=` is how clients send an empty list.
            _refuse_unsupported(name, value)
            continue
        found = _ELEMENT.fullmatch(name)
        members = known.get(found[1]) if found else None
        if found is None or members is None or (found[3] or "") not in members:
            raise InvalidParameter(parameter=name[:100], constraint=f"{action} has no such parameter")
        _refuse_unsupported(found[1], value)
        numbers[found[1]].add(int(found[2]))
    for name, given in numbers.items():
        if max(given) != len(given):
            raise InvalidParameter(parameter=name, constraint="Members must be numbered from 1, without gaps")


def _refuse_unsupported(parameter: str, value: str) -> None:
    if value and parameter in _UNSUPPORTED:
        raise InvalidParameter(parameter=parameter, constraint="Moorage does not support it")
