"""Failures of the machine below the registry: those that may pass, and those that say that bytes are damaged."""

from __future__ import annotations

import errno
from typing import Final

from moorage.domain.errors import Unavailable
from moorage.domain.ports import StoreFull

_PASSING: Final = frozenset(
    {
        errno.EACCES,
        errno.EAGAIN,
        errno.EBUSY,
        errno.EDQUOT,
        errno.EIO,
        errno.ELOOP,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENODEV,
        errno.ENOLCK,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.ENOTCONN,
        errno.ENXIO,
        errno.EPERM,
        errno.EROFS,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
"""Errors of a file system or its limits, which the operator can mend: too many open files, a failing or unmounted disk,
a folder with wrong rights, a network file system that does not respond."""


def as_unavailable(error: BaseException) -> Unavailable | None:
    """The refusal for a failure that may pass; None for any other error, which is a fault of the program."""
    if isinstance(error, Unavailable):
        return error
    if isinstance(error, StoreFull):
        return full(error)
    if isinstance(error, OSError) and error.errno in _PASSING:
        return Unavailable(reason=f"The server cannot read or write its files now: {error.strerror}")
    return None


def full(error: StoreFull) -> Unavailable:
    """The refusal of bytes for which the blob store has no room."""
    return Unavailable(reason=f"The blob store does not accept more layers ({error})")


def is_damage(error: OSError) -> bool:
    """Whether an error of a read says that the bytes are damaged.

    Others, such as too many open files or wrong rights, say nothing of the bytes: end the work with them.
    """
    return error.errno == errno.EIO
