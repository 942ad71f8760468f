"""Condition keys and their values (ECR user guide, "Condition keys"; IAM user guide, "Global condition context keys").

A known key without a value is absent, as in IAM. An unknown key raises UnknownKey, which counts against the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from moorage.domain.identity.policies.request import PolicyRequest
from moorage.domain.units import SECOND, iso_time

Values = tuple[str, ...]


class UnknownKey(LookupError):
    """Moorage does not support this condition key."""


def values_of(request: PolicyRequest, key: str) -> Values:
    """The values of a key, given in lower case; empty if the key is absent. Raises UnknownKey."""
    known = _KEYS.get(key)
    if known is not None:
        return known(request)
    if key in request.request_context.extra:
        return request.request_context.extra[key]
    prefix, slash, tag = key.partition("/")
    tags = _TAGS.get(prefix)
    if tags is not None and slash and tag:
        return _tag(tags(request), tag)
    if key in _ABSENT:
        return ()
    raise UnknownKey(key)


def single_value(request: PolicyRequest, key: str) -> str | None:
    """The value of a policy variable; None if the key has no value or several. Raises UnknownKey."""
    values = values_of(request, key)
    return values[0] if len(values) == 1 else None


def uses_resource_tags(key: str) -> bool:
    return key.startswith(("aws:resourcetag/", "ecr:resourcetag/", "iam:resourcetag/", "secretsmanager:resourcetag/"))


def _tag(tags: Mapping[str, str], key: str) -> Values:
    """The values of a tag; like all condition keys, tag keys are compared without case."""
    return tuple(value for name, value in tags.items() if name.lower() == key)


def _text(value: str | None) -> Values:
    return (value,) if value else ()


def _flag(value: bool) -> Values:
    return ("true" if value else "false",)


def _time(microseconds: int | None) -> Values:
    if microseconds is None:
        return ()
    return (iso_time(microseconds),)


def _user_name(request: PolicyRequest) -> Values:
    principal = request.principal
    return _text(principal.user_name) if principal.kind == "User" else ()


_KEYS: Final[Mapping[str, Callable[[PolicyRequest], Values]]] = {
    "aws:sourceip": lambda request: _text(request.request_context.source_ip),
    "aws:principalarn": lambda request: _text(request.principal.principal_arn),
    "aws:principalaccount": lambda request: _text(request.principal.account),
    "aws:principaltype": lambda request: _text(request.principal.kind),
    "aws:userid": lambda request: _text(request.principal.unique_id),
    "aws:username": _user_name,
    "aws:currenttime": lambda request: _time(request.request_context.time),
    "aws:epochtime": lambda request: (str(request.request_context.time // SECOND),),
    "aws:securetransport": lambda request: _flag(request.request_context.secure),
    "aws:useragent": lambda request: _text(request.request_context.user_agent),
    "aws:requestedregion": lambda request: _text(request.region),
    "aws:resourceaccount": lambda request: _text(request.account),
    "aws:tagkeys": lambda request: request.request_context.tag_keys,
    "aws:tokenissuetime": lambda request: _time(request.principal.issued_at),
    # IAM: only temporary credentials have this key, and there are no MFA devices here.
    "aws:multifactorauthpresent": lambda request: () if request.principal.issued_at is None else ("false",),
    "aws:principalisawsservice": lambda _request: ("false",),
    "aws:viaawsservice": lambda _request: ("false",),
}

SET_BY_REGISTRY: Final = _KEYS.keys() - {"aws:sourceip", "aws:securetransport", "aws:useragent", "aws:tagkeys"}
"""The keys whose values do not come from a request, but follow from its caller, its resource and its time."""

_TAGS: Final[Mapping[str, Callable[[PolicyRequest], Mapping[str, str]]]] = {
    "aws:resourcetag": lambda request: request.resource_tags,
    "ecr:resourcetag": lambda request: request.resource_tags,
    "iam:resourcetag": lambda request: request.resource_tags,
    "secretsmanager:resourcetag": lambda request: request.resource_tags,
    "aws:requesttag": lambda request: request.request_context.request_tags,
    "aws:principaltag": lambda request: request.principal.tags,
}

_ABSENT: Final = frozenset(
    {
        "aws:calledvia",
        "aws:calledviafirst",
        "aws:calledvialast",
        "aws:federatedprovider",
        "aws:multifactorauthage",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:principalservicename",
        "aws:principalservicenameslist",
        "aws:referer",
        "aws:resourceorgid",
        "aws:resourceorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceidentity",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:vpcsourceip",
        "iam:permissionsboundary",
        "iam:policyarn",
        "signer:profileversion",
    }
)
"""Keys that no request to this registry has: it has no organizations, virtual networks or calling services."""
