"""Create, change and delete accounts, users and access keys, for the commands and for IAM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from moorage.core.identity import principals
from moorage.core.identity.key_ids import new_id, new_secret
from moorage.core.vault import Vault
from moorage.domain.identity.callers import ROOT
from moorage.domain.identity.errors import (
    AccountError,
    DeleteConflict,
    EntityAlreadyExists,
    NoSuchEntity,
    QuotaReached,
)
from moorage.domain.identity.names import check_name, check_path, check_tags
from moorage.domain.identity.policies.request import NO_TAGS
from moorage.domain.names import is_account
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts as identities
from moorage.metadata.identity.accounts import KeySummary, User

KEY_LIMIT = 2
"""IAM quotas: access keys of a user."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new access key with its secret, which is shown only once."""

    id: str
    secret: str = field(repr=False)


def root_key(tx: Transaction, vault: Vault, account: str, now: int) -> NewKey:
    """The account's root access key; created together with the account if either does not exist yet."""
    user = _root_user(tx, account, now)
    for key in identities.keys_of(tx, user):
        found = identities.find_key(tx, key.id)
        if found is not None and found.active:
            return NewKey(key.id, vault.open(found.sealed_secret, key.id))
    return _add_key(tx, vault, user, now)


def choose_root_key(
    tx: Transaction, vault: Vault, account: str, chosen: NewKey, replaced: str | None, now: int
) -> None:
    """Give the account's root user a chosen access key, in place of its key `replaced`; creates a missing account.

    Raises AccountError if another user has a key with this id, or the root user would have too many keys.
    """
    put_key(tx, vault, _root_user(tx, account, now), chosen, now, replaced)


def put_key(tx: Transaction, vault: Vault, user: User, chosen: NewKey, now: int, replaced: str | None = None) -> None:
    """Give a user a chosen access key, in place of its key `replaced` or of one with the same id.

    Raises AccountError if another user has a key with this id, or the user would have too many keys.
    """
    found = identities.find_key(tx, chosen.id)
    if found is not None and found.user.id != user.id:
        raise AccountError(f"access key {chosen.id!r} belongs to {found.user.title}: choose another id")
    if found is not None and found.active and vault.open(found.sealed_secret, chosen.id) == chosen.secret:
        return
    for key in identities.keys_of(tx, user):
        if key.id in (chosen.id, replaced):
            identities.delete_key(tx, key.id)
    _require_room_for_key(tx, user)
    identities.insert_key(tx, KeySummary(chosen.id, True, now), user, vault.seal(chosen.secret, chosen.id))


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


def create_user(
    tx: Transaction, account: str, name: str, now: int, path: str = "/", tags: Mapping[str, str] = NO_TAGS
) -> User:
    """Create a user without policies. Raises AccountError if the user exists or IAM does not allow the name."""
    require_account(tx, account)
    check_name("user", name)
    check_path(path)
    check_tags(tags)
    _require_free(tx, account, name)
    user = _add_user(tx, User(new_id("AIDA"), account, name, now, path, tags))
    principals.created(tx, user)
    return user


def get_user(tx: Transaction, account: str, name: str) -> User:
    """Raises NoSuchEntity, and AccountError for an unknown account."""
    require_account(tx, account)
    user = identities.find_user(tx, account, name)
    if user is None:
        raise _no_such_user(name)
    return user


def get_iam_user(tx: Transaction, account: str, name: str) -> User:
    """A user as IAM knows them: the root user of an account has no name there. Raises NoSuchEntity."""
    if name == ROOT:
        raise _no_such_user(name)
    return get_user(tx, account, name)


def rename_user(tx: Transaction, user: User, name: str, path: str) -> User:
    """Give a user another name, another path or both. Policies that name the user follow. Raises AccountError."""
    if user.name == ROOT:
        raise AccountError("the root user cannot be renamed")
    check_name("user", name)
    check_path(path)
    if name != user.name:
        _require_free(tx, user.account, name)
    renamed = replace(user, name=name, path=path)
    if renamed.arn != user.arn:
        principals.created(tx, renamed)
        principals.renamed(tx, user, renamed.arn)
        identities.update_user(tx, renamed)
    return renamed


def delete_user(tx: Transaction, account: str, name: str) -> None:
    """Delete a user with its access keys, which stop working at once. Raises AccountError."""
    if name == ROOT:
        raise AccountError("the root user cannot be deleted")
    user = get_user(tx, account, name)
    principals.deleted(tx, user)
    identities.delete_user(tx, user)


def require_no_keys(tx: Transaction, user: User) -> None:
    """Raises DeleteConflict. IAM deletes only users that have no access keys."""
    if identities.keys_of(tx, user):
        raise DeleteConflict(
            f"user {user.name!r} has access keys", "Cannot delete entity, must delete access keys first."
        )


def create_key(tx: Transaction, vault: Vault, user: User, now: int) -> NewKey:
    """Create an access key. Raises AccountError if the user has as many as IAM allows."""
    _require_room_for_key(tx, user)
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


def get_key(tx: Transaction, user: User, key: str) -> KeySummary:
    """An access key of a user. Raises NoSuchEntity, also for the key of another user."""
    found = next((each for each in identities.keys_of(tx, user) if each.id == key), None)
    if found is None:
        raise _no_such_key(key)
    return found


def set_key_active(tx: Transaction, key: str, active: bool) -> None:
    """Raises AccountError."""
    if not identities.set_key_active(tx, key, active):
        raise _no_such_key(key)


def delete_key(tx: Transaction, key: str) -> None:
    """Raises AccountError."""
    if not identities.delete_key(tx, key):
        raise _no_such_key(key)


def _root_user(tx: Transaction, account: str, now: int) -> User:
    """The root user of an account; created together with the account if either does not exist yet."""
    identities.insert_account(tx, account, now)
    return identities.find_user(tx, account, ROOT) or _add_user(tx, User(new_id("AIDA"), account, ROOT, now))


def _require_room_for_key(tx: Transaction, user: User) -> None:
    """Raises QuotaReached."""
    if len(identities.keys_of(tx, user)) >= KEY_LIMIT:
        raise QuotaReached(
            f"user {user.name!r} has {KEY_LIMIT} access keys, which is the limit: delete one first",
            f"Cannot exceed quota for AccessKeysPerUser: {KEY_LIMIT}",
        )


def _no_such_user(name: str) -> NoSuchEntity:
    return NoSuchEntity(
        f"there is no user {name!r}: see `moorage user list`", f"The user with name {name} cannot be found."
    )


def _no_such_key(key: str) -> NoSuchEntity:
    return NoSuchEntity(
        f"there is no access key {key!r}: see `moorage key list`", f"The Access Key with id {key} cannot be found."
    )


def _require_free(tx: Transaction, account: str, name: str) -> None:
    """Raises EntityAlreadyExists."""
    if identities.find_user(tx, account, name) is not None:
        raise EntityAlreadyExists(f"user {name!r} already exists", f"User with name {name} already exists.")


def _add_user(tx: Transaction, user: User) -> User:
    identities.insert_user(tx, user)
    return user


def _add_key(tx: Transaction, vault: Vault, user: User, now: int) -> NewKey:
    key = NewKey(new_id("AKIA"), new_secret())
    identities.insert_key(tx, KeySummary(key.id, True, now), user, vault.seal(key.secret, key.id))
    return key
