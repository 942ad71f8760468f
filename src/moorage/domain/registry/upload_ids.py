"""Ids of uploads. Each proves that this registry issued it, when and to whom, so an upload can exist without a row.

An id is a UUID of version 8 (RFC 9562, section 5.8). Its free bits are, from the left:

    32   the time, in seconds since the Unix epoch
    16   random
     1   the digest algorithm
    33   random
    40   a MAC of the bits before, the repository and the owner
"""

from __future__ import annotations

import hmac
import re
import secrets
import uuid
from collections.abc import Callable
from typing import Final, NamedTuple

from moorage.domain.units import HOUR, SECOND

UNRECORDED_LIFE: Final = HOUR // 2
"""How long an upload can be continued that has no row, in microseconds."""

COMPLETION_LIFE: Final = 2 * UNRECORDED_LIFE
"""After this time, the transaction that makes a layer of such an upload refuses to: a request can be slow."""

SETTLED_LIFE: Final = 4 * UNRECORDED_LIFE
"""After this time, such an upload has ended: no transaction will make a layer of it any more."""

_ALGORITHMS: Final = ("sha256", "sha512")
_MAC_BITS: Final = 40
_TIME_SHIFT: Final = 96
_ALGORITHM_SHIFT: Final = 75
_VERSION: Final = 8 << 76 | 2 << 62
_FORM: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
_RANDOM_MASK: Final = 0xFFFF << 80 | 0x7FF << 64 | (1 << 62) - (1 << _MAC_BITS)


class IssuedId(NamedTuple):
    """What an id says of its upload. `created_at` is in microseconds."""

    algorithm: str
    created_at: int


class UploadIds:
    """Issues and checks ids. `sign` returns a MAC of a text; all nodes have the same one.

    The `place` of an upload is its repository: the id, which a later repository can get again, and when it was created.
    """

    def __init__(self, sign: Callable[[bytes], bytes]) -> None:
        self._sign = sign

    def issue(self, place: tuple[int, int], owner: str, algorithm: str, now: int) -> str:
        """A new id for an upload that begins now."""
        random = secrets.randbits(128) & _RANDOM_MASK
        claims = now // SECOND << _TIME_SHIFT | _ALGORITHMS.index(algorithm) << _ALGORITHM_SHIFT
        number = claims | random | _VERSION
        return str(uuid.UUID(int=number | self._mac(number, place, owner)))

    def check(self, upload: str, place: tuple[int, int], owner: str) -> IssuedId | None:
        """What the id says; None if it was not issued to this owner for this repository."""
        number = _number(upload)
        if number is None:
            return None
        content = number >> _MAC_BITS << _MAC_BITS
        expected = content | self._mac(content, place, owner)
        if not hmac.compare_digest(number.to_bytes(16, "big"), expected.to_bytes(16, "big")):
            return None
        return IssuedId(_ALGORITHMS[number >> _ALGORITHM_SHIFT & 1], _created_at(number))

    def _mac(self, number: int, place: tuple[int, int], owner: str) -> int:
        mac = self._sign(b"%d %d %d %s" % (number, *place, owner.encode()))
        return int.from_bytes(mac[: _MAC_BITS // 8], "big")


def is_continuable(upload: str, now: int) -> bool:
    """Whether an upload without a row can receive bytes or be completed, by the time in its id."""
    return _is_younger(upload, now, UNRECORDED_LIFE)


def is_completable(upload: str, now: int) -> bool:
    """Whether a request that found the upload in time can still make a layer of it."""
    return _is_younger(upload, now, COMPLETION_LIFE)


def may_be_open(upload: str, now: int) -> bool:
    """Whether an upload without a row can still become a layer, by the time in its id."""
    return _is_younger(upload, now, SETTLED_LIFE)


def _is_younger(upload: str, now: int, life: int) -> bool:
    number = _number(upload)
    return number is not None and abs(now - _created_at(number)) < life


def _created_at(number: int) -> int:
    return (number >> _TIME_SHIFT) * SECOND


def _number(upload: str) -> int | None:
    """The number that a UUID in lower case stands for; None if it is not one of version 8."""
    return int(upload.replace("-", ""), 16) if _FORM.fullmatch(upload) else None
