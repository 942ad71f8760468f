"""Pulls that need a signature: images of some repositories can be pulled only with a valid one.

Off by default; then pulls do nothing for it. Otherwise the requirements and the signatures of an image are cached
lookups, and the results of verifications are kept, because the bytes behind a digest never change.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from moorage.core.clock import Clock
from moorage.core.signing.candidates import (
    Candidate,
    candidates_of,
    documents_of,
    is_runnable,
    may_be_disguised,
)
from moorage.core.signing.signatures import is_revoked
from moorage.domain import strict_json
from moorage.domain.names import Registry, matches_wildcard
from moorage.domain.ports import BlobMissing, BlobStore
from moorage.domain.registry.manifests import parse_manifest
from moorage.domain.signing import verification
from moorage.domain.signing.envelope import (
    COSE_ENVELOPE,
    ENVELOPE_TYPE,
    NOTATION_ENVELOPES,
    SIGNING_AUTHORITY,
)
from moorage.domain.signing.errors import ImageNotSigned, SigningError
from moorage.domain.signing.foreign import X509, Period, read_certificates, verify_foreign
from moorage.domain.signing.profiles import ProfileName
from moorage.domain.signing.verification import BUNDLE, NotationFacts, SignatureInvalid
from moorage.domain.strict_json import BadJson
from moorage.metadata.database import CachedUntil, Database, Lookup, Transaction, size_of_row
from moorage.metadata.registry.images import StoredManifest
from moorage.metadata.signing import configurations as rows
from moorage.metadata.signing import profiles as profile_rows
from moorage.metadata.signing.configurations import Requirement

NOTATION_PROFILE: Final = "notation-profile"
NOTATION_CERTIFICATE: Final = "notation-certificate"
NOTATION_AUTHORITY: Final = "notation-authority"
COSIGN_KEY: Final = "cosign-key"
"""The kinds of requirements."""

_SCHEMES: Final = {NOTATION_CERTIFICATE: X509, NOTATION_AUTHORITY: SIGNING_AUTHORITY}
"""The signing schemes that certificates of other signers are trusted for: two types of trust stores."""

_NAMES: Final = {
    NOTATION_CERTIFICATE: "a Notation certificate",
    NOTATION_AUTHORITY: "a Notation signing authority",
    COSIGN_KEY: "a cosign key",
}

REQUIREMENT_LIMIT: Final = 100
"""Requirements of a registry: each pull of a guarded image compares its repository with all of them."""

_KEPT_RESULTS: Final = 8192
"""Results of verifications that a process keeps."""

Result = NotationFacts | Period | str | None
"""What a signature proved: facts or a period to compare with the time, the reason why it is invalid, or validity."""


@dataclass(frozen=True, slots=True)
class NewRequirement:
    """A requirement to add: what it trusts is the ARN of a profile, or a public key or certificates in PEM."""

    filter: str
    kind: str
    trusted: str


def require(tx: Transaction, registry: Registry, new: NewRequirement, now: int) -> Requirement:
    """Require signatures for images of repositories whose names match. Raises SigningError."""
    if new.kind == NOTATION_PROFILE:
        ProfileName.of_arn(new.trusted)
    elif new.kind in _SCHEMES:
        read_certificates(new.trusted)
    else:
        verification.read_public_key(new.trusted)
    if not new.filter or len(new.filter) > 256:
        raise SigningError("a filter of repository names has 1 to 256 characters")
    if len(rows.requirements_of(tx, registry)) >= REQUIREMENT_LIMIT:
        raise SigningError(f"a registry has at most {REQUIREMENT_LIMIT} requirements of signatures")
    requirement = Requirement("req-" + secrets.token_hex(4), registry, new.filter, new.kind, new.trusted, now)
    rows.insert_requirement(tx, requirement)
    return requirement


def stop_requiring(tx: Transaction, registry: Registry, requirement_id: str) -> None:
    """Remove a requirement. Raises SigningError."""
    if not rows.delete_requirement(tx, registry, requirement_id):
        raise SigningError(f"there is no requirement {requirement_id!r}")


class SignatureGuard:
    """Refuses pulls of images without a valid signature where one is required."""

    def __init__(self, database: Database, blobs: BlobStore, now: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._now = now
        self._results: OrderedDict[tuple[str, str, str], Result] = OrderedDict()

    async def is_guarded(self, registry: Registry) -> bool:
        """Whether some repository of the registry requires signatures."""
        return bool(await self._requirements(registry))

    async def check(self, registry: Registry, repository: str, manifest: StoredManifest) -> None:
        """Raise ImageNotSigned for an image without a valid signature, in a repository that requires one.

        One of the trusted signatures is enough, of the image or of an index that lists it. Signatures and other
        artifacts that nobody can run are not checked.
        """
        requirements = [one for one in await self._requirements(registry) if matches_wildcard(one.filter, repository)]
        if not requirements or not await self._is_runnable(registry, repository, manifest):
            return
        found = await self._candidates(manifest)
        reason = await self._reason(found, requirements)
        if reason is not None:
            trusted = " or ".join(dict.fromkeys(map(_words, requirements)))
            raise ImageNotSigned(digest=manifest.digest, repository=repository, trusted=trusted, reason=reason)

    async def _is_runnable(self, registry: Registry, repository: str, manifest: StoredManifest) -> bool:
        """Whether a client could run an image, also one whose layers have media types of signatures."""
        parsed = parse_manifest(manifest.body, manifest.media_type)
        if is_runnable(parsed) or not may_be_disguised(parsed):
            return is_runnable(parsed)
        found = await self._database.read(lambda tx: documents_of(tx, registry, repository, parsed))
        if found is None:
            return True
        for blob in found:
            key = ("", blob.digest, "")
            if key not in self._results:
                try:
                    self._keep(key, await asyncio.to_thread(_fault_of_document, await self._blobs.content(blob.key)))
                except BlobMissing:
                    return True
            if self._results[key] is not None:
                return True
        return False

    def _keep(self, key: tuple[str, str, str], result: Result) -> None:
        self._results[key] = result
        if len(self._results) > _KEPT_RESULTS:
            self._results.popitem(last=False)

    async def _candidates(self, manifest: StoredManifest) -> Sequence[Candidate]:
        """The signatures of an image. One that is still being fetched from an upstream registry has none yet."""
        image_id = manifest.image_id
        if image_id is None:
            return ()
        return await self._database.read_cached(
            Lookup(
                ("signatures", image_id, manifest.digest),
                lambda tx: candidates_of(tx, image_id, manifest.digest),
                size=_size_of_candidates,
            )
        )

    async def _requirements(self, registry: Registry) -> tuple[Requirement, ...]:
        lookup = Lookup(
            ("signature requirements", registry.account, registry.region),
            lambda tx: rows.requirements_of(tx, registry),
            until=CachedUntil.ACCESS_CHANGE,
            size=lambda found: size_of_row(found) + sum(len(one.trusted) for one in found),
        )
        return await self._database.read_cached(lookup)

    async def _reason(self, found: Sequence[Candidate], requirements: Sequence[Requirement]) -> str | None:
        """Why no signature is valid; None if one is."""
        reason = "it has no such signature"
        for requirement in requirements:
            for candidate in found:
                if (candidate.media_type in NOTATION_ENVELOPES) != (requirement.kind != COSIGN_KEY):
                    continue
                refused = await self._refused(candidate, requirement)
                if refused is None:
                    return None
                reason = f"no signature of it is valid: {refused}"
        return reason

    async def _refused(self, candidate: Candidate, requirement: Requirement) -> str | None:
        """Why a signature does not fulfill a requirement; None if it does."""
        key = (
            f"{candidate.digest} {candidate.media_type} {candidate.annotation}",
            candidate.subject,
            f"{requirement.kind} {requirement.trusted}",
        )
        if key in self._results:
            self._results.move_to_end(key)
        else:
            try:
                self._keep(key, await self._verified(candidate, requirement))
            except BlobMissing:
                return "its content is missing"
        result = self._results[key]
        if isinstance(result, Period):
            return result.fault(self._now())
        if not isinstance(result, NotationFacts):
            return result
        if result.ends_at <= self._now():
            return "it has expired"
        lookup = Lookup(
            ("signature", requirement.trusted, result.certificate_hash, result.job),
            lambda tx: _refusal_of_profile(tx, requirement.trusted, result),
            keep=_always,
        )
        return await self._database.read_cached(lookup)

    async def _verified(self, candidate: Candidate, requirement: Requirement) -> Result:
        try:
            content = await self._blobs.content(candidate.key)
            if candidate.media_type == COSE_ENVELOPE:
                return "its envelope is COSE, and this server reads only JWS"
            if requirement.kind in _SCHEMES:
                trusted, scheme = read_certificates(requirement.trusted), _SCHEMES[requirement.kind]
                return verify_foreign(content, candidate.subject, trusted, scheme)
            if candidate.media_type == ENVELOPE_TYPE:
                return verification.verify_notation(content, candidate.subject)
            key = verification.read_public_key(requirement.trusted)
            if candidate.media_type == BUNDLE:
                verification.verify_bundle(content, candidate.subject, key)
            else:
                verification.verify_cosign(content, candidate.annotation, candidate.subject, key)
        except SignatureInvalid as invalid:
            return str(invalid)
        return None


def _fault_of_document(content: bytes) -> str | None:
    """Why the layer of a signature is none; None for a JSON object, which no archive of files can be."""
    try:
        strict_json.read_as(dict[str, Any], content)
    except BadJson as error:
        return str(error)
    return None


def _refusal_of_profile(tx: Transaction, arn: str, facts: NotationFacts) -> str | None:
    """Why a signature is not one by a profile, or is revoked; None if it is valid."""
    version = profile_rows.find_certified(tx, facts.certificate_hash)
    if version is None or version.profile.arn != arn or version.certificate != facts.certificate:
        return "it is by another profile"
    return "it is revoked" if is_revoked(tx, version, facts.signed_at, facts.job) else None


def _always(_result: object) -> bool:
    return True


def _words(requirement: Requirement) -> str:
    return _NAMES.get(requirement.kind, requirement.trusted)


def _size_of_candidates(found: Sequence[Candidate]) -> int:
    return sum(size_of_row(one) for one in found) + size_of_row(found)
