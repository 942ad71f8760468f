"""Signing on push: the configuration of a registry, and the job that a push leaves when one of its rules matches.

A push reads the configuration and adds one job, however many rules match. `jobs.py` makes the signatures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from moorage.core.identity import callers
from moorage.core.identity.callers import RememberedCaller
from moorage.core.reactions import ImagePushed
from moorage.domain.names import Registry, matches_wildcard
from moorage.domain.signing import rules
from moorage.domain.signing.errors import SigningConfigurationNotFound
from moorage.domain.signing.rules import SigningRule
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.jobs import Job
from moorage.metadata.registry.images import Image
from moorage.metadata.signing import configurations
from moorage.metadata.signing import signatures as rows
from moorage.metadata.signing.signatures import IN_PROGRESS, SigningStatus

JOB: Final = "sign"
"""The kind of the jobs that sign images: one for each image and pusher."""

IMAGES_AT_ONCE: Final = 4
"""Images that a worker process signs at the same time."""

_PUSHERS_SHOWN: Final = 100
"""Pushers of one image whose jobs wait at the same time."""

_SLICE: Final = 500
"""Images that one transaction of a retry looks at."""


class SigningRequest(msgspec.Struct, frozen=True):
    """The payload of a job: the profiles that sign the image, as ARNs, and who pushed it."""

    profiles: tuple[str, ...]
    pusher: RememberedCaller

    @classmethod
    def of(cls, job: Job) -> SigningRequest:
        return msgspec.convert(job.payload, cls)


def put(tx: Transaction, registry: Registry, signing_rules: Sequence[SigningRule]) -> None:
    """Set the rules of a registry. They apply from the next push on. Raises Validation."""
    rules.check(registry, signing_rules)
    configurations.put(tx, registry, signing_rules)


def get(tx: Transaction, registry: Registry) -> tuple[SigningRule, ...]:
    """Raises SigningConfigurationNotFound."""
    found = configurations.find(tx, registry)
    if found is None:
        raise SigningConfigurationNotFound(registry=registry.account)
    return found


def delete(tx: Transaction, registry: Registry) -> tuple[SigningRule, ...]:
    """Delete the rules of a registry and return them. Raises SigningConfigurationNotFound."""
    found = get(tx, registry)
    configurations.delete(tx, registry)
    return found


def image_pushed(tx: Transaction, change: ImagePushed) -> None:
    """Leave a job if a rule of the registry matches. Signatures are not signed."""
    image, repository = change.image, change.repository
    if change.pusher is None or rules.is_signature(image.artifact_type, change.tags, image.media_type):
        return
    found = change.settings.signing
    profiles = rules.profiles_for(found, repository.name) if found else ()
    if not profiles:
        return
    request = SigningRequest(profiles, callers.remember(change.pusher))
    key = f"{_beginning(repository.id, change.digest)} {change.pusher.user_id}"
    jobs.enqueue(tx, JOB, key, msgspec.to_builtins(request), change.at)


def statuses(tx: Transaction, image: Image) -> list[SigningStatus]:
    """The signing statuses of an image, by profile. What a job is to sign is in progress until the job ends."""
    found = {status.profile: status for status in rows.statuses_of(tx, image.id)}
    for payload in jobs.waiting_payloads(tx, JOB, _beginning(image.repository_id, image.digest), _PUSHERS_SHOWN):
        found |= {profile: SigningStatus(profile, IN_PROGRESS) for profile in payload["profiles"]}
    return [found[profile] for profile in sorted(found)]


@dataclass(frozen=True, slots=True)
class Retried:
    """A slice of a retry: how many signatures are tried again, and the id of the last image that it looked at."""

    signatures: int
    last_image: int


def retry(tx: Transaction, registry: Registry, pattern: str, after: int, now: int) -> Retried | None:
    """Let jobs try failed signatures of the next images again, in repositories whose names match; None after the last.

    Each is tried on behalf of the caller who pushed the image, with the policies of that caller at that time. A
    transaction looks at few images, signed ones too, so that it never blocks others for long.
    """
    images = rows.images_after(tx, after, _SLICE)
    if not images:
        return None
    wanted: dict[tuple[str, RememberedCaller], list[str]] = {}
    for one in rows.failed(tx, registry, images):
        if matches_wildcard(pattern, one.repository):
            pusher = msgspec.convert(one.pusher, RememberedCaller)
            wanted.setdefault((_beginning(one.repository_id, one.digest), pusher), []).append(one.profile)
    for (beginning, pusher), profiles in wanted.items():
        request = SigningRequest(tuple(profiles), pusher)
        key = f"{beginning} again {hashlib.sha256(msgspec.json.encode(pusher)).hexdigest()[:16]}"
        jobs.enqueue(tx, JOB, key, msgspec.to_builtins(request), now)
    return Retried(sum(len(profiles) for profiles in wanted.values()), images[-1])


def image_of(job: Job) -> tuple[int, str]:
    """The repository's id and the digest of the image that a job is about."""
    repository_id, digest, _ = job.key.split(" ", 2)
    return int(repository_id), digest


def _beginning(repository_id: int, digest: str) -> str:
    """The part of a job's key before its pusher."""
    return f"{repository_id} {digest}"
