"""Check that the master key belongs to the database before anything is encrypted with it, and rotate it."""

from __future__ import annotations

from moorage.core.vault import Forged, Vault
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts as identities
from moorage.metadata.identity import sealed

_USE = "master-key"


class MasterKeyWrong(Exception):
    """The secrets in this database are encrypted with another master key."""

    def __init__(self) -> None:
        super().__init__(
            "the secrets of this registry are encrypted with another master key: set the right one"
            " (MOORAGE_MASTER_KEY, MOORAGE_MASTER_KEY_FILE, or the file master.key), or restore it from a backup"
        )


def confirm(tx: Transaction, vault: Vault) -> None:
    """Check the master key; a new database records it. Raises MasterKeyWrong if the database has another one."""
    stamp = identities.master_key_stamp(tx)
    try:
        if stamp is not None:
            vault.check(stamp, _USE)
            return
        sealed = identities.any_key(tx)
        if sealed is not None:  # A database created before stamps existed.
            vault.open(sealed[1], sealed[0])
    except Forged:
        raise MasterKeyWrong from None
    identities.insert_master_key_stamp(tx, vault.stamp(b"", _USE))


def rotate(tx: Transaction, old: Vault, new: Vault) -> int | None:
    """Encrypt all secrets with the new master key; returns how many, or None if an earlier call has done it.

    Tokens and links that were made with the old key end. Raises MasterKeyWrong if the database has another key.
    """
    if _has(tx, new):
        return None
    confirm(tx, old)
    count = sealed.replace_all(tx, lambda secret, context: new.seal(old.open(secret, context), context))
    identities.replace_master_key_stamp(tx, new.stamp(b"", _USE))
    return count


def _has(tx: Transaction, vault: Vault) -> bool:
    """Whether the database records the master key of this vault."""
    stamp = identities.master_key_stamp(tx)
    try:
        return stamp is not None and vault.check(stamp, _USE) == b""
    except Forged:
        return False
