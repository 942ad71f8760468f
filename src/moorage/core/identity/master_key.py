"""Whether the master key is the right one: asked before anything is sealed or opened with another."""

from __future__ import annotations

from moorage.core.vault import Forged, Vault
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts as identities

_USE = "master-key"


class MasterKeyWrong(Exception):
    """The secrets of this database are sealed with another master key."""

    def __init__(self) -> None:
        super().__init__(
            "this is not the master key that the secrets of this data folder are sealed with: give the right one"
            " (MOORAGE_MASTER_KEY, MOORAGE_MASTER_KEY_FILE, or the file master.key), or restore it from a backup"
        )


def confirm(tx: Transaction, vault: Vault) -> None:
    """Pass with the key of this database; the first one that comes becomes it. Raises MasterKeyWrong."""
    stamp = identities.master_key_stamp(tx)
    try:
        if stamp is not None:
            vault.check(stamp, _USE)
            return
        sealed = identities.any_key(tx)
        if sealed is not None:  # A database of the time before stamps.
            vault.open(sealed[1], sealed[0])
    except Forged:
        raise MasterKeyWrong from None
    identities.insert_master_key_stamp(tx, vault.stamp(b"", _USE))
