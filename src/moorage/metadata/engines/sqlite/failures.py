"""SQLite's errors, translated in one place: while its disk or its file does not work, the database is unavailable."""

from __future__ import annotations

from typing import Final

import apsw

from moorage.domain.errors import Unavailable
from moorage.domain.failures import as_unavailable
from moorage.metadata.engines.dialects import SEALED

MEDIUM_FAILURES: Final = (
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.FullError,
    apsw.IOError,
    apsw.NoLFSError,
    apsw.NotADBError,
    apsw.PermissionsError,
    apsw.ProtocolError,
    apsw.ReadOnlyError,
)
"""Failures of the file below the database, not of a statement (https://www.sqlite.org/rescode.html).

A file system that became read-only shows itself as any of them: SQLite also finds its files malformed then.
"""


def translated(error: BaseException) -> BaseException:
    """Unavailable for a failure that is not the statement's, with the error as its cause; otherwise the error."""
    refusal = _refusal(error)
    if refusal is None:
        return error
    if refusal is not error:
        refusal.__cause__ = error
    return refusal


def _refusal(error: BaseException) -> Unavailable | None:
    if isinstance(error, apsw.FullError):
        return Unavailable(reason="The disk is full")
    if isinstance(error, MEDIUM_FAILURES):
        return Unavailable(reason=f"The database does not work now: {str(error).strip()}")
    if isinstance(error, apsw.ConstraintError) and str(error) == SEALED:
        return Unavailable(reason=SEALED)
    return as_unavailable(error)
