"""The composition root: builds a registry from settings. The only module that knows all concrete classes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from moorage import failpoints, stores
from moorage.adapters.audit_file import AuditFile
from moorage.adapters.data_folder import DataFolder
from moorage.adapters.event_senders import EventSenders
from moorage.adapters.files.blob_store import FileBlobStore
from moorage.config.settings import Settings
from moorage.core.clock import Clock, system_clock
from moorage.core.events import delivery
from moorage.core.events import record as events
from moorage.core.events.audit import Audit
from moorage.core.events.delivery import DeliveryJobs
from moorage.core.garbage.collect import CollectionRules, Collector
from moorage.core.garbage.grace import GracePeriods
from moorage.core.garbage.jobs import GarbageJobs
from moorage.core.garbage.sweep import Sweeper
from moorage.core.garbage.undelete import Undeletion
from moorage.core.identity import accounts, master_key
from moorage.core.identity.authentication import Authenticator
from moorage.core.identity.authorization import Authorizer
from moorage.core.lifecycle import orphans, previews
from moorage.core.lifecycle import policies as lifecycle
from moorage.core.lifecycle.runs import LifecycleJobs
from moorage.core.limits import Limits
from moorage.core.own_store import OwnStore
from moorage.core.pages import PageTokens
from moorage.core.reactions import Reactions
from moorage.core.readiness import STORE_SECONDS, Readiness
from moorage.core.registry import pulls
from moorage.core.registry.addresses import Addresses
from moorage.core.registry.downloads import DownloadLinks
from moorage.core.registry.images import Images
from moorage.core.registry.layers import Layers
from moorage.core.registry.mounts import Mounts
from moorage.core.registry.pulls import Pulls
from moorage.core.services import Services
from moorage.core.vault import Vault
from moorage.domain.errors import Unavailable
from moorage.domain.ports import BlobStore, Listing
from moorage.domain.regions import Regions
from moorage.domain.units import DAY, HOUR, SECOND
from moorage.ecr import lifecycle as ecr_lifecycle
from moorage.ecr import replication as ecr_replication
from moorage.ecr.call import Handler
from moorage.ecr.endpoint import EcrEndpoint
from moorage.ecr.registry import images as ecr_images
from moorage.ecr.registry import layers as ecr_layers
from moorage.ecr.registry import policies as ecr_policies
from moorage.ecr.registry import repositories as ecr_repositories
from moorage.ecr.registry import settings as ecr_settings
from moorage.ecr.registry import templates as ecr_templates
from moorage.ecr.registry.downloads import DownloadEndpoint
from moorage.http.application import Application, Endpoint, Lifespan, RequestMeter, ServerContext
from moorage.http.body_budget import BodyBudget
from moorage.http.draining import Drain
from moorage.http.forwarding import TrustedProxies
from moorage.http.locations import Locations
from moorage.metadata import gauges as database_gauges
from moorage.metadata.database import Database
from moorage.metadata.migration import records
from moorage.oci.routes import RegistryEndpoint
from moorage.telemetry import Log
from moorage.worker import JobKind, Worker

if TYPE_CHECKING:
    from moorage.tracing.requests import TracedApplication
    from moorage.tracing.spans import Tracing


ECR_OPERATIONS: Final[Mapping[str, Handler]] = {
    **ecr_repositories.OPERATIONS,
    **ecr_layers.OPERATIONS,
    **ecr_images.OPERATIONS,
    **ecr_lifecycle.OPERATIONS,
    **ecr_settings.OPERATIONS,
    **ecr_replication.OPERATIONS,
    **ecr_templates.OPERATIONS,
    **ecr_policies.OPERATIONS,
}
"""The supported operations of ECR, by topic."""


def prepare(settings: Settings, folder: DataFolder) -> None:
    """Prepare a registry for its servers: the schema, the blob folder, and on the first start the root access key.

    Raises DatabaseUnusable, ForeignStore, Unavailable, MasterKeyMissing, MasterKeyWrong, OSError.
    """
    failpoints.arm(settings.failpoints)
    folder.prepare()
    vault = Vault(folder.master_key())
    engine = stores.engine_of(settings, folder)
    engine.prepare()
    settings.blob_folder.mkdir(mode=0o700, exist_ok=True)
    asyncio.run(_confirm_store(settings))
    FileBlobStore(settings.blob_folder).prepare()
    engine.transact(lambda tx: master_key.confirm(tx, vault))
    if folder.credentials() is None:
        key = engine.transact(lambda tx: accounts.root_key(tx, vault, accounts.FIRST_ACCOUNT, system_clock()))
        folder.write_credentials(key.id, key.secret)


async def _confirm_store(settings: Settings) -> None:
    """Refuse a blob store of another registry. One that does not answer is confirmed later, by `Readiness`."""
    with suppress(Unavailable, TimeoutError):
        async with asyncio.timeout(STORE_SECONDS), stores.opened(settings):
            pass


def sealed_notice(settings: Settings, folder: DataFolder) -> str | None:
    """The notice for a registry that is sealed, because it is being migrated or was. Raises Unavailable."""
    sealed, migration = stores.engine_of(settings, folder).transact(
        lambda tx: (records.is_sealed(tx), records.find(tx, records.SOURCE))
    )
    if migration is None or not sealed:
        return None
    state = "was migrated" if migration.state == records.MOVED else "is being migrated"
    return f"This registry {state} to {migration.other}. It serves pulls and rejects changes."


def application(
    settings: Settings,
    meter: Callable[[], RequestMeter] | None = None,
    trace: Callable[[Log], Tracing] | None = None,
    drain: Drain | None = None,
) -> Application | TracedApplication:
    """The application of one worker process. It opens its own connections when the server starts it.

    `meter` creates the meter of requests, and `trace` the tracing, if they are enabled. `drain` reports that the server
    is about to stop.
    """
    failpoints.arm(settings.failpoints)
    folder = DataFolder(settings.data, settings.given_master_key())
    log = Log(requests=settings.access_log)
    database = stores.engine_of(settings, folder).open()
    clock = stores.common_clock(settings, database)
    now = clock or system_clock
    store, close_store = stores.blob_store(settings, database, now)
    blobs: BlobStore = store
    meters = [meter()] if meter else []
    tracing = trace(log) if trace else None
    if tracing is not None:
        database, blobs = tracing.database(database), tracing.blobs(blobs)
        meters.append(tracing.requests())
    audit_file = AuditFile(settings.audit_path, log)
    vault = Vault(folder.master_key())
    services = services_of(settings, vault, database, blobs, audit_file, now)
    own_store = stores.own_store(settings, database, store)
    worker = Worker(database, job_kinds(services, vault, (store, own_store), log), now, log)

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

    proxies = TrustedProxies(settings.trusted_proxy, settings.trusted_hops)
    served_application = Application(
        endpoints=endpoints(services, log, Locations(settings.locations)),
        log=log,
        is_ready=Readiness(database, own_store.confirm, stores.obstacle_to_writing(settings), log).is_ready,
        lifespan=Lifespan(start, stop),
        context=ServerContext(proxies, drain or Drain(), settings.max_failed_logins),
        meters=meters,
    )
    return served_application if tracing is None else tracing.application(served_application)


def endpoints(services: Services, log: Log, locations: Locations) -> dict[str, Endpoint]:
    """The HTTP endpoints, by path prefix."""
    budget = BodyBudget()
    return {
        "/": EcrEndpoint(services, ECR_OPERATIONS, log, budget),
        "/v2/": RegistryEndpoint(services, log, budget, locations),
        "/layers/": DownloadEndpoint(services, log),
    }


def limits_of(settings: Settings) -> Limits:
    """The limits from the settings."""
    return Limits(
        quotas=settings.quota,
        regions=Regions((settings.region, *settings.extra_region)),
        kms_keys=settings.kms_key,
        sparse_manifests=settings.sparse_manifests,
        lifecycle_delay=settings.lifecycle_delay * SECOND,
        grace_period=int(settings.grace_period * SECOND),
        require_space=stores.space_for_rows(settings),
    )


def reactions_of(limits: Limits) -> Reactions:
    """All reactions, by kind of change. They run in the transaction of the change, in this order."""
    delay = limits.lifecycle_delay
    return Reactions(
        image_pushed=[events.image_pushed, partial(lifecycle.image_pushed, delay=delay)],
        image_deleted=[events.image_deleted, orphans.image_deleted],
        tag_deleted=[events.tag_deleted],
        storage_class_changed=[events.storage_class_changed],
        images_pulled=[pulls.record_times],
        repository_created_from_template=[partial(lifecycle.repository_created_from_template, delay=delay)],
        api_called=[events.api_called],
    )


def services_of(
    settings: Settings, vault: Vault, database: Database, blobs: BlobStore, audit_file: AuditFile, now: Clock
) -> Services:
    """The services of the core."""
    limits = limits_of(settings)
    reactions = reactions_of(limits)
    return Services(
        database=database,
        blobs=blobs,
        layers=Layers(database, blobs, now, limits),
        mounts=Mounts(database, now),
        images=Images(limits, reactions),
        grace_periods=GracePeriods(database, now, limits),
        authenticator=Authenticator(database, vault, now, settings.region),
        authorizer=Authorizer(database),
        pages=PageTokens(vault),
        pulls=Pulls(database, reactions, now),
        download_links=DownloadLinks(vault, now),
        addresses=Addresses(settings.scheme, settings.public_host, settings.domain),
        now=now,
        audit=Audit(
            audit_file.write if settings.audit_path else None,
            now,
            settings.region,
            reads=settings.audit_reads,
        ),
        limits=limits,
        reactions=reactions,
    )


def undeletion_of(settings: Settings) -> Undeletion:
    """The undeletion of images, with the limits and reactions of a push."""
    limits = limits_of(settings)
    return Undeletion(Images(limits, reactions_of(limits)), limits)


def collection_rules(settings: Settings) -> CollectionRules:
    """The rules of garbage collection from the settings."""
    return CollectionRules(grace=limits_of(settings).grace_period)


def job_kinds(services: Services, vault: Vault, store: tuple[Listing, OwnStore], log: Log) -> dict[str, JobKind]:
    """The kinds of jobs that worker processes run (`worker.py`)."""
    listing, own_store = store
    collector = Collector(services.database, services.blobs, services.now)
    sweeper = Sweeper(services.database, services.blobs, listing)
    garbage = GarbageJobs(collector, sweeper, own_store, CollectionRules(grace=services.limits.grace_period), log)
    deliveries = DeliveryJobs(services.database, vault, EventSenders(), services.now)
    runs = LifecycleJobs(services.database, services.images, services.audit, services.limits, services.now)
    return {
        events.JOB: JobKind(
            deliveries.deliver,
            attempts=delivery.ATTEMPTS,
            first_delay=delivery.FIRST_DELAY,
            longest_delay=delivery.LONGEST_DELAY,
            at_once=delivery.AT_ONCE,
        ),
        "forget-failed-events": JobKind(deliveries.remove_old, every=DAY),
        lifecycle.JOB: JobKind(runs.run, enqueued_ahead=services.limits.lifecycle_delay),
        orphans.JOB: JobKind(runs.remove_orphans, enqueued_ahead=orphans.ORPHAN_LIFE),
        previews.JOB: JobKind(runs.preview),
        "collect-garbage": JobKind(garbage.run, every=HOUR),
        "sweep-store": JobKind(garbage.sweep, every=DAY),
    }


def gauges(settings: Settings, folder: DataFolder) -> Mapping[str, Mapping[str, float]]:
    """Gauges of the database. They are read over a separate connection, because no worker process calls this."""
    engine = stores.engine_of(settings, folder)
    database = engine.open()
    disks = stores.disk_gauges(settings)
    try:
        values = database.read_blocking(partial(database_gauges.gauges, now=system_clock()))
        return {**values, **disks, "moorage_database_connections": engine.connections()}
    except Unavailable:  # The counters of the worker processes are available anyway.
        return disks
    finally:
        database.close()
