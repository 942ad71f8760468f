"""The composition root: builds a registry from settings. The only module that knows all concrete classes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from socket import gethostname
from typing import TYPE_CHECKING, Any, Final, Protocol

from moorage import __version__, background, failpoints, scanners, stores
from moorage.adapters.audit_file import AuditFile
from moorage.adapters.audit_reader import AuditReader
from moorage.adapters.data_folder import DataFolder
from moorage.adapters.files.blob_store import FileBlobStore
from moorage.adapters.openid_issuers import HttpIssuers
from moorage.adapters.remote_registry.at_first_use import RegistriesAtFirstUse
from moorage.api.authentication import SignatureAuthentication
from moorage.api.endpoint import ApiEndpoint
from moorage.api.service import AwsService
from moorage.config import sign_in_providers
from moorage.config.settings import Settings
from moorage.console.authentication import SessionAuthentication
from moorage.console.endpoint import ConsoleEndpoint
from moorage.console.session_calls import ConsoleSettings, SessionCalls
from moorage.console.sign_in_pages import SignInPages
from moorage.console.static_files import StaticFiles
from moorage.core.clock import Clock, system_clock
from moorage.core.console.provider_sign_in import ProviderSignIn
from moorage.core.console.sessions import ConsoleSessions
from moorage.core.events import record as events
from moorage.core.events.audit import Audit
from moorage.core.garbage.collect import CollectionRules
from moorage.core.garbage.grace import GracePeriods
from moorage.core.garbage.undelete import Undeletion
from moorage.core.identity import accounts, master_key
from moorage.core.identity.accounts import NewKey
from moorage.core.identity.authentication import Authenticator
from moorage.core.identity.authorization import Authorizer
from moorage.core.lifecycle import orphans
from moorage.core.lifecycle import policies as lifecycle
from moorage.core.limits import Limits
from moorage.core.operating.audit_records import AuditRecords
from moorage.core.operating.status import ServerStatus
from moorage.core.pages import PageTokens
from moorage.core.pull_through.attempts import CacheMeter
from moorage.core.pull_through.cache import CacheParts, PullThroughCache
from moorage.core.pull_through.upstreams import Upstreams
from moorage.core.reactions import Reactions
from moorage.core.readiness import STORE_SECONDS, Readiness
from moorage.core.registry import pulls
from moorage.core.registry.addresses import Addresses
from moorage.core.registry.downloads import DownloadLinks
from moorage.core.registry.images import Images
from moorage.core.registry.layers import Layers
from moorage.core.registry.mounts import Mounts
from moorage.core.registry.pulls import Pulls
from moorage.core.replication import outbox
from moorage.core.scanning import scans
from moorage.core.secrets.changes import Secrets
from moorage.core.services import Services
from moorage.core.signing import on_push as signing
from moorage.core.signing.guard import SignatureGuard
from moorage.core.signing.keys import SealedKeys
from moorage.core.signing.signatures import Signatures
from moorage.core.vault import Vault
from moorage.domain.errors import Unavailable
from moorage.domain.names import Registry
from moorage.domain.ports import BlobStore
from moorage.domain.regions import Regions
from moorage.domain.registry.upload_ids import UploadIds
from moorage.domain.units import SECOND
from moorage.ecr import operations as ecr_operations
from moorage.ecr import service as ecr_service
from moorage.ecr.registry.downloads import DownloadEndpoint
from moorage.first_use import at_first_use
from moorage.http.application import Application, Endpoint, Lifespan, RequestMeter, ServerContext, SharedState
from moorage.http.blob_response import BlobResponses
from moorage.http.draining import Drain
from moorage.http.forwarding import TrustedProxies
from moorage.http.locations import Locations
from moorage.http.server.worker_process import ServedApplication
from moorage.http.shares.body_budget import BodyBudget
from moorage.iam import operations as iam_operations
from moorage.iam import service as iam_service
from moorage.kms import keys as kms_keys
from moorage.kms import service as kms_service
from moorage.metadata.database import Database
from moorage.metadata.engines.engine import Engine
from moorage.oci.routes import RegistryEndpoint
from moorage.operating import operations as operating_operations
from moorage.operating import service as operating_service
from moorage.secretsmanager import operations as secretsmanager_operations
from moorage.secretsmanager import service as secretsmanager_service
from moorage.signer import operations as signer_operations
from moorage.signer import service as signer_service
from moorage.telemetry import Log
from moorage.worker import Worker

if TYPE_CHECKING:
    from moorage.lab import assembly as lab_mode
    from moorage.lab.lab import Lab
    from moorage.tracing.spans import Tracing
else:
    lab_mode = at_first_use("moorage.lab.assembly")


AWS_SERVICES: Final[Sequence[AwsService[Any]]] = [
    ecr_service.service(ecr_operations.OPERATIONS),
    iam_service.service(iam_operations.OPERATIONS),
    kms_service.service(kms_keys.OPERATIONS),
    operating_service.service(operating_operations.OPERATIONS),
    secretsmanager_service.service(secretsmanager_operations.OPERATIONS),
    signer_service.service(signer_operations.OPERATIONS),
]
"""The services of AWS that the API endpoint serves, besides STS."""


def prepare(settings: Settings, folder: DataFolder) -> None:
    """Prepare a registry for its servers: the schema, the blob folder, and the root access key.

    Raises DatabaseUnusable, ForeignStore, Unavailable, MasterKeyMissing, MasterKeyWrong, AccountError, InvalidSetting,
    OSError.
    """
    failpoints.arm(settings.failpoints)
    sign_in_providers.read(settings.sign_in_providers)  # Worker processes read them, too late to say what is wrong.
    folder.prepare()
    vault = Vault(folder.master_key())
    engine = stores.engine_of(settings, folder)
    engine.prepare()
    settings.blob_folder.mkdir(mode=0o700, exist_ok=True)
    asyncio.run(_confirm_store(settings))
    FileBlobStore(settings.blob_folder).prepare()
    engine.transact(lambda tx: master_key.confirm(tx, vault))
    _prepare_root_key(settings, folder, engine, vault)


def _prepare_root_key(settings: Settings, folder: DataFolder, engine: Engine, vault: Vault) -> None:
    """Give the first account its root access key: the chosen one, or on the first start a new one.

    Raises AccountError, Unavailable, OSError.
    """
    former, account, chosen = folder.credentials(), settings.account, settings.root_key
    replaced = former[0] if former else None
    if chosen is not None:
        key = NewKey(*chosen)
        engine.transact(lambda tx: accounts.choose_root_key(tx, vault, account, key, replaced, system_clock()))
    elif former is None:
        key = engine.transact(lambda tx: accounts.root_key(tx, vault, account, system_clock()))
    else:
        engine.transact(lambda tx: accounts.require_account(tx, account))
        return
    if former != (key.id, key.secret):
        folder.write_credentials(key.id, key.secret)


async def _confirm_store(settings: Settings) -> None:
    """Refuse a blob store of another registry. One that does not answer is confirmed later, by `Readiness`."""
    with suppress(Unavailable, TimeoutError):
        async with asyncio.timeout(STORE_SECONDS), stores.opened(settings):
            pass


class WorkerMeter(RequestMeter, CacheMeter, Protocol):
    """Counts what one worker process does."""


def application(
    settings: Settings,
    folder: DataFolder,
    meter: Callable[[], WorkerMeter] | None = None,
    trace: Callable[[Log], Tracing] | None = None,
    drain: Drain | None = None,
    shared: SharedState | None = None,
) -> ServedApplication:
    """The application of one worker process. It opens its own connections when the server starts it.

    `folder` was passed to `prepare`. `meter` and `trace` are for what is enabled. `drain` says that the server stops.
    """
    failpoints.arm(settings.failpoints)
    log = Log(requests=settings.access_log)
    database = stores.engine_of(settings, folder).open()
    clock = stores.common_clock(settings, database)
    lab = lab_mode.lab_of(settings, folder) if settings.lab else None
    now = lab.clock if lab else clock or system_clock
    store, close_store = stores.blob_store(settings, database, now)
    blobs: BlobStore = store
    tracing = trace(log) if trace else None
    if tracing is not None:
        database, blobs = tracing.database(database), tracing.blobs(blobs)
    audit_file = AuditFile(stores.audit_rotation(settings), stores.audit_space(settings), log)
    vault = Vault(folder.master_key())
    own_store, shared = stores.own_store(settings, database, store), shared or SharedState()
    is_ready = Readiness(database, own_store.confirm, stores.obstacle_to_writing(settings, database), log).is_ready
    status = ServerStatus(__version__, gethostname(), shared.traffic, partial(stores.disk_gauges, settings), is_ready)
    services = replace(services_of(settings, vault, database, blobs, audit_file, now), status=status)
    scanner = scanners.scanner_of(settings, scanners.pulled_through(services), blobs, now, log)
    worker = Worker(database, background.job_kinds(services, vault, (store, own_store), scanner, log), now, log)

    def start() -> None:
        database.start()
        if clock is not None:
            clock.start()
        worker.start()

    async def stop() -> None:
        await worker.stop()
        await services.stop()
        await close_store()
        if clock is not None:
            await clock.stop()
        database.close()
        audit_file.close()
        if tracing is not None:
            await tracing.close()
        log.flush()

    served = Application(
        endpoints=(answering := endpoints(services, vault, settings, log, lab)),
        log=log,
        is_ready=is_ready,
        lifespan=Lifespan(start, stop),
        context=_context(settings, drain, shared),
        meters=[shared.traffic, *([lab.requests] if lab else []), *_meters(meter, tracing, services)],
    )
    traced = served if tracing is None else tracing.application(served)
    return lab_mode.around(traced, lab, lab.registry(services, worker, vault), answering) if lab else traced


def _context(settings: Settings, drain: Drain | None, shared: SharedState) -> ServerContext:
    proxies = TrustedProxies(settings.trusted_proxy, settings.trusted_hops)
    return ServerContext(proxies, drain or Drain(), shared.active, settings.max_failed_logins)


def _meters(meter: Callable[[], WorkerMeter] | None, tracing: Tracing | None, services: Services) -> list[RequestMeter]:
    """What counts requests. The meter also counts what the pull-through cache does."""
    traces = [tracing.requests()] if tracing else []
    if meter is None:
        return traces
    counting = meter()
    services.pull_through.counts.report_to(counting)
    return [counting, *traces]


def endpoints(services: Services, vault: Vault, settings: Settings, log: Log, lab: Lab | None) -> dict[str, Endpoint]:
    """The HTTP endpoints, by path prefix."""
    authentication = lab.authentication(services) if lab else SignatureAuthentication(services, services.now)
    budget, blobs = BodyBudget(), BlobResponses(services.blobs, settings.accel_redirect)
    return {
        "/": ApiEndpoint(services, AWS_SERVICES, log, budget, authentication),
        "/v2/": RegistryEndpoint(services, log, budget, Locations(settings.locations), blobs),
        "/layers/": DownloadEndpoint(services, log, blobs),
        "/console/": console_endpoint(services, vault, settings, log, budget),
    }


def console_endpoint(
    services: Services, vault: Vault, settings: Settings, log: Log, budget: BodyBudget
) -> ConsoleEndpoint:
    """The endpoint of the console, whose calls go to the same services as those of AWS clients."""
    sessions = ConsoleSessions(services.database, vault, services.authenticator, services.now)
    authentication = SessionAuthentication(services, sessions, settings.region)
    api = ApiEndpoint(services, AWS_SERVICES, log, budget, authentication)
    providers = sign_in_providers.read(settings.sign_in_providers)
    calls = SessionCalls(services, sessions, ConsoleSettings(settings.region, settings.extra_region, providers))
    sign_in = ProviderSignIn(providers, HttpIssuers(), services.database, vault, sessions, services.now)
    pages = SignInPages(services, sign_in, settings.region)
    return ConsoleEndpoint(api, sessions, calls, pages, StaticFiles(), log)


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
        require_reserve=stores.space_for_changes(settings),
    )


def addresses_of(settings: Settings) -> Addresses:
    """The addresses that the server returns, from the settings."""
    is_set = settings.host_name is not None
    return Addresses(settings.scheme, settings.public_host, settings.domain, is_host_set=is_set)


def first_registry_host(settings: Settings) -> str:
    """The host of the registry that docker clients log in to with the root access key."""
    return addresses_of(settings).host_of(Registry(settings.account, settings.region))


def reactions_of(limits: Limits) -> Reactions:
    """All reactions, by kind of change. They run in the transaction of the change, in this order."""
    delay = limits.lifecycle_delay
    return Reactions(
        image_pushed=[
            events.image_pushed,
            partial(lifecycle.image_pushed, delay=delay),
            signing.image_pushed,
            scans.image_pushed,
            outbox.image_pushed,
        ],
        image_deleted=[events.image_deleted, orphans.image_deleted, outbox.image_deleted],
        tag_deleted=[events.tag_deleted, outbox.tag_deleted],
        storage_class_changed=[
            events.storage_class_changed,
            scans.storage_class_changed,
            outbox.storage_class_changed,
        ],
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
    images = Images(limits, reactions)
    authorizer = Authorizer(database)
    recorded_pulls = Pulls(database, reactions, now)
    audit = Audit(audit_file.write if settings.audit_path else None, now, settings.region, reads=settings.audit_reads)
    remotes = RegistriesAtFirstUse(settings.registry_proxy)
    upstreams = Upstreams(database, vault, settings.upstream, now, settings.mirror)
    return Services(
        operator=settings.account,
        database=database,
        blobs=blobs,
        layers=Layers(database, blobs, UploadIds(vault.signer("upload")), now, limits),
        mounts=Mounts(database, now),
        images=images,
        grace_periods=GracePeriods(database, now, limits),
        authenticator=Authenticator(database, vault, now, settings.region),
        authorizer=authorizer,
        pages=PageTokens(vault),
        pulls=recorded_pulls,
        download_links=DownloadLinks(vault, now),
        addresses=addresses_of(settings),
        now=now,
        audit=audit,
        limits=limits,
        reactions=reactions,
        remotes=remotes,
        secrets=Secrets(vault, limits),
        upstreams=upstreams,
        pull_through=PullThroughCache(
            CacheParts(
                database=database,
                blobs=blobs,
                images=images,
                authorizer=authorizer,
                pulls=recorded_pulls,
                upstreams=upstreams,
                remotes=remotes,
                limits=limits,
                reactions=reactions,
                audit=audit,
                now=now,
                log=Log(requests=False),
            )
        ),
        signatures=Signatures(database, SealedKeys(vault), now),
        guard=SignatureGuard(database, blobs, now),
        audit_records=AuditRecords(AuditReader(stores.audit_rotation(settings)).lines),
    )


def undeletion_of(settings: Settings) -> Undeletion:
    """The undeletion of images, with the limits and reactions of a push."""
    return Undeletion(Images(limits := limits_of(settings), reactions_of(limits)), limits)


def secrets_of(settings: Settings, vault: Vault) -> Secrets:
    """The secrets of a registry, for commands."""
    return Secrets(vault, limits_of(settings))


def collection_rules(settings: Settings) -> CollectionRules:
    """The rules of garbage collection from the settings."""
    return CollectionRules(grace=limits_of(settings).grace_period)
