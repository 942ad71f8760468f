"""Counts of what an account has."""

from __future__ import annotations

from typing import Final, NamedTuple

from moorage.domain.identity.callers import ROOT
from moorage.metadata.database import Transaction


class Counts(NamedTuple):
    """`users` are those besides the root user, and `root_keys` is 1 if that has an access key."""

    users: int
    roles: int
    policies: int
    providers: int
    root_keys: int


_COUNTS: Final = """
SELECT (SELECT count(*) FROM iam_user WHERE account = :account AND name <> :root),
    (SELECT count(*) FROM iam_role WHERE account = :account),
    (SELECT count(*) FROM iam_policy WHERE account = :account),
    (SELECT count(*) FROM identity_provider WHERE account = :account),
    (SELECT count(*) FROM iam_user u WHERE u.account = :account AND u.name = :root
        AND EXISTS (SELECT 1 FROM access_key k WHERE k.user_id = u.id))
"""


def count(tx: Transaction, account: str) -> Counts:
    row = tx.one(_COUNTS, account=account, root=ROOT)
    return Counts(*row) if row else Counts(0, 0, 0, 0, 0)
