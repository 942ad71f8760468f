"""Create, change and delete accounts, users and access keys, for the commands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from moorage.core.identity import principals
from moorage.core.identity.key_ids import new_id, new_secret
from moorage.core.vault import Vault
from moorage.domain.identity.callers import ROOT
from moorage.domain.names import is_account
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts as identities
from moorage.metadata.identity.accounts import KeySummary, User

FIRST_ACCOUNT = "000000000000"
"""The account that the first start of a server creates."""

KEY_LIMIT = 2
"""IAM quotas: access keys of a user."""

# IAM, CreateUser and CreateRole: the characters and the length of a name, which becomes a part of ARNs.
IAM_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)


class AccountError(Exception):
    """A command about identities failed. The text is for the person who ran it."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new access key with its secret, which is shown only once."""

    id: str
    secret: str = field(repr=False)


def root_key(tx: Transaction, vault: Vault, account: str, now: int) -> NewKey:
    """The account's root access key; created together with the account if either does not exist yet."""
    identities.insert_account(tx, account, now)
    user = identities.find_user(tx, account, ROOT) or _add_user(tx, account, ROOT, now)
    for key in identities.keys_of(tx, user):
        found = identities.find_key(tx, key.id)
        if found is not None and found.active:
            return NewKey(key.id, vault.open(found.sealed_secret, key.id))
    return _add_key(tx, vault, user, now)


def create_account(tx: Transaction, vault: Vault, account: str, now: int) -> NewKey:
    """Create an account; returns its root access key. Raises AccountError if it exists or the id is invalid."""
    if not is_account(account):
        raise AccountError(f"{account[:64]!r} is not an account id: use 12 digits")
    if identities.has_account(tx, account):
        raise AccountError(f"account {account} already exists")
    return root_key(tx, vault, account, now)


def require_account(tx: Transaction, account: str) -> None:
    """Raises AccountError."""
    if not identities.has_account(tx, account):
        raise AccountError(f"there is no account {account[:64]!r}: see `moorage account list`")


def create_user(tx: Transaction, account: str, name: str, now: int) -> User:
    """Create a user without policies. Raises AccountError if the user exists or IAM does not allow the name."""
    require_account(tx, account)
    if IAM_NAME.fullmatch(name) is None:
        raise AccountError(f"{name[:64]!r} is not a user name: use 1 to 64 letters, digits and +=,.@_-")
    if identities.find_user(tx, account, name) is not None:
        raise AccountError(f"user {name!r} already exists")
    user = _add_user(tx, account, name, now)
    principals.created(tx, user)
    return user


def get_user(tx: Transaction, account: str, name: str) -> User:
    """Raises AccountError."""
    require_account(tx, account)
    user = identities.find_user(tx, account, name)
    if user is None:
        raise AccountError(f"there is no user {name!r}: see `moorage user list`")
    return user


def delete_user(tx: Transaction, account: str, name: str) -> None:
    """Delete a user with its access keys, which stop working at once. Raises AccountError."""
    if name == ROOT:
        raise AccountError("the root user cannot be deleted")
    user = get_user(tx, account, name)
    principals.deleted(tx, user)
    identities.delete_user(tx, user)


def create_key(tx: Transaction, vault: Vault, user: User, now: int) -> NewKey:
    """Create an access key. Raises AccountError if the user has as many as IAM allows."""
    if len(identities.keys_of(tx, user)) >= KEY_LIMIT:
        raise AccountError(f"user {user.name!r} has {KEY_LIMIT} access keys, which is the limit: delete one first")
    return _add_key(tx, vault, user, now)


def rotate_key(tx: Transaction, vault: Vault, user: User, now: int, *, at_once: bool) -> tuple[NewKey, str | None]:
    """Create a new key beside the user's active key; returns it and the old key's id.

    The old key stays active unless `at_once`. If the user has two keys, the inactive one is deleted first. Raises
    AccountError if both are active, because the caller has to choose which one to give up.
    """
    keys = identities.keys_of(tx, user)
    active = [key.id for key in keys if key.active]
    if len(active) >= KEY_LIMIT:
        raise AccountError(
            f"user {user.name!r} has {KEY_LIMIT} active keys: deactivate the one that is no longer used"
            " (`moorage key list` shows when each was last used), then try again"
        )
    if len(keys) >= KEY_LIMIT:
        identities.delete_key(tx, next(key.id for key in keys if not key.active))
    old = active[0] if active else None
    if at_once and old is not None:
        identities.set_key_active(tx, old, active=False)
    return _add_key(tx, vault, user, now), old


def set_key_active(tx: Transaction, key: str, active: bool) -> None:
    """Raises AccountError."""
    if not identities.set_key_active(tx, key, active):
        raise AccountError(f"there is no access key {key!r}: see `moorage key list`")


def delete_key(tx: Transaction, key: str) -> None:
    """Raises AccountError."""
    if not identities.delete_key(tx, key):
        raise AccountError(f"there is no access key {key!r}: see `moorage key list`")


def _add_user(tx: Transaction, account: str, name: str, now: int) -> User:
    user = User(new_id("AIDA"), account, name, now)
    identities.insert_user(tx, user)
    return user


def _add_key(tx: Transaction, vault: Vault, user: User, now: int) -> NewKey:
    key = NewKey(new_id("AKIA"), new_secret())
    identities.insert_key(tx, KeySummary(key.id, True, now), user, vault.seal(key.secret, key.id))
    return key
