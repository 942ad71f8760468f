"""Background work: all kinds of jobs that the worker processes run, with the functions that do them."""

from __future__ import annotations

from functools import partial
from typing import Final

from moorage.adapters.event_senders import EventSenders
from moorage.core.attachments import Attachments
from moorage.core.events import delivery
from moorage.core.events import record as events
from moorage.core.events.delivery import DeliveryJobs
from moorage.core.garbage.collect import CollectionRules, Collector
from moorage.core.garbage.deletions import DeletionJobs
from moorage.core.garbage.jobs import COLLECTION, GarbageJobs
from moorage.core.garbage.sweep import Sweeper
from moorage.core.lifecycle import orphans, previews
from moorage.core.lifecycle import policies as lifecycle
from moorage.core.lifecycle.runs import LifecycleJobs
from moorage.core.own_store import OwnStore
from moorage.core.pull_through import completion, manifests
from moorage.core.pull_through.completion import CompletionJobs
from moorage.core.replication import backfills, outbox, streams
from moorage.core.replication.backfill_jobs import BackfillJobs
from moorage.core.replication.destinations import Destinations
from moorage.core.replication.remote import comparison
from moorage.core.replication.remote.comparison import Comparisons
from moorage.core.replication.remote.destination import RemoteDestinations
from moorage.core.replication.streams import StreamJobs
from moorage.core.replication.within_server import WithinServer
from moorage.core.scanning import configurations, scans
from moorage.core.scanning import jobs as scan_jobs
from moorage.core.scanning import watch as scan_watch
from moorage.core.scanning.boms import Boms
from moorage.core.scanning.jobs import ScanJobs
from moorage.core.scanning.source import ImageSources
from moorage.core.scanning.watch import ScannerWatch
from moorage.core.secrets.expiry import SecretJobs
from moorage.core.services import Services
from moorage.core.signing import on_push as signing
from moorage.core.signing.jobs import SigningJobs
from moorage.core.vault import Vault
from moorage.domain.names import Registry
from moorage.domain.ports import Listing
from moorage.domain.scanning.ports import RegistryAccess, Scanner
from moorage.domain.units import DAY, HOUR, SECOND
from moorage.metadata.garbage import deleted_repositories
from moorage.telemetry import Log
from moorage.worker import JobKind

_SCANNER_LOGIN: Final = 900 * SECOND
"""How long a scanner can pull the image of a scan."""


def job_kinds(
    services: Services, vault: Vault, store: tuple[Listing, OwnStore], scanner: Scanner | None, log: Log
) -> dict[str, JobKind]:
    """The kinds of jobs that worker processes run (`worker.py`). Without a scanner, scans fail and say why."""
    listing, own_store = store
    collector = Collector(services.database, services.blobs, services.now)
    sweeper = Sweeper(services.database, services.blobs, listing, services.now)
    garbage = GarbageJobs(collector, sweeper, own_store, CollectionRules(grace=services.limits.grace_period), log)
    deliveries = DeliveryJobs(services.database, vault, EventSenders(), services.now)
    secrets = SecretJobs(services.database, services.secrets, services.now)
    runs = LifecycleJobs(services.database, services.images, services.audit, services.limits, services.now)
    attachments = Attachments(services.database, services.layers, services.images, services.now)
    signatures = SigningJobs(services.database, services.signatures, attachments, services.now)
    completions = CompletionJobs(services.database, services.images, services.pull_through, services.now)
    return {
        events.JOB: JobKind(
            deliveries.deliver,
            attempts=delivery.ATTEMPTS,
            first_delay=delivery.FIRST_DELAY,
            longest_delay=delivery.LONGEST_DELAY,
            at_once=delivery.AT_ONCE,
            give_up=deliveries.give_up,
        ),
        "forget-failed-events": JobKind(deliveries.remove_old, every=DAY),
        lifecycle.JOB: JobKind(runs.run, enqueued_ahead=services.limits.lifecycle_delay),
        orphans.JOB: JobKind(runs.remove_orphans, enqueued_ahead=orphans.ORPHAN_LIFE),
        previews.JOB: JobKind(runs.preview, attempts=previews.ATTEMPTS),
        signing.JOB: JobKind(signatures.run, at_once=signing.IMAGES_AT_ONCE, give_up=signatures.give_up),
        "forget-ended-signatures": JobKind(signatures.forget_ended, every=DAY),
        "remove-deleted-secrets": JobKind(secrets.remove_due, every=DAY),
        manifests.JOB: JobKind(
            completions.run,
            attempts=completion.ATTEMPTS,
            longest_delay=completion.LONGEST_DELAY,
            at_once=completion.COMPLETED_AT_ONCE,
            give_up=completions.give_up,
        ),
        deleted_repositories.JOB: JobKind(DeletionJobs(services.database).run),
        COLLECTION: JobKind(garbage.run, every=HOUR),
        "sweep-store": JobKind(garbage.sweep, every=DAY),
        **_of_replication(services, vault),
        **_of_scanning(services, scanner),
    }


def _of_replication(services: Services, vault: Vault) -> dict[str, JobKind]:
    database, now = services.database, services.now
    remote = RemoteDestinations(database, services.blobs, services.remotes, vault, now)
    within_server = WithinServer(database, services.images, services.limits, services.reactions, now)
    destinations = Destinations(services.limits, within_server, remote)
    jobs = StreamJobs(database, destinations, now)
    fills = BackfillJobs(database, destinations, now)
    comparisons = Comparisons(database, remote, now)
    return {
        outbox.JOB: JobKind(jobs.run, attempts=delivery.ATTEMPTS, at_once=streams.STREAMS, give_up=jobs.give_up),
        backfills.JOB: JobKind(fills.run, attempts=delivery.ATTEMPTS, at_once=streams.STREAMS, give_up=fills.give_up),
        "forget-failed-replications": JobKind(jobs.forget, every=DAY),
        "forget-backfills": JobKind(fills.forget, every=DAY),
        comparison.BEGIN: JobKind(comparisons.begin, every=HOUR),
        comparison.JOB: JobKind(comparisons.run, attempts=comparison.ATTEMPTS),
    }


def _of_scanning(services: Services, scanner: Scanner | None) -> dict[str, JobKind]:
    database, blobs, images, now = services.database, services.blobs, services.images, services.now
    attachments = Attachments(database, services.layers, images, now)
    sources = ImageSources(database, blobs, partial(_scanner_login, services))
    jobs = ScanJobs(database, scanner, sources, Boms(database, blobs, attachments, images, now), now)
    return scanning_kinds(jobs, ScannerWatch(database, scanner, now))


def scanning_kinds(jobs: ScanJobs, watch: ScannerWatch) -> dict[str, JobKind]:
    """The kinds of jobs of scans. A worker process runs one scan at a time."""
    return {
        scans.JOB: JobKind(
            jobs.scan, attempts=scan_jobs.ATTEMPTS, give_up=jobs.give_up, enqueued_ahead=scan_watch.SPREAD
        ),
        scan_jobs.REMATCH: JobKind(jobs.match_again, enqueued_ahead=scan_watch.SPREAD),
        scan_watch.WATCH: JobKind(watch.watch, every=scan_watch.EVERY),
        configurations.JOB: JobKind(watch.apply),
    }


def _scanner_login(services: Services, registry: Registry, repository: str) -> RegistryAccess:
    """A login for a scanner that pulls the image itself."""
    password = services.authenticator.issue_read_token(registry, repository, _SCANNER_LOGIN)
    return RegistryAccess(services.addresses.proxy_endpoint(registry), repository, "AWS", password)
