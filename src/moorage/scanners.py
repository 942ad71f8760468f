"""Open the vulnerability scanner that the settings describe."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from moorage.adapters.scanners.database_sources import (
    Artifact,
    ArtifactSource,
    DatabaseSource,
    FileSource,
    SourceFailed,
    UrlSource,
)
from moorage.adapters.scanners.grype import Grype, GrypeRules
from moorage.adapters.scanners.grype_database import NO_DATABASE, NO_SOURCE, DatabasePlace, GrypeDatabase
from moorage.adapters.scanners.sandbox import Program, Sandbox, SandboxLimits
from moorage.adapters.scanners.workspaces import Workspaces
from moorage.config.scanner import ARTIFACT
from moorage.config.settings import Settings
from moorage.core import artifacts
from moorage.core.artifacts import NoArtifact
from moorage.core.clock import Clock, system_clock
from moorage.core.identity import callers
from moorage.core.identity.authorization import AccessRequest
from moorage.core.pull_through.cache import Puller
from moorage.core.services import Services
from moorage.domain.errors import Refusal
from moorage.domain.identity.callers import ROOT
from moorage.domain.names import Registry
from moorage.domain.ports import BlobStore
from moorage.domain.scanning.ports import Scanner
from moorage.domain.units import SECOND
from moorage.first_use import at_first_use
from moorage.metadata.database import Database
from moorage.metadata.registry import layers
from moorage.metadata.registry.layers import Blob
from moorage.telemetry import Log

if TYPE_CHECKING:
    from moorage.adapters.scanners import harbor
else:
    harbor = at_first_use("moorage.adapters.scanners.harbor")

_DISK_BYTES = 8 << 30
"""What one scan may write to the disk, unpacked layers among it."""

_FOLDER = "scanning"
_LOCK = "running.lock"
_NAME_DIGITS = 12
_NEWEST = "latest"


FindLayer = Callable[[Registry, str, str], Awaitable[Blob]]
"""Finds the one layer of the artifact in a registry, with a repository's name and a tag or digest."""


def scanner_of(settings: Settings, find: FindLayer, blobs: BlobStore, now: Clock, log: Log) -> Scanner | None:
    """The scanner that the settings name; None if they name none."""
    if settings.scanner.startswith("http"):
        rules = harbor.HarborRules(settings.scanner, settings.scanner_authorization, settings.scanner_timeout)
        return harbor.HarborScanner(rules)
    return _grype_of(settings, _source_of(settings, find, blobs), now, log)


def local_grype(settings: Settings) -> Grype | None:
    """Grype as it is on this machine, to look at: it fetches no database. None if the settings name no Grype."""
    return _grype_of(settings, None, system_clock, Log(descriptor=2))


def problem_at_start(settings: Settings) -> str | None:
    """What keeps Grype from scanning until somebody acts. It reads the whole program, so call it in a thread.

    None while a database is still to be fetched: the first job that needs it does that, and logs when it fails.
    """
    grype, place = local_grype(settings), settings.scanner_database
    if grype is None:
        return None
    problem = grype.look().problem
    if problem is not None and problem != NO_DATABASE:
        return problem
    if place.startswith("/") and not os.access(place, os.R_OK):
        return f"The vulnerability database {place} is not there, or cannot be read"
    return NO_SOURCE if problem is not None and not place else None


def _grype_of(settings: Settings, source: DatabaseSource | None, now: Clock, log: Log) -> Grype | None:
    """Grype, if the settings name it.

    Images are read where blobs are, so that they can be linked; the database belongs to this machine. Paths are
    absolute, because Grype runs in a folder of its own.
    """
    if settings.grype is None:
        return None
    limits = SandboxLimits(settings.scanner_timeout, settings.scanner_memory, _DISK_BYTES)
    local = settings.data.absolute() / _FOLDER
    sandbox = Sandbox(Program(settings.grype, settings.scanner_sha256), limits, log, local / _LOCK)
    place = DatabasePlace(local / "database", Workspaces(local / "imports", settings.disk_reserve))
    installed = GrypeDatabase(place, source, sandbox, log)
    name = f"grype sha256:{settings.scanner_sha256[:_NAME_DIGITS]}"
    rules = GrypeRules(name, limits, int(settings.scanner_database_age * SECOND), now)
    folder = settings.data if settings.bucket else settings.blob_folder
    scans = Workspaces(folder.absolute() / _FOLDER / "scans", settings.disk_reserve)
    return Grype(sandbox, installed, scans, rules)


def stored_in(database: Database) -> FindLayer:
    """Finds what the registry has. It asks no upstream registry, so it works without a server."""
    return partial(_stored, database)


def pulled_through(services: Services) -> FindLayer:
    """Finds what the registry has, or an upstream registry of its pull-through cache."""
    return partial(_pulled, services)


def _source_of(settings: Settings, find: FindLayer, blobs: BlobStore) -> DatabaseSource | None:
    """Where the vulnerability database comes from; None if the settings name no place."""
    place = settings.scanner_database
    if place.startswith(ARTIFACT):
        registry = Registry(settings.account, settings.region)
        return ArtifactSource(partial(_open_artifact, find, blobs, registry, place.removeprefix(ARTIFACT)))
    if place.startswith("/"):
        return FileSource(Path(place))
    return UrlSource(place) if place else None


async def _open_artifact(find: FindLayer, blobs: BlobStore, registry: Registry, name: str) -> Artifact:
    """The artifact `REPOSITORY[:TAG|@DIGEST]` in this server's registry. Raises SourceFailed."""
    repository, at, reference = name.partition("@")
    if not at:
        repository, _, reference = name.partition(":")
    try:
        layer = await find(registry, repository, reference or _NEWEST)
    except (NoArtifact, Refusal) as error:
        raise SourceFailed(str(error)) from None
    return Artifact(layer.digest, blobs.read(layer.key, 0, layer.size))


async def _stored(database: Database, registry: Registry, repository: str, reference: str) -> Blob:
    """Raises NoArtifact."""
    find = partial(artifacts.single_layer, registry=registry, repository=repository, reference=reference)
    return await database.read(find)


async def _pulled(services: Services, registry: Registry, repository: str, reference: str) -> Blob:
    """What the registry has, or pulls through its cache, as the account's root user. Raises NoArtifact, Refusal."""
    pull_through, database = services.pull_through, services.database
    if not await pull_through.covers(registry, repository):
        return await _stored(database, registry, repository, reference)
    caller = await database.read(partial(callers.named, account=registry.account, text=ROOT, region=registry.region))
    access = partial(AccessRequest, caller, registry=registry, repository=repository)
    puller = Puller(registry, repository, caller, access, caller.user_id)
    manifest = await pull_through.pull(puller, reference)
    if manifest is None:
        raise NoArtifact(f"Neither the registry nor its upstream registry has {repository}:{reference}")
    digest = artifacts.only_layer(manifest, f"{repository}:{reference}")
    where = (registry.account, registry.region, repository, digest)
    known = await database.read(lambda tx: layers.find_layer_by_name(tx, *where))
    if known is not None:
        return known
    fetched = await pull_through.blob(puller, digest)
    if fetched is None:
        raise NoArtifact(f"The layer {digest} of {repository}:{reference} is missing")
    return await fetched.finished()
