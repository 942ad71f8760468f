"""Mounting: a repository sees a blob that another repository of the same registry has, without sending it again."""

from __future__ import annotations

from moorage.metadata import layers
from moorage.metadata.database import Transaction
from moorage.metadata.repositories import Repository


def mount(tx: Transaction, source: Repository, target: Repository, digest: str, now: int) -> bool:
    """Let `target` see a blob that `source` sees; False when `source` does not.

    The caller's right to read from `source` has been checked: knowing a digest is no permission.
    """
    blob = layers.find_layer(tx, source.id, digest)
    if blob is None:
        return False
    layers.link_blob(tx, target.id, blob.id, now)
    return True
