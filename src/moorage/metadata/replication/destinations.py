"""Rows of destinations outside this server: where they are, what they get, and how the last attempts ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from moorage.domain.names import Registry
from moorage.domain.replication.destinations import Rewrite, Selection
from moorage.metadata.database import Transaction


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination. `id` is the context of its sealed credentials. `bytes_per_second` is 0 without a limit."""

    registry: Registry
    url: str
    sealed_secret: bytes
    selection: Selection
    realms: tuple[str, ...] = ()
    private_networks: bool = False
    bytes_per_second: int = 0
    at_once: int = 4
    last_error: str | None = None
    last_error_at: int | None = None
    last_arrival_at: int | None = None

    @property
    def id(self) -> str:
        return id_of(self.registry)


def id_of(registry: Registry) -> str:
    """The id of the destination that a registry is."""
    return f"{registry.region}/{registry.account}"


_COLUMNS: Final = "account, region, url, sealed_secret, options, last_error, last_error_at, last_arrival_at"


def put(tx: Transaction, destination: Destination, now: int) -> None:
    """Add a destination, or replace it. The last error is forgotten."""
    options = {
        "tags": destination.selection.tags,
        "versions": destination.selection.versions,
        "only_signed": destination.selection.only_signed,
        "rewrites": [(rewrite.here, rewrite.there) for rewrite in destination.selection.rewrites],
        "realms": destination.realms,
        "private_networks": destination.private_networks,
        "bytes_per_second": destination.bytes_per_second,
        "at_once": destination.at_once,
    }
    tx.run(
        "INSERT INTO replication_destination (id, account, region, url, sealed_secret, options, changed_at)"
        " VALUES (:id, :account, :region, :url, :secret, :options, :now) ON CONFLICT (id) DO UPDATE SET"
        " url = excluded.url, sealed_secret = excluded.sealed_secret, options = excluded.options,"
        " changed_at = excluded.changed_at, last_error = NULL, last_error_at = NULL",
        id=destination.id,
        account=destination.registry.account,
        region=destination.registry.region,
        url=destination.url,
        secret=destination.sealed_secret,
        options=msgspec.json.encode(options).decode(),
        now=now,
    )


def find(tx: Transaction, registry: Registry) -> Destination | None:
    """The destination that a registry is; None if it is not set."""
    row = tx.one(f"SELECT {_COLUMNS} FROM replication_destination WHERE id = :id", id=id_of(registry))
    return _destination(row) if row else None


def list_all(tx: Transaction) -> list[Destination]:
    return [_destination(row) for row in tx.all(f"SELECT {_COLUMNS} FROM replication_destination ORDER BY id")]


def delete(tx: Transaction, registry: Registry) -> bool:
    """Remove a destination; False if there is none."""
    return bool(tx.run("DELETE FROM replication_destination WHERE id = :id", id=id_of(registry)))


def record_error(tx: Transaction, registry: Registry, error: str, now: int) -> None:
    tx.run(
        "UPDATE replication_destination SET last_error = :error, last_error_at = :now WHERE id = :id",
        id=id_of(registry),
        error=error,
        now=now,
    )


def record_arrival(tx: Transaction, registry: Registry, now: int) -> None:
    sql = "UPDATE replication_destination SET last_arrival_at = :now WHERE id = :id"
    tx.run(sql, id=id_of(registry), now=now)


# --- Slots: how many streams a destination gets at once ---------------------------------------------------------


def take_slot(tx: Transaction, destination: Destination, holder: str, now: int, lease_end: int) -> int | None:
    """Take a free slot of a destination until `lease_end`; None if all are taken."""
    for slot in range(destination.at_once):
        taken = tx.run(
            "INSERT INTO replication_slot (destination, slot, holder, lease_end) VALUES (:id, :slot, :holder, :end)"
            " ON CONFLICT (destination, slot) DO UPDATE SET holder = excluded.holder, lease_end = excluded.lease_end"
            " WHERE replication_slot.lease_end <= :now",
            id=destination.id,
            slot=slot,
            holder=holder,
            end=lease_end,
            now=now,
        )
        if taken:
            return slot
    return None


def keep_slots(tx: Transaction, holder: str, lease_end: int) -> None:
    """Extend the slots of a holder, or end them with a `lease_end` in the past."""
    tx.run("UPDATE replication_slot SET lease_end = :end WHERE holder = :holder", holder=holder, end=lease_end)


# --- Uploads that were begun ------------------------------------------------------------------------------------


def save_upload(tx: Transaction, registry: Registry, repository: str, digest: str, location: str, now: int) -> None:
    """Save where an upload of a layer can be continued."""
    tx.run(
        "INSERT INTO replication_upload (destination, repository, digest, location, saved_at)"
        " VALUES (:id, :repository, :digest, :location, :now) ON CONFLICT (destination, repository, digest)"
        " DO UPDATE SET location = excluded.location, saved_at = excluded.saved_at",
        id=id_of(registry),
        repository=repository,
        digest=digest,
        location=location,
        now=now,
    )


def find_upload(tx: Transaction, registry: Registry, repository: str, digest: str) -> str | None:
    """Where the upload of a layer can be continued; None if none was begun."""
    row = tx.one(
        "SELECT location FROM replication_upload"
        " WHERE destination = :id AND repository = :repository AND digest = :digest",
        id=id_of(registry),
        repository=repository,
        digest=digest,
    )
    return row[0] if row else None


def forget_upload(tx: Transaction, registry: Registry, repository: str, digest: str) -> None:
    tx.run(
        "DELETE FROM replication_upload WHERE destination = :id AND repository = :repository AND digest = :digest",
        id=id_of(registry),
        repository=repository,
        digest=digest,
    )


def forget_old_uploads(tx: Transaction, before: int) -> None:
    tx.run("DELETE FROM replication_upload WHERE saved_at < :before", before=before)


def mount_source(tx: Transaction, registry: Registry, repository_id: int, digest: str) -> str | None:
    """Another repository of the same source registry whose images, with this layer, have arrived at a destination."""
    row = tx.one(
        "SELECT r.name FROM blob b JOIN repository_layer l ON l.blob_id = b.id"
        " JOIN repository r ON r.id = l.repository_id JOIN repository here ON here.id = :repository"
        " WHERE b.digest = :digest AND r.id <> here.id AND r.account = here.account AND r.region = here.region"
        " AND EXISTS (SELECT 1 FROM image_layer il JOIN image i ON i.id = il.image_id"
        "   JOIN replicated_image c ON c.repository_id = i.repository_id AND c.digest = i.digest"
        "   WHERE il.blob_id = b.id AND il.repository_id = r.id"
        "   AND c.to_account = :account AND c.to_region = :region)"
        " LIMIT 1",
        digest=digest,
        repository=repository_id,
        account=registry.account,
        region=registry.region,
    )
    return row[0] if row else None


def _destination(row: tuple[Any, ...]) -> Destination:
    account, region, url, secret, options, error, error_at, arrival_at = row
    stored = msgspec.json.decode(options)
    selection = Selection(
        tags=tuple(stored["tags"]),
        versions=stored["versions"],
        only_signed=stored["only_signed"],
        rewrites=tuple(Rewrite(*rewrite) for rewrite in stored["rewrites"]),
    )
    return Destination(
        registry=Registry(account, region),
        url=url,
        sealed_secret=bytes(secret),
        selection=selection,
        realms=tuple(stored["realms"]),
        private_networks=stored["private_networks"],
        bytes_per_second=stored["bytes_per_second"],
        at_once=stored["at_once"],
        last_error=error,
        last_error_at=error_at,
        last_arrival_at=arrival_at,
    )
