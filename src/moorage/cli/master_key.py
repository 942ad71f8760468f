"""`moorage master-key`: rotate the key that encrypts all secrets and signs all tokens."""

from __future__ import annotations

from pathlib import Path

import click

from moorage.adapters.data_folder import FolderInUse, MasterKeyMissing
from moorage.cli.folders import existing_folder
from moorage.cli.next_commands import failure
from moorage.cli.options import with_registry
from moorage.cli.transactions import change
from moorage.config.kinds import MASTER_KEY
from moorage.config.settings import Settings
from moorage.core.identity import master_key as keys
from moorage.core.vault import Vault


@click.group("master-key")
def master_key() -> None:
    """The key that encrypts all secrets and signs all tokens."""


@master_key.command()
@click.argument(
    "new_key_file", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False, readable=True)
)
@with_registry
def rotate(new_key_file: Path, settings: Settings) -> None:
    """Encrypt all secrets with the new master key in FILE: 32 bytes in base64 (openssl rand -base64 32).

    Stop all servers of the registry first. Access keys stay valid; tokens and links end, so Docker clients log in
    again. If the key is in the data folder, it is replaced there. If the command is interrupted, run it again. Keep
    the old key as long as you keep backups from before.
    """
    folder = existing_folder(settings)
    new = _read(new_key_file)
    try:
        if folder.path.is_dir():  # With PostgreSQL and a given key, there may be none here.
            folder.lock()
        old = Vault(folder.master_key())
        count = change(settings, lambda tx: keys.rotate(tx, old, Vault(new)))
        is_stored = folder.replace_master_key(new)
    except (FolderInUse, MasterKeyMissing, OSError) as error:
        raise failure(error) from None
    finally:
        folder.unlock()
    done = "The secrets had this key already." if count is None else f"Encrypted {count} secrets with the new key."
    place = "It is in the data folder." if is_stored else "Set MOORAGE_MASTER_KEY or MOORAGE_MASTER_KEY_FILE to it."
    click.echo(f"{done} {place}")


def _read(file: Path) -> bytes:
    try:
        return MASTER_KEY.read(file.read_text("ascii", errors="replace"))
    except ValueError as error:
        raise failure(f"{file} {error}.") from None
