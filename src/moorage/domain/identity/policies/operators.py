"""Condition operators: comparison of a policy's value with a request's value.

IAM user guide, "IAM JSON policy elements: Condition operators". A value that does not have the operator's type never
matches.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final, TypeVar

from moorage.bounds import bounded_cache
from moorage.domain.identity.policies.patterns import Match, Parts, Wildcard, literal_text, matcher

T = TypeVar("T")

_ARN_SECTIONS: Final = 6
_MAX_NUMBER_LENGTH: Final = 64

# IAM: ISO 8601 in the W3C profile (https://www.w3.org/TR/NOTE-datetime), or seconds since 1970.
_DATE: Final = re.compile(r"(\d{4})(-\d\d)?(-\d\d)?(T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?", re.ASCII)
_SECONDS: Final = re.compile(r"\d{5,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Operator:
    """`build` creates a match from a policy's value. `negated` operators are true when no value matches."""

    build: Callable[[Parts], Match]
    negated: bool = False


def _string_equals(parts: Parts) -> Match:
    return literal_text(parts).__eq__


def _ignoring_case(parts: Parts) -> Match:
    text = literal_text(parts).lower()
    return lambda value: value.lower() == text


def _arn_like(parts: Parts) -> Match:
    """Matches each of the six sections of an ARN separately, so that a wildcard cannot match across a colon."""
    sections: list[list[str | Wildcard]] = [[]]
    for part in parts:
        if isinstance(part, Wildcard):
            sections[-1].append(part)
            continue
        first, *further = part.split(":", _ARN_SECTIONS - len(sections))
        sections[-1].append(first)
        sections += [[text] for text in further]
    matches = [matcher(tuple(section)) for section in sections]

    def match(value: str) -> bool:
        actual = value.split(":", _ARN_SECTIONS - 1)
        return len(actual) == len(matches) == _ARN_SECTIONS and all(
            match(text) for match, text in zip(matches, actual, strict=True)
        )

    return match


def _compared(read: Callable[[str], T | None], compare: Callable[[T, T], bool]) -> Callable[[Parts], Match]:
    def build(parts: Parts) -> Match:
        expected = read(literal_text(parts))

        def match(value: str) -> bool:
            actual = read(value)
            return expected is not None and actual is not None and compare(actual, expected)

        return match

    return build


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text) if len(text) <= _MAX_NUMBER_LENGTH else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() else None


@bounded_cache(entries=1024, size=1 << 17)
def _time(text: str) -> datetime | None:
    if _SECONDS.fullmatch(text):
        return _at(int(text))
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day, time = found.groups()
    try:
        return datetime.fromisoformat(f"{year}{month or '-01'}{day or '-01'}{time or 'T00:00:00Z'}")
    except ValueError:
        return None


def _at(seconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError):
        return None


def _boolean(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


def _binary(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _in_network(parts: Parts) -> Match:
    try:
        network = ipaddress.ip_network(literal_text(parts), strict=False)
    except ValueError:
        return _never
    first, last = _number_of(network.network_address), _number_of(network.broadcast_address)
    return lambda value: first <= _address(value) <= last


def _never(_value: str) -> bool:
    return False


@bounded_cache(entries=1024, size=1 << 17)
def _address(text: str) -> int:
    """The number of an address; an IPv4 address in IPv6 form has that of IPv4. Invalid addresses are in no network."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return -1
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return _number_of(address if mapped is None else mapped)


def _number_of(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> int:
    """One range of numbers for both versions: all of IPv6 after all of IPv4."""
    return int(address) + (1 << 32 if address.version == 6 else 0)


OPERATORS: Final[Mapping[str, Operator]] = {
    "StringEquals": Operator(_string_equals),
    "StringNotEquals": Operator(_string_equals, negated=True),
    "StringEqualsIgnoreCase": Operator(_ignoring_case),
    "StringNotEqualsIgnoreCase": Operator(_ignoring_case, negated=True),
    "StringLike": Operator(matcher),
    "StringNotLike": Operator(matcher, negated=True),
    "NumericEquals": Operator(_compared(_number, operator.eq)),
    "NumericNotEquals": Operator(_compared(_number, operator.eq), negated=True),
    "NumericLessThan": Operator(_compared(_number, operator.lt)),
    "NumericLessThanEquals": Operator(_compared(_number, operator.le)),
    "NumericGreaterThan": Operator(_compared(_number, operator.gt)),
    "NumericGreaterThanEquals": Operator(_compared(_number, operator.ge)),
    "DateEquals": Operator(_compared(_time, operator.eq)),
    "DateNotEquals": Operator(_compared(_time, operator.eq), negated=True),
    "DateLessThan": Operator(_compared(_time, operator.lt)),
    "DateLessThanEquals": Operator(_compared(_time, operator.le)),
    "DateGreaterThan": Operator(_compared(_time, operator.gt)),
    "DateGreaterThanEquals": Operator(_compared(_time, operator.ge)),
    "Bool": Operator(_compared(_boolean, operator.eq)),
    "BinaryEquals": Operator(_compared(_binary, operator.eq)),
    "IpAddress": Operator(_in_network),
    "NotIpAddress": Operator(_in_network, negated=True),
    "ArnEquals": Operator(_arn_like),
    "ArnLike": Operator(_arn_like),
    "ArnNotEquals": Operator(_arn_like, negated=True),
    "ArnNotLike": Operator(_arn_like, negated=True),
}
"""All operators except Null, which compares nothing (`conditions.py`)."""
