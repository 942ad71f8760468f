"""Open what the settings describe: the database, the blob store, and the two ends of a migration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from moorage import failpoints
from moorage.adapters.audit_rotation import Rotation, is_stream
from moorage.adapters.data_folder import DataFolder
from moorage.adapters.disk_space import DiskSpace
from moorage.adapters.files.blob_store import FileBlobStore
from moorage.adapters.files.linking import FileLinks
from moorage.config.settings import Settings
from moorage.core.clock import Clock, CommonClock, system_clock
from moorage.core.garbage.verify import Stores
from moorage.core.migration.blobs import MigrationEnd
from moorage.core.migration.migrate import MigrationRefused
from moorage.core.own_store import OwnStore
from moorage.domain.buckets import SCHEME, Bucket, BucketKey
from moorage.domain.errors import Unavailable
from moorage.domain.image_sources import BlobLinks
from moorage.domain.ports import CopySource
from moorage.first_use import at_first_use
from moorage.metadata.database import Database
from moorage.metadata.engines.engine import Engine
from moorage.metadata.engines.postgres import clock as postgres_clock
from moorage.metadata.engines.postgres import writability as postgres_writability
from moorage.metadata.engines.selection import engine_at
from moorage.metadata.migration import records
from moorage.metadata.registry.upload_states import StoredUploadStates
from moorage.telemetry import Log

if TYPE_CHECKING:
    from moorage.adapters.s3 import blob_store as s3_blobs
    from moorage.adapters.s3 import client as s3_client
    from moorage.adapters.s3 import copies as s3_copies
    from moorage.adapters.s3 import linking as s3_linking
    from moorage.adapters.s3 import objects as s3_objects
    from moorage.adapters.s3 import signing as s3_signing
    from moorage.adapters.s3 import storage as s3_storage
else:
    s3_blobs, s3_client, s3_copies, s3_linking, s3_objects, s3_signing, s3_storage = (
        at_first_use(f"moorage.adapters.s3.{name}")
        for name in ("blob_store", "client", "copies", "linking", "objects", "signing", "storage")
    )

Store: TypeAlias = "FileBlobStore | s3_blobs.S3BlobStore"


def engine_of(settings: Settings, folder: DataFolder) -> Engine:
    """The engine of the database. Raises DatabaseUnusable for an invalid address."""
    return engine_at(settings.database, folder.database, settings.database_connections)


def sealed_notice(settings: Settings, folder: DataFolder) -> str | None:
    """The notice for a registry that is sealed, because it is being migrated or was. Raises Unavailable."""
    sealed, migration = engine_of(settings, folder).transact(
        lambda tx: (records.is_sealed(tx), records.find(tx, records.SOURCE))
    )
    if migration is None or not sealed:
        return None
    state = "was migrated" if migration.state == records.MOVED else "is being migrated"
    return f"This registry {state} to {migration.other}. It serves pulls and rejects changes."


def blob_store(settings: Settings, database: Database, now: Clock) -> tuple[Store, Callable[[], Awaitable[None]]]:
    """The blob store, and a function that closes it."""
    if settings.bucket is None:
        files = FileBlobStore(settings.blob_folder, disk_space(settings, settings.blob_folder, "layers"))

        async def close() -> None:
            files.close()

        return files, close
    objects = objects_in(settings.bucket, settings.bucket_key, now)
    store = s3_blobs.S3BlobStore(objects, StoredUploadStates(database), redirect=settings.blob_redirect)
    return store, store.close


def disk_space(settings: Settings, folder: Path, content: str) -> DiskSpace:
    """The space on the file system of a folder. Each change is logged, with what the folder contains."""

    def report(reason: str) -> None:
        # A log of its own, because threads that write to the disk must not touch the lines of the event loop.
        Log().event("disk-refuses" if reason else "disk-accepts", content=content, folder=str(folder), reason=reason)

    return DiskSpace(folder, settings.disk_reserve, report)


def space_for_rows(settings: Settings) -> Callable[[], None]:
    """A function that raises Unavailable while rows cannot be added for lack of disk space. PostgreSQL has its own."""
    if settings.database is not None:
        return lambda: None
    space = disk_space(settings, settings.data, "database")

    def require() -> None:
        reason = space.obstacle()
        if reason:
            raise Unavailable(reason=f"The database does not accept more data ({reason})")

    return require


def space_for_changes(settings: Settings) -> Callable[[], None]:
    """A function that raises Unavailable while only changes that free space are accepted."""
    spaces = [] if settings.database is not None else [DiskSpace(settings.data, settings.disk_reserve)]
    audit = audit_space(settings)
    if audit is not None and not any(map(audit.is_same_as, spaces)):
        spaces.append(audit)

    def require() -> None:
        for space in spaces:
            reason = space.obstacle_to_changes()
            if reason:
                raise Unavailable(reason=f"Only deletions are accepted ({reason})")

    return require


def audit_space(settings: Settings) -> DiskSpace | None:
    """The file system of the audit log; None if the audit log is not a file."""
    path = settings.audit_path
    if path is None or is_stream(path):
        return None
    return DiskSpace(path.parent, settings.disk_reserve)


def obstacle_to_writing(settings: Settings, database: Database) -> Callable[[], Awaitable[str]]:
    """A function that returns the reason why the registry cannot be written, or an empty text.

    It tries the folders of the registry, and asks PostgreSQL whether it is read-only.
    """
    folders = [] if settings.database is not None else [settings.data]
    if settings.bucket is None:
        folders.append(settings.blob_folder)
    spaces = [DiskSpace(folder, settings.disk_reserve) for folder in folders]

    async def obstacle() -> str:
        reasons = [await asyncio.to_thread(space.check_writing) for space in spaces]
        if settings.database is not None and await database.write(postgres_writability.is_read_only):
            reasons.append("The database is read-only")
        return next(filter(None, reasons), "")

    return obstacle


def audit_rotation(settings: Settings) -> Rotation | None:
    """The file of the audit log and its rotation; None if there is no audit log."""
    path = settings.audit_path
    return None if path is None else Rotation(path, settings.audit_file_size, settings.audit_limit or 0)


def audit_gauges(settings: Settings) -> dict[str, dict[str, float]]:
    """The bytes of the audit log; nothing if it is not a file."""
    rotation = audit_rotation(settings)
    if rotation is None or audit_space(settings) is None:
        return {}
    try:
        current, rotated = rotation.sizes()
    except OSError:  # The file system does not respond; the other metrics are available anyway.
        return {}
    return {"moorage_audit_bytes": {"current": current, "rotated": rotated}}


def disk_gauges(settings: Settings) -> dict[str, dict[str, float]]:
    """Free bytes and reserves of the file systems, by content."""
    spaces = {"data": DiskSpace(settings.data, settings.disk_reserve)}
    if settings.bucket is None:
        spaces["layers"] = DiskSpace(settings.blob_folder, settings.disk_reserve)
    audit = audit_space(settings)
    if audit is not None:
        spaces["audit"] = audit
    free: dict[str, float] = {}
    reserves: dict[str, float] = {}
    for content, space in spaces.items():
        with suppress(OSError):  # A file system that does not respond, or a folder that does not exist yet.
            free[content], reserves[content] = space.free, space.reserve
    return {"moorage_disk_free_bytes": free, "moorage_disk_reserve_bytes": reserves}


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Database, Store]]:
    """The database and its own blob store, for a command; a server may be running.

    Raises DatabaseUnusable, ForeignStore, Unavailable, OSError.
    """
    async with opened_unconfirmed(settings) as (database, store):
        await own_store(settings, database, store).confirm()
        yield database, store


@asynccontextmanager
async def opened_unconfirmed(settings: Settings) -> AsyncIterator[tuple[Database, Store]]:
    """The database, and a blob store that may be another registry's. Raises DatabaseUnusable."""
    failpoints.arm(settings.failpoints)
    folder = DataFolder(settings.data, settings.given_master_key())
    engine = engine_of(settings, folder)
    engine.prepare()
    async with _opened(settings, engine) as database_and_store:
        yield database_and_store


