"""Rows of accounts, users and their access keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from moorage.domain.identity.callers import ROOT
from moorage.metadata.database import Transaction
from moorage.metadata.identity import policies as identity_policies
from moorage.metadata.identity.tags import paths_below, tags_of, text_of


@dataclass(frozen=True, slots=True)
class User:
    id: str
    account: str
    name: str
    created_at: int
    path: str = "/"
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:{ROOT if self.name == ROOT else f'user{self.path}{self.name}'}"

    @property
    def title(self) -> str:
        return f"user {self.name!r}"


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key with its user. `sealed_secret` can be decrypted only with the master key."""

    id: str
    sealed_secret: bytes
    active: bool
    user: User


@dataclass(frozen=True, slots=True)
class KeySummary:
    """An access key without its secret. `last_used_at` is exact to about an hour; None for a key never used."""

    id: str
    active: bool
    created_at: int
    last_used_at: int | None = None


def insert_account(tx: Transaction, account: str, now: int) -> None:
    """Create the account if it does not exist."""
    tx.run("INSERT INTO account (id, created_at) VALUES (:id, :now) ON CONFLICT DO NOTHING", id=account, now=now)


def list_accounts(tx: Transaction) -> list[str]:
    return [row[0] for row in tx.all("SELECT id FROM account ORDER BY id")]


def has_account(tx: Transaction, account: str) -> bool:
    return tx.one("SELECT 1 FROM account WHERE id = :id", id=account) is not None


def insert_user(tx: Transaction, user: User) -> bool:
    """Add a user; False when the account has one with that name."""
    return bool(
        tx.run(
            "INSERT INTO iam_user (id, account, name, created_at, path, tags)"
            " VALUES (:id, :account, :name, :now, :path, :tags) ON CONFLICT DO NOTHING",
            id=user.id,
            account=user.account,
            name=user.name,
            now=user.created_at,
            path=user.path,
            tags=text_of(user.tags),
        )
    )


_USERS: Final = "SELECT id, account, name, created_at, path, tags FROM iam_user"


def find_user(tx: Transaction, account: str, name: str) -> User | None:
    row = tx.one(f"{_USERS} WHERE account = :account AND name = :name", account=account, name=name)
    return _user(row) if row else None


def find_user_by_id(tx: Transaction, user: str) -> User | None:
    row = tx.one(f"{_USERS} WHERE id = :id", id=user)
    return _user(row) if row else None


def list_users(tx: Transaction, account: str) -> list[User]:
    return [_user(row) for row in tx.all(f"{_USERS} WHERE account = :account ORDER BY name", account=account)]


def page_of_users(tx: Transaction, account: str, path_prefix: str, after: str, limit: int) -> list[User]:
    """At most `limit` users with paths that begin so and names after `after`, without the root user."""
    rows = tx.all(
        f"{_USERS} WHERE account = :account AND name > :after AND name <> :root"
        " AND path >= :first AND path < :last ORDER BY name LIMIT :limit",
        account=account,
        after=after,
        root=ROOT,
        limit=limit,
        **paths_below(path_prefix),
    )
    return [_user(row) for row in rows]


def update_user(tx: Transaction, user: User) -> None:
    """Update name, path and tags; a user's other values do not change."""
    tx.run(
        "UPDATE iam_user SET name = :name, path = :path, tags = :tags WHERE id = :id",
        id=user.id,
        name=user.name,
        path=user.path,
        tags=text_of(user.tags),
    )


def delete_user(tx: Transaction, user: User) -> None:
    """Delete a user with its keys and policies."""
    identity_policies.delete_all(tx, user.id)
    tx.run("DELETE FROM iam_user WHERE id = :id", id=user.id)


def insert_key(tx: Transaction, key: KeySummary, user: User, sealed_secret: bytes) -> None:
    tx.run(
        "INSERT INTO access_key (id, user_id, sealed_secret, active, created_at)"
        " VALUES (:id, :user, :secret, :active, :now)",
        id=key.id,
        user=user.id,
        secret=sealed_secret,
        active=int(key.active),
        now=key.created_at,
    )


_FIND_KEY = """
SELECT k.sealed_secret, k.active, u.id, u.account, u.name, u.created_at, u.path, u.tags
FROM access_key k JOIN iam_user u ON u.id = k.user_id
WHERE k.id = :id
"""


def find_key(tx: Transaction, key: str) -> AccessKey | None:
    row = tx.one(_FIND_KEY, id=key)
    return None if row is None else AccessKey(key, row[0], bool(row[1]), _user(row[2:]))


def keys_of(tx: Transaction, user: User) -> list[KeySummary]:
    rows = tx.all(
        "SELECT id, active, created_at, last_used_at FROM access_key WHERE user_id = :user ORDER BY created_at, id",
        user=user.id,
    )
    return [KeySummary(row[0], bool(row[1]), row[2], row[3]) for row in rows]


def record_key_use(tx: Transaction, key: str, now: int, unless_since: int) -> None:
    """Record that the key is used now, unless a use after `unless_since` is recorded already."""
    tx.run(
        "UPDATE access_key SET last_used_at = :now WHERE id = :id AND (last_used_at IS NULL OR last_used_at <= :since)",
        id=key,
        now=now,
        since=unless_since,
    )


def set_key_active(tx: Transaction, key: str, active: bool) -> bool:
    """Activate or deactivate a key; False when it does not exist."""
    return bool(tx.run("UPDATE access_key SET active = :active WHERE id = :id", id=key, active=int(active)))


def delete_key(tx: Transaction, key: str) -> bool:
    """Delete a key; False when it does not exist."""
    return bool(tx.run("DELETE FROM access_key WHERE id = :id", id=key))


def master_key_stamp(tx: Transaction) -> str | None:
    """The stamp that identifies this database's master key; None before it was set."""
    row = tx.one("SELECT stamp FROM master_key")
    return row[0] if row else None


def insert_master_key_stamp(tx: Transaction, stamp: str) -> None:
    tx.run("INSERT INTO master_key (id, stamp) VALUES (1, :stamp)", stamp=stamp)


def replace_master_key_stamp(tx: Transaction, stamp: str) -> None:
    tx.run("UPDATE master_key SET stamp = :stamp", stamp=stamp)


def any_key(tx: Transaction) -> tuple[str, bytes] | None:
    """The id and the sealed secret of any access key; None if there is none."""
    row = tx.one("SELECT id, sealed_secret FROM access_key LIMIT 1")
    return (row[0], row[1]) if row else None


def _user(row: tuple[Any, ...]) -> User:
    user, account, name, created_at, path, tags = row
    return User(user, account, name, created_at, path, tags_of(tags))
