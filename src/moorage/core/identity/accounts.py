"""Accounts, users and access keys, as commands manage them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from moorage.core.identity.key_ids import new_id, new_secret
from moorage.core.vault import Vault
from moorage.domain.identity.callers import ROOT
from moorage.domain.names import is_account
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts as identities
from moorage.metadata.identity.accounts import KeySummary, User

KEY_LIMIT = 2
"""IAM quotas: access keys of a user."""

# IAM, CreateUser and CreateRole: the characters and the length of a name, which becomes a part of ARNs.
IAM_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)


class AccountError(Exception):
    """A command cannot be done; the text is for the person who gave it."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """An access key with its secret, which is shown once."""

    id: str
    secret: str = field(repr=False)


def root_key(tx: Transaction, vault: Vault, account: str, now: int) -> NewKey:
    """The account's root key: made with the account on the first start, read back when its file was lost."""
    identities.insert_account(tx, account, now)
    user = identities.find_user(tx, account, ROOT) or _add_user(tx, account, ROOT, now)
    for key in identities.keys_of(tx, user):
        found = identities.find_key(tx, key.id)
        if found is not None and found.active:
            return NewKey(key.id, vault.open(found.sealed_secret, key.id))
    return _add_key(tx, vault, user, now)


def create_account(tx: Transaction, vault: Vault, account: str, now: int) -> NewKey:
    """A new account's root key. Raises AccountError when it is there already or its id is none."""
    if not is_account(account):
        raise AccountError(f"{account[:64]!r} is no account id: 12 digits")
    if identities.has_account(tx, account):
        raise AccountError(f"account {account} exists already")
    return root_key(tx, vault, account, now)


def require_account(tx: Transaction, account: str) -> None:
    """Raises AccountError."""
    if not identities.has_account(tx, account):
        raise AccountError(f"there is no account {account[:64]!r}: see `moorage account list`")


def create_user(tx: Transaction, account: str, name: str, now: int) -> User:
    """A user without policies. Raises AccountError when the account has that user, or IAM has no such names."""
    require_account(tx, account)
    if IAM_NAME.fullmatch(name) is None:
        raise AccountError(f"{name[:64]!r} is no user name: 1 to 64 letters, digits and +=,.@_-")
    if identities.find_user(tx, account, name) is not None:
        raise AccountError(f"user {name!r} exists already")
    return _add_user(tx, account, name, now)


def get_user(tx: Transaction, account: str, name: str) -> User:
    """Raises AccountError."""
    require_account(tx, account)
    user = identities.find_user(tx, account, name)
    if user is None:
        raise AccountError(f"there is no user {name!r}: see `moorage user list`")
    return user


def delete_user(tx: Transaction, account: str, name: str) -> None:
    """Remove a user, whose keys then prove nothing any more. Raises AccountError."""
    if name == ROOT:
        raise AccountError("the root user cannot be deleted")
    identities.delete_user(tx, get_user(tx, account, name))


def create_key(tx: Transaction, vault: Vault, user: User, now: int) -> NewKey:
    """Raises AccountError when the user has as many as IAM allows."""
    if len(identities.keys_of(tx, user)) >= KEY_LIMIT:
        raise AccountError(f"user {user.name!r} has {KEY_LIMIT} access keys, which is the limit: delete one first")
    return _add_key(tx, vault, user, now)


def rotate_key(tx: Transaction, vault: Vault, user: User, now: int, *, at_once: bool) -> tuple[NewKey, str | None]:
    """A successor for the user's active key, and that key's id, which stays good unless `at_once`.

    An inactive key makes room. Raises AccountError when two keys are active: which one to end is not ours to guess.
    """
    keys = identities.keys_of(tx, user)
    active = [key.id for key in keys if key.active]
    if len(active) >= KEY_LIMIT:
        raise AccountError(
            f"user {user.name!r} has {KEY_LIMIT} active keys: deactivate the one that nobody uses any more first"
            " (`moorage key list` shows when each was last used)"
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
