"""Seed a registry before it is served in lab mode (`--seed`)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from moorage import app, stores
from moorage.adapters.audit_file import AuditFile
from moorage.adapters.data_folder import DataFolder
from moorage.cli.next_commands import failure
from moorage.config.documents import BadDocument
from moorage.config.settings import Settings
from moorage.core.declared.changes import Conditions
from moorage.core.vault import Vault
from moorage.lab import seeds
from moorage.lab.clock import LabClock
from moorage.lab.seeds import PreparedSeed, SeedRules
from moorage.telemetry import Log


def read(settings: Settings, file: Path) -> PreparedSeed:
    """Read and check the seed, before anything is created. Ends the command if it is wrong."""
    try:
        return seeds.read(file, SeedRules(settings.account, settings.region, settings.lab_anywhere))
    except (BadDocument, OSError) as error:
        raise failure(f"{file}: {error}") from None


def sow(settings: Settings, folder: DataFolder, seed: PreparedSeed) -> None:
    """Apply the seed to a registry that `app.prepare` has prepared. Ends the command if the registry refuses it."""
    try:
        asyncio.run(_sow(settings, folder, seed))
    except BadDocument as error:
        raise failure(f"{settings.seed}: {error}") from None


async def _sow(settings: Settings, folder: DataFolder, seed: PreparedSeed) -> None:
    now, vault, log = LabClock(settings.time), Vault(folder.master_key()), Log(requests=False)
    database = stores.engine_of(settings, folder).open()
    database.start()
    store, close_store = stores.blob_store(settings, database, now)
    audit_file = AuditFile(stores.audit_rotation(settings), stores.audit_space(settings), log)
    services = app.services_of(settings, vault, database, store, audit_file, now)
    try:
        await seeds.sow(seed, services, vault, Conditions(services.limits, settings.upstream, now()))
    finally:
        await services.stop()
        await close_store()
        database.close()
        audit_file.close()
