"""Rows of signing jobs, one for each signature, and of the signing statuses of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from moorage.domain.names import Registry
from moorage.metadata.database import Transaction

Status = Literal["IN_PROGRESS", "COMPLETE", "FAILED"]
COMPLETE: Final = "COMPLETE"
FAILED: Final = "FAILED"
IN_PROGRESS: Final = "IN_PROGRESS"


@dataclass(frozen=True, slots=True)
class SigningJob:
    """A signature that was made: its job, which belongs to the owner of the profile, and its end."""

    id: str
    owner: Registry
    profile_version: str
    requested_by: str
    created_at: int
    ends_at: int
    revoked_at: int | None = None


_JOB: Final = "id, account, region, profile_version, requested_by, created_at, ends_at, revoked_at"


def insert_job(tx: Transaction, job: SigningJob) -> None:
    tx.run(
        "INSERT INTO signing_job (id, account, region, profile_version, requested_by, created_at, ends_at)"
        " VALUES (:id, :account, :region, :version, :by, :created_at, :ends_at)",
        id=job.id,
        account=job.owner.account,
        region=job.owner.region,
        version=job.profile_version,
        by=job.requested_by,
        created_at=job.created_at,
        ends_at=job.ends_at,
    )


def find_job(tx: Transaction, job_id: str) -> SigningJob | None:
    row = tx.one(f"SELECT {_JOB} FROM signing_job WHERE id = :id", id=job_id)
    return None if row is None else SigningJob(row[0], Registry(row[1], row[2]), *row[3:])


def revoke_job(tx: Transaction, job_id: str, reason: str, by: str, now: int) -> None:
    """Revoke a signature. The first revocation stays."""
    tx.run(
        "UPDATE signing_job SET revoked_at = :now, revoked_by = :by, reason = :reason"
        " WHERE id = :id AND revoked_at IS NULL",
        now=now,
        by=by,
        reason=reason,
        id=job_id,
    )


def forget_ended(tx: Transaction, now: int, limit: int) -> int:
    """Delete at most `limit` jobs whose signatures have ended; returns how many."""
    return tx.run(
        "DELETE FROM signing_job WHERE id = ANY(:ids)",
        ids=[
            row[0]
            for row in tx.all("SELECT id FROM signing_job WHERE ends_at < :now LIMIT :limit", now=now, limit=limit)
        ],
    )


@dataclass(frozen=True, slots=True)
class SigningStatus:
    """The status of an image's signature by a profile. `signature` is the digest of the signature's manifest.

    A failure is written with the `pusher` as a job keeps it, as whom it can be tried again.
    """

    profile: str
    status: Status
    failure_code: str | None = None
    failure_reason: str | None = None
    profile_version: str | None = None
    signature: str | None = None
    pusher: Mapping[str, Any] | None = None


def statuses_of(tx: Transaction, image_id: int) -> list[SigningStatus]:
    """All statuses of an image, by profile; there are few."""
    rows = tx.all(
        "SELECT profile, status, failure_code, failure_reason, profile_version, signature FROM image_signing"
        " WHERE image_id = :image ORDER BY profile",
        image=image_id,
    )
    return [SigningStatus(*row) for row in rows]


def set_statuses(tx: Transaction, image_id: int, statuses: Sequence[SigningStatus]) -> None:
    tx.run_each(
        "INSERT INTO image_signing"
        " (image_id, profile, status, failure_code, failure_reason, profile_version, signature, pusher)"
        " VALUES (:image, :profile, :status, :code, :reason, :version, :signature, :pusher)"
        " ON CONFLICT (image_id, profile) DO UPDATE SET status = excluded.status,"
        " failure_code = excluded.failure_code, failure_reason = excluded.failure_reason,"
        " profile_version = excluded.profile_version, signature = excluded.signature, pusher = excluded.pusher",
        [
            {
                "image": image_id,
                "profile": one.profile,
                "status": one.status,
                "code": one.failure_code,
                "reason": one.failure_reason,
                "version": one.profile_version,
                "signature": one.signature,
                "pusher": None if one.pusher is None else msgspec.json.encode(one.pusher).decode(),
            }
            for one in statuses
        ],
    )


@dataclass(frozen=True, slots=True)
class FailedSignature:
    """A signature that failed: in which repository, of which image, by which profile, for whom."""

    repository: str
    repository_id: int
    digest: str
    profile: str
    pusher: Mapping[str, Any]


def images_after(tx: Transaction, after: int, limit: int) -> list[int]:
    """The ids of the next images, in all registries, that have a signing status."""
    rows = tx.all(
        "SELECT DISTINCT image_id FROM image_signing WHERE image_id > :after ORDER BY image_id LIMIT :limit",
        after=after,
        limit=limit,
    )
    return [row[0] for row in rows]


def failed(tx: Transaction, registry: Registry, image_ids: Sequence[int]) -> list[FailedSignature]:
    """The failed signatures of those of these images that are in a registry, if their pusher is known."""
    rows = tx.all(
        "SELECT r.name, r.id, i.digest, s.profile, s.pusher FROM image_signing s"
        " JOIN image i ON i.id = s.image_id JOIN repository r ON r.id = i.repository_id"
        " WHERE s.image_id = ANY(:images) AND s.status = 'FAILED' AND s.pusher IS NOT NULL"
        " AND r.account = :account AND r.region = :region ORDER BY s.image_id, s.profile",
        images=list(image_ids),
        account=registry.account,
        region=registry.region,
    )
    return [FailedSignature(row[0], row[1], row[2], row[3], msgspec.json.decode(row[4])) for row in rows]
