"""Rows of the sessions of the console."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from moorage.metadata.database import Transaction


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """A browser in which somebody signed in, or a link for it that was not used (`is_link`). Times in microseconds.

    `session_key` and `sealed_token` are the temporary credentials that its requests have.
    """

    id: str
    account: str
    principal: str
    session_key: str
    sealed_token: bytes = field(repr=False)
    client: str
    user_agent: str
    started_at: int
    expires_at: int
    is_link: bool


_ROW = "id, account, principal, session_key, sealed_token, client, user_agent, started_at, expires_at, is_link"
_INSERT = f"""
INSERT INTO console_session ({_ROW})
VALUES (
    :id, :account, :principal, :session_key, :sealed_token, :client, :user_agent, :started_at, :expires_at, :is_link
)
"""
_USE_LINK = """
UPDATE console_session
SET is_link = 0, client = :client, user_agent = :user_agent, started_at = :now, expires_at = :until
WHERE id = :id AND is_link = 1 AND expires_at > :now
"""
_OLDER = """
SELECT id FROM console_session WHERE account = :account AND principal = :principal
ORDER BY started_at DESC LIMIT 1 OFFSET :kept
"""
_DELETE_EXPIRED = """
DELETE FROM console_session
WHERE id IN (SELECT id FROM console_session WHERE expires_at <= :now ORDER BY expires_at LIMIT :limit)
"""


def insert(tx: Transaction, session: ConsoleSession) -> None:
    tx.run(
        _INSERT,
        id=session.id,
        account=session.account,
        principal=session.principal,
        session_key=session.session_key,
        sealed_token=session.sealed_token,
        client=session.client,
        user_agent=session.user_agent,
        started_at=session.started_at,
        expires_at=session.expires_at,
        is_link=int(session.is_link),
    )


def find(tx: Transaction, session_id: str) -> ConsoleSession | None:
    row = tx.one(f"SELECT {_ROW} FROM console_session WHERE id = :id", id=session_id)
    return _session(row) if row else None


def page(tx: Transaction, account: str, before: tuple[int, str], limit: int) -> list[ConsoleSession]:
    """At most `limit` sessions of an account that started before a time and id, ended ones too, the newest first."""
    rows = tx.all(
        f"SELECT {_ROW} FROM console_session WHERE account = :account AND (started_at, id) < (:started_at, :id)"
        " ORDER BY started_at DESC, id DESC LIMIT :limit",
        account=account,
        started_at=before[0],
        id=before[1],
        limit=limit,
    )
    return [_session(row) for row in rows]


def use_link(tx: Transaction, session_id: str, client: str, user_agent: str, now: int, until: int) -> bool:
    """Turn an unused link into a session from `now` on; False if it was used, has expired, or never existed."""
    return bool(tx.run(_USE_LINK, id=session_id, client=client, user_agent=user_agent, now=now, until=until))


def renew(tx: Transaction, session_id: str, expires_at: int) -> None:
    tx.run("UPDATE console_session SET expires_at = :until WHERE id = :id", id=session_id, until=expires_at)


def delete(tx: Transaction, account: str, session_id: str) -> bool:
    """End a session; False if the account has none with this id."""
    return bool(
        tx.run("DELETE FROM console_session WHERE id = :id AND account = :account", id=session_id, account=account)
    )


def delete_expired(tx: Transaction, now: int, limit: int) -> None:
    """Remove at most `limit` sessions that have expired, the oldest first."""
    tx.run(_DELETE_EXPIRED, now=now, limit=limit)


def beyond(tx: Transaction, account: str, principal: str, kept: int) -> str | None:
    """A session of a principal that is older than its latest `kept`."""
    row = tx.one(_OLDER, account=account, principal=principal, kept=kept)
    return None if row is None else str(row[0])


def _session(row: tuple[Any, ...]) -> ConsoleSession:
    session_id, account, principal, key, token, client, user_agent, started_at, expires_at, is_link = row
    return ConsoleSession(
        session_id, account, principal, key, token, client, user_agent, started_at, expires_at, bool(is_link)
    )
