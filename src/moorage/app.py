"""The composition root: settings in, a running registry out. The only module that names every concrete class."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from moorage import failpoints
from moorage.adapters.audit_file import AuditFile
from moorage.adapters.data_folder import DataFolder
from moorage.adapters.files.blob_store import FileBlobStore
from moorage.adapters.http_sender import HttpCourier
from moorage.adapters.s3.blob_store import S3BlobStore
from moorage.adapters.s3.client import S3Client
from moorage.adapters.s3.copies import BucketCopies
from moorage.adapters.s3.objects import Objects
from moorage.adapters.s3.signing import Signer
from moorage.config import Settings
from moorage.core.clock import DAY, HOUR, SECOND, Clock, CommonClock, system_clock
from moorage.core.events import record as events
from moorage.core.events import webhooks
from moorage.core.events.audit import Audit
from moorage.core.events.webhooks import DeliveryJobs
from moorage.core.garbage.collect import CollectionRules, Collector
from moorage.core.garbage.grace import GracePeriods
from moorage.core.garbage.jobs import GarbageJobs
from moorage.core.garbage.sweep import Sweeper
from moorage.core.garbage.verify import Stores
from moorage.core.identity import accounts, master_key
from moorage.core.identity.authentication import Access
from moorage.core.identity.authorization import Authorizer
from moorage.core.lifecycle import orphans
from moorage.core.lifecycle import policies as lifecycle
from moorage.core.lifecycle import previews as lifecycle_previews
from moorage.core.lifecycle.runs import LifecycleJobs
from moorage.core.migration.blobs import Side
from moorage.core.migration.move import MoveRefused
from moorage.core.pages import PageTokens
from moorage.core.readiness import Readiness
from moorage.core.registry.addresses import Addresses
from moorage.core.registry.layers import Layers
from moorage.core.registry.pulls import Pulls
from moorage.core.services import Services
from moorage.core.vault import Vault
from moorage.domain.buckets import SCHEME, Bucket, BucketKey
from moorage.domain.errors import Unavailable
from moorage.domain.ports import BlobStore, CopySource, Listing
from moorage.domain.registry.encryption import Keys
from moorage.domain.registry.quotas import Quotas
from moorage.ecr.endpoint import EcrEndpoint
from moorage.ecr.registry.downloads import DownloadEndpoint
from moorage.http.application import Application, Endpoint, Lifespan, RequestMeter, ServerContext
from moorage.http.draining import Drain
from moorage.http.forwarding import TrustedProxies
from moorage.http.server import GRANIAN_READ_AHEAD
from moorage.metadata import gauges as overview
from moorage.metadata.database import Database
from moorage.metadata.engines.engine import Engine
from moorage.metadata.engines.postgres import clock as postgres_clock
from moorage.metadata.engines.selection import engine_at
from moorage.metadata.migration import moves
from moorage.metadata.registry.upload_states import StoredUploadStates
from moorage.oci.routes import RegistryEndpoint
from moorage.telemetry import Log
from moorage.worker import JobKind, Worker

if TYPE_CHECKING:
    from moorage.tracing.requests import TracedApplication
    from moorage.tracing.spans import Tracing

Store = FileBlobStore | S3BlobStore

ACCOUNT = "000000000000"
"""The account that the first start makes."""


def engine_of(settings: Settings, folder: DataFolder) -> Engine:
    """Where the metadata is. Raises DatabaseUnusable for an address that is none."""
    return engine_at(settings.database, folder.database, settings.database_connections)


def prepare(settings: Settings, folder: DataFolder) -> None:
    """Make everything ready to serve from: schema, blob folders, and on the first start a root access key.

    Raises DatabaseUnusable, Unavailable, MasterKeyMissing, MasterKeyWrong, OSError.
    """
    failpoints.arm(settings.failpoints)
    folder.prepare()
    vault = Vault(folder.master_key())
    engine = engine_of(settings, folder)
    engine.prepare()
    settings.blob_folder.mkdir(mode=0o700, exist_ok=True)
    FileBlobStore(settings.blob_folder).prepare()
    engine.transact(lambda tx: master_key.confirm(tx, vault))
    if folder.credentials() is None:
        key = engine.transact(lambda tx: accounts.root_key(tx, vault, ACCOUNT, system_clock()))
        folder.write_credentials(key.id, key.secret)


def sealed_notice(settings: Settings, folder: DataFolder) -> str | None:
    """What to say of a registry that accepts no changes, since it moves or has moved. Raises Unavailable."""
    sealed, move = engine_of(settings, folder).transact(lambda tx: (moves.is_sealed(tx), moves.find(tx, moves.SOURCE)))
    if move is None or not sealed:
        return None
    doing = "has moved" if move.state == moves.MOVED else "is being moved"
    return f"This registry {doing} to {move.other}: here images are pulled, and changes are refused."


def application(
    settings: Settings,
    meter: Callable[[], RequestMeter] | None = None,
    trace: Callable[[Log], Tracing] | None = None,
    drain: Drain | None = None,
) -> Application | TracedApplication:
    """The application of one worker process; opens its own connections when the server starts it.

    `meter` makes what counts its requests, and `trace` what traces them, if somebody wants to know. `drain` tells when
    the server will stop.
    """
    failpoints.arm(settings.failpoints)
    folder = DataFolder(settings.data, settings.given_master_key())
    log = Log(requests=settings.access_log)
    database = engine_of(settings, folder).open()
    clock = common_clock(settings, database)
    now = clock or system_clock
    store, close_store = blob_store(settings, database, now)
    blobs: BlobStore = store
    meters = [meter()] if meter else []
    tracing = trace(log) if trace else None
    if tracing is not None:
        database, blobs = tracing.database(database), tracing.blobs(blobs)
        meters.append(tracing.requests())
    audit_file = AuditFile(settings.audit_path, log)
    services = services_of(settings, folder, database, blobs, audit_file, now)
    worker = Worker(database, job_kinds(services, store, collection_rules(settings), log), now, log)

    def start() -> None:
        database.start()
        if clock is not None:
            clock.start()
        worker.start()

    async def stop() -> None:
        await worker.stop()
        services.pulls.flush()
        await close_store()
        if clock is not None:
            await clock.stop()
        database.close()
        audit_file.close()
        if tracing is not None:
            await tracing.close()
        log.flush()

    served = Application(
        endpoints=endpoints(services),
        log=log,
        is_ready=Readiness(database, store.check, log).is_given,
        life=Lifespan(start, stop),
        context=ServerContext(
            TrustedProxies(settings.trusted_proxies),
            read_ahead=GRANIAN_READ_AHEAD if settings.server == "granian" else 1,
            drain=drain or Drain(),
        ),
        meters=meters,
    )
    return served if tracing is None else tracing.application(served)


def endpoints(services: Services) -> dict[str, Endpoint]:
    """The HTTP endpoints by the path that each is under."""
    return {"/": EcrEndpoint(services), "/v2/": RegistryEndpoint(services), "/layers/": DownloadEndpoint(services)}


def blob_store(settings: Settings, database: Database, now: Clock) -> tuple[Store, Callable[[], Awaitable[None]]]:
    """Where the settings say that blobs are, and what closes it."""
    if settings.bucket is None:
        files = FileBlobStore(settings.blob_folder)

        async def close() -> None:
            files.close()

        return files, close
    objects = objects_in(settings.bucket, settings.bucket_key, now)
    store = S3BlobStore(objects, StoredUploadStates(database), redirect=settings.blob_redirect)
    return store, store.close


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Database, Store]]:
    """The engines of a data folder for a command, while a server runs on it or not. Raises DatabaseUnusable."""
    failpoints.arm(settings.failpoints)
    folder = DataFolder(settings.data, settings.given_master_key())
    engine = engine_of(settings, folder)
    engine.prepare()
    async with _opened(settings, engine) as both:
        yield both


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
async def side_of(settings: Settings) -> AsyncIterator[Side]:
    """One of the registries of a move, as it is. Raises DatabaseUnusable, Unavailable."""
    failpoints.arm(settings.failpoints)
    engine = engine_of(settings, DataFolder(settings.data))
    async with _opened(settings, engine) as (database, blobs):
        yield Side(settings.place, engine, database, blobs, blobs)


def prepare_target(settings: Settings, folder: DataFolder, key: bytes) -> None:
    """Make a place where there is none yet ready to be moved to, with the master key of the source.

    Raises MoveRefused for one that has another key, DatabaseUnusable, Unavailable, MasterKeyMissing, OSError.
    """
    engine = engine_of(settings, folder)
    is_blank = engine.is_blank()
    if is_blank or settings.database is not None:
        folder.adopt_master_key(key)
    if folder.master_key() != key:
        raise MoveRefused(
            f"{settings.place} has another master key than the source, so it could open none of its secrets: give it"
            " the same one (MOORAGE_MASTER_KEY, MOORAGE_MASTER_KEY_FILE, or the file master.key)"
        )
    if is_blank:
        engine.migrate()
    if settings.bucket is None:
        settings.blob_folder.mkdir(mode=0o700, exist_ok=True)
        FileBlobStore(settings.blob_folder).prepare()


def services_of(
    settings: Settings, folder: DataFolder, database: Database, blobs: BlobStore, audit_file: AuditFile, now: Clock
) -> Services:
    """The core over this folder's engines."""
    vault = Vault(folder.master_key())
    return Services(
        database=database,
        blobs=blobs,
        layers=Layers(database, blobs, now),
        telling=GracePeriods(database, now, collection_rules(settings).grace),
        access=Access(database, vault, now, settings.region),
        authorizer=Authorizer(database),
        pages=PageTokens(vault),
        pulls=Pulls(database, now),
        vault=vault,
        addresses=Addresses(settings.scheme, settings.public_host, settings.domain),
        now=now,
        audit=Audit(
            audit_file.write if settings.audit_path else None,
            now,
            settings.region,
            reads=settings.audit_reads,
        ),
        keys=Keys(settings.kms_keys),
        quotas=Quotas.parse(settings.quotas),
        sparse_manifests=settings.sparse_manifests,
        lifecycle_delay=settings.lifecycle_delay * SECOND,
    )


