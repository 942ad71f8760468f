"""Signatures: sign a payload with a profile, revoke signatures, and check revocation (AWS Signer)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from cryptography import x509

from moorage.core.clock import Clock
from moorage.core.signing import profiles
from moorage.domain import strict_json
from moorage.domain.names import Registry
from moorage.domain.signing.envelope import PAYLOAD_TYPE, Signing, envelope
from moorage.domain.signing.errors import SignatureJobNotFound, SigningError
from moorage.domain.signing.keys import SigningKeys
from moorage.domain.signing.profiles import ProfileName, job_arn
from moorage.domain.strict_json import BadJson
from moorage.domain.units import SECOND
from moorage.metadata.database import Database, Transaction
from moorage.metadata.signing import profiles as profile_rows
from moorage.metadata.signing import signatures as rows
from moorage.metadata.signing.profiles import ProfileVersion
from moorage.metadata.signing.signatures import SigningJob

PAYLOAD_LIMIT: Final = 4096
"""Bytes of a payload (Signer API reference, SignPayload)."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that was made and is not recorded yet: its job, the envelope, and the chain of its key."""

    job: SigningJob
    envelope: bytes
    chain: list[x509.Certificate]

    @property
    def metadata(self) -> dict[str, str]:
        """What SignPayload returns beside the envelope: the profile version and the job."""
        return {
            "profileVersion": self.job.profile_version,
            "signingJob": job_arn(self.job.owner, self.job.id),
        }


class Signatures:
    """Makes signatures. `keys` may block, so they work in a thread."""

    def __init__(self, database: Database, keys: SigningKeys, now: Clock) -> None:
        self._database = database
        self.keys = keys
        self._now = now

    async def sign_payload(
        self, name: ProfileName, payload: bytes, payload_format: str, requester: Requester
    ) -> Signature:
        """Sign a payload of Notation, and record the job. Raises SigningError."""
        check_payload(payload, payload_format)
        signature = await self.make(name, payload, requester)
        await self._database.write(lambda tx: rows.insert_job(tx, signature.job))
        return signature

    async def make(self, name: ProfileName, payload: bytes, requester: Requester) -> Signature:
        """Sign a payload. The caller records the job. Raises SigningError."""
        version, chain = await self._database.read(lambda tx: self._version(tx, name, requester))
        if profiles.needs_renewal(version, self._now()):
            version, chain = await self._database.write(lambda tx: self._renewed(tx, version))
        return await asyncio.to_thread(self._sign, version, chain, payload, requester)

    def _version(
        self, tx: Transaction, name: ProfileName, requester: Requester
    ) -> tuple[ProfileVersion, list[x509.Certificate]]:
        version = profiles.usable(tx, name)
        profiles.check_shared(version, requester.account)
        return version, profiles.chain_of(tx, version)

    def _renewed(self, tx: Transaction, version: ProfileVersion) -> tuple[ProfileVersion, list[x509.Certificate]]:
        new = profiles.renew(tx, self.keys, version, self._now())
        return new, profiles.chain_of(tx, new)

    def _sign(
        self, version: ProfileVersion, chain: list[x509.Certificate], payload: bytes, requester: Requester
    ) -> Signature:
        at = self._now() // SECOND * SECOND
        owner, ends_at = version.profile.registry, version.validity.end(at)
        job = SigningJob(str(uuid.uuid4()), owner, version.arn, requester.arn, at, ends_at)
        signing = Signing(at, ends_at, job_arn(owner, job.id), version.arn, version.needs_plugin)
        made = envelope(payload, signing, chain, lambda message: self.keys.sign(version.key, message))
        return Signature(job, made, chain)


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks for a signature."""

    account: str
    arn: str


class _Payload(msgspec.Struct, forbid_unknown_fields=True):
    targetArtifact: dict[str, Any]  # noqa: N815 - the name in the payload


def check_payload(payload: bytes, payload_format: str) -> None:
    """Raises SigningError if the payload is not one of Notation."""
    if payload_format != PAYLOAD_TYPE:
        raise SigningError(f"the payload format must be {PAYLOAD_TYPE}")
    if not 1 <= len(payload) <= PAYLOAD_LIMIT:
        raise SigningError(f"a payload has 1 to {PAYLOAD_LIMIT} bytes")
    try:
        artifact = strict_json.read_as(_Payload, payload).targetArtifact
    except BadJson as error:
        raise SigningError(f"the payload is not one of Notation: {error}") from None
    if not {"mediaType", "digest", "size"} <= artifact.keys():
        raise SigningError("the payload names no artifact: targetArtifact needs mediaType, digest and size")


def revoke_signature(tx: Transaction, owner: Registry, job_id: str, reason: str, by: str, now: int) -> None:
    """Revoke the signature of a job. Raises SignatureJobNotFound."""
    job = rows.find_job(tx, job_id)
    if job is None or job.owner != owner:
        raise SignatureJobNotFound(f"there is no signing job {job_id[:64]!r} in account {owner.account}")
    rows.revoke_job(tx, job_id, reason, by, now)


@dataclass(frozen=True, slots=True)
class RevocationQuery:
    """What a verifier asks about a signature that was made at `signed_at`."""

    signed_at: int
    profile_version_arn: str
    job_arn: str
    certificate_hashes: tuple[str, ...]


def revoked_entities(tx: Transaction, query: RevocationQuery) -> list[str]:
    """Which of the entities of a query are revoked: the profile version, the job, hashes of certificates."""
    revoked: list[str] = []
    version = profile_rows.find_version(tx, query.profile_version_arn)
    if version is not None and _is_revoked(version, query.signed_at):
        revoked.append(query.profile_version_arn)
    job = rows.find_job(tx, query.job_arn.rpartition("/")[2])
    if job is not None and job.revoked_at is not None and job_arn(job.owner, job.id) == query.job_arn:
        revoked.append(query.job_arn)
    return revoked + list(_revoked_certificates(tx, query.certificate_hashes, query.signed_at))


def is_revoked(tx: Transaction, version: ProfileVersion, signed_at: int, job_id: str) -> bool:
    """Whether a signature is revoked: with its profile version, or alone."""
    job = rows.find_job(tx, job_id)
    return _is_revoked(version, signed_at) or (job is not None and job.revoked_at is not None)


def _revoked_certificates(tx: Transaction, hashes: Iterable[str], signed_at: int) -> Iterable[str]:
    for certificate_hash in hashes:
        version = profile_rows.find_certified(tx, certificate_hash)
        if version is not None and _is_revoked(version, signed_at):
            yield certificate_hash


def _is_revoked(version: ProfileVersion, signed_at: int) -> bool:
    return version.revocation is not None and version.revocation.since <= signed_at