def own_store(settings: Settings, database: Database, store: Store) -> OwnStore:
    """Confirms that the blob store belongs to the registry of the database."""
    return OwnStore(database, store, settings.blob_place)


@asynccontextmanager
async def _opened(settings: Settings, engine: Engine) -> AsyncIterator[tuple[Database, Store]]:
    database = engine.open()
    database.start()
    try:
        store, close = blob_store(settings, database, clock_of(settings, database))
        try:
            yield database, store
        finally:
            await close()
    finally:
        database.close()


@asynccontextmanager
async def migration_end(settings: Settings) -> AsyncIterator[MigrationEnd]:
    """Open the source or the target of a migration. Raises DatabaseUnusable, Unavailable."""
    failpoints.arm(settings.failpoints)
    engine = engine_of(settings, DataFolder(settings.data))
    async with _opened(settings, engine) as (database, blobs):
        yield MigrationEnd(settings.place, engine, database, blobs, blobs, own_store(settings, database, blobs))


def prepare_target(settings: Settings, folder: DataFolder, key: bytes) -> None:
    """Prepare the target of a migration, with the master key of the source.

    Raises MigrationRefused if the target has another key, DatabaseUnusable, Unavailable, MasterKeyMissing, OSError.
    """
    engine = engine_of(settings, folder)
    is_empty = engine.is_empty()
    if is_empty or settings.database is not None:
        folder.adopt_master_key(key)
    if folder.master_key() != key:
        raise MigrationRefused(
            f"{settings.place} has another master key than the source, so it could not decrypt the secrets: set the"
            " same key (MOORAGE_MASTER_KEY, MOORAGE_MASTER_KEY_FILE, or the file master.key)"
        )
    if is_empty:
        engine.migrate()
    if settings.bucket is None:
        settings.blob_folder.mkdir(mode=0o700, exist_ok=True)
        FileBlobStore(settings.blob_folder).prepare()