def stores_of(store: Store, source: CopySource | None) -> Stores:
    """What a verification works on. Only files can be moved aside: in a bucket that would be a copy and a removal."""
    return Stores(store, store, store if isinstance(store, FileBlobStore) else None, source)


@asynccontextmanager
async def copies_at(address: str | None, key: BucketKey) -> AsyncIterator[CopySource | None]:
    """The store to repair from: a data folder, or a bucket at `s3://…`. Raises ValueError for another URL."""
    if address is None:
        yield None
    elif address.startswith(f"{SCHEME}://"):
        copies = BucketCopies(objects_in(Bucket.parse(address), key))
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


def objects_in(bucket: Bucket, key: BucketKey, now: Clock = system_clock) -> Objects:
    """A bucket's objects, with connections of their own."""
    return Objects(S3Client(Signer(bucket, key, now)), bucket.prefix)


def common_clock(settings: Settings, database: Database) -> CommonClock | None:
    """The clock that all nodes go by; None with a database that has one machine's alone."""
    return CommonClock(partial(database.read_blocking, postgres_clock.now)) if settings.database else None


def clock_of(settings: Settings, database: Database) -> Clock:
    """The time for a command, which asks for it once. Raises Unavailable."""
    clock = common_clock(settings, database)
    if clock is None:
        return system_clock
    clock.set_right()
    return clock


def collection_rules(settings: Settings) -> CollectionRules:
    """What this registry counts as garbage."""
    return CollectionRules(grace=int(settings.grace_period * SECOND))


def job_kinds(services: Services, listing: Listing, rules: CollectionRules, log: Log) -> dict[str, JobKind]:
    """What worker processes do beside answering requests, by the kind of job (`worker.py`)."""
    collector = Collector(services.database, services.blobs, services.now)
    sweeper = Sweeper(services.database, services.blobs, listing)
    collection = GarbageJobs(collector, sweeper, rules, log)
    deliveries = DeliveryJobs(services.database, services.vault, HttpCourier(), services.now)
    runs = LifecycleJobs(services.database, services.audit, services.now, services.lifecycle_delay)
    return {
        events.JOB: JobKind(
            deliveries.deliver,
            attempts=webhooks.ATTEMPTS,
            first_delay=webhooks.FIRST_DELAY,
            longest_delay=webhooks.LONGEST_DELAY,
            at_once=webhooks.AT_ONCE,
        ),
        "forget-failed-events": JobKind(deliveries.forget_old, every=DAY),
        lifecycle.JOB: JobKind(runs.run),
        orphans.JOB: JobKind(runs.remove_orphans),
        lifecycle_previews.JOB: JobKind(runs.preview),
        "collect-garbage": JobKind(collection.run, every=HOUR),
        "sweep-store": JobKind(collection.sweep, every=DAY),
    }


def gauges(settings: Settings, folder: DataFolder) -> Mapping[str, Mapping[str, float]]:
    """Figures of the database, by a connection of its own: who asks is no worker process."""
    engine = engine_of(settings, folder)
    database = engine.open()
    try:
        figures = database.read_blocking(partial(overview.gauges, now=system_clock()))
        return {**figures, "moorage_database_connections": engine.connections()}
    except Unavailable:  # What the worker processes count is shown all the same.
        return {}
    finally:
        database.close()