def stores_of(store: Store, source: CopySource | None) -> Stores:
    """The stores of a verification. Only a folder has a quarantine, because a bucket can only copy and delete."""
    folder = store if isinstance(store, FileBlobStore) else None
    return Stores(store, store, folder, folder, source)


@asynccontextmanager
async def copies_at(address: str | None, key: BucketKey) -> AsyncIterator[CopySource | None]:
    """The store to repair from: a data folder, or a bucket `s3://…`. Raises ValueError for an invalid URL."""
    if address is None:
        yield None
    elif address.startswith(f"{SCHEME}://"):
        copies = s3_copies.BucketCopies(objects_in(Bucket.parse(address), key))
        try:
            yield copies
        finally:
            await copies.close()
    else:
        files = FileBlobStore(Path(address))
        try:
            yield files
        finally:
            files.close()


@asynccontextmanager
async def storage_at(bucket: Bucket, key: BucketKey) -> AsyncIterator[s3_storage.StorageBucket]:
    """The storage of another registry in a bucket."""
    objects = objects_in(bucket, key)
    try:
        yield s3_storage.StorageBucket(objects, bucket)
    finally:
        await objects.close()


@asynccontextmanager
async def links_of(settings: Settings, store: Store) -> AsyncIterator[BlobLinks]:
    """The blob store as one that takes over blobs itself."""
    if isinstance(store, FileBlobStore) or settings.bucket is None:
        yield FileLinks(settings.blob_folder)
        return
    objects = objects_in(settings.bucket, settings.bucket_key)
    try:
        yield s3_linking.BucketLinks(objects, settings.bucket.endpoint)
    finally:
        await objects.close()


def objects_in(bucket: Bucket, key: BucketKey, now: Clock = system_clock) -> s3_objects.Objects:
    """The objects of a bucket, over their own connections."""
    client = s3_client.S3Client(s3_signing.Signer(bucket, key, now))
    return s3_objects.Objects(client, bucket.prefix)


def common_clock(settings: Settings, database: Database) -> CommonClock | None:
    """The clock that all nodes share; None for a database that only one machine uses."""
    return CommonClock(partial(database.read_blocking, postgres_clock.now)) if settings.database else None


def clock_of(settings: Settings, database: Database) -> Clock:
    """The clock for a command, synchronized once. Raises Unavailable."""
    clock = common_clock(settings, database)
    if clock is None:
        return system_clock
    clock.synchronize()
    return clock
