"""Jobs that sign pushed images: for each profile a Notation signature, attached to the image as a referrer.

A signature and its status are one commit. A job that starts again after a crash makes none twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec

from moorage.core.attachments import Attachment, Attachments, SubjectGone
from moorage.core.clock import Clock
from moorage.core.identity import callers
from moorage.core.identity.authorization import AccessRequest, decide
from moorage.core.signing import on_push
from moorage.core.signing.on_push import SigningRequest
from moorage.core.signing.signatures import Requester, Signature, Signatures
from moorage.domain.errors import AccessDenied, LimitExceeded
from moorage.domain.identity.callers import Caller
from moorage.domain.identity.policies.request import RequestContext
from moorage.domain.names import Registry
from moorage.domain.registry.errors import RepositoryNotFound
from moorage.domain.signing import envelope
from moorage.domain.signing.errors import SigningError
from moorage.domain.signing.profiles import ProfileName
from moorage.domain.signing.rules import NOTATION_SIGNATURE
from moorage.metadata.database import Database, Transaction
from moorage.metadata.jobs import Job
from moorage.metadata.registry import images, repositories
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.signing import profiles as profile_rows
from moorage.metadata.signing import signatures as rows
from moorage.metadata.signing.signatures import COMPLETE, FAILED, SigningStatus

PERMISSION: Final = "signer:SignPayload"
"""What the pusher of an image needs for a profile (ECR user guide, "Managed signing")."""

_BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class _Subject:
    """The image to sign."""

    repository: Repository
    image: Image

    def payload(self) -> bytes:
        return envelope.payload_of(self.image.media_type, self.image.digest, self.image.manifest_size)


class SigningJobs:
    """Runs the jobs of kind `on_push.JOB`."""

    def __init__(self, database: Database, signatures: Signatures, attachments: Attachments, now: Clock) -> None:
        self._database = database
        self._signatures = signatures
        self._attachments = attachments
        self._now = now

    async def run(self, job: Job) -> None:
        """Sign an image with each profile of the request. What fails for good is recorded as failed."""
        request = SigningRequest.of(job)
        subject = await self._database.read(lambda tx: _subject(tx, job))
        if subject is None:
            return  # It was deleted.
        for profile in request.profiles:
            try:
                await self._sign(subject, ProfileName.of_arn(profile), request)
            except SubjectGone:
                return
            except (SigningError, AccessDenied, LimitExceeded, RepositoryNotFound) as refusal:
                failed = _failure(profile, _code_of(refusal), str(refusal), request)
                await self._database.write(partial(rows.set_statuses, image_id=subject.image.id, statuses=[failed]))

    def give_up(self, tx: Transaction, job: Job, error: str) -> None:
        """Record that a job failed too often: what it has not signed is failed."""
        subject = _subject(tx, job)
        if subject is None:
            return
        request = SigningRequest.of(job)
        done = {status.profile for status in rows.statuses_of(tx, subject.image.id)}
        left = [_failure(profile, _INTERNAL, error, request) for profile in request.profiles if profile not in done]
        rows.set_statuses(tx, subject.image.id, left)

    async def forget_ended(self, _job: Job) -> None:
        """Forget signatures that have ended: nobody can ask about them any more."""
        while await self._database.write(lambda tx: rows.forget_ended(tx, self._now(), _BATCH)) == _BATCH:
            pass

    async def _sign(self, subject: _Subject, name: ProfileName, request: SigningRequest) -> None:
        """Make a signature and attach it, unless the image has one by the current version of the profile.

        Raises SigningError, AccessDenied, LimitExceeded, RepositoryNotFound, SubjectGone, Unavailable.
        """
        caller = await self._database.read(lambda tx: self._authorized(tx, name, request))
        if await self._database.read(lambda tx: _is_signed(tx, subject, name)):
            return
        made = await self._signatures.make(name, subject.payload(), Requester(caller.account, caller.arn))
        attachment = Attachment(
            artifact_type=NOTATION_SIGNATURE,
            media_type=envelope.ENVELOPE_TYPE,
            content=made.envelope,
            annotations=envelope.annotations_of(made.chain, made.job.created_at),
        )

        def record(tx: Transaction, digest: str) -> None:
            rows.insert_job(tx, made.job)
            rows.set_statuses(tx, subject.image.id, [_complete(name, made, digest)])

        await self._attachments.attach(subject.repository, subject.image, attachment, record)

    def _authorized(self, tx: Transaction, name: ProfileName, request: SigningRequest) -> Caller:
        """The pusher, who must be allowed to sign with a profile now. Raises AccessDenied, SigningError."""
        caller = callers.recall(tx, request.pusher)
        if caller is None:
            raise SigningError("the identity that pushed the image, or its access key, is no longer there")
        profile = profile_rows.find(tx, name)
        access_request = AccessRequest(
            caller,
            PERMISSION,
            # In the pusher's own account: the owner of a profile of another account allows it by sharing the profile.
            Registry(caller.account, name.registry.region),
            request_context=lambda: RequestContext(time=self._now(), secure=True),
            arn=name.arn,
            own_tags={} if profile is None else profile.tags,
        )
        decision = decide(tx, access_request)
        if not decision.allowed:
            raise access_request.refusal(decision)
        return caller


_INTERNAL: Final = "InternalServiceErrorException"


def _subject(tx: Transaction, job: Job) -> _Subject | None:
    repository_id, digest = on_push.image_of(job)
    repository = repositories.find_by_id(tx, repository_id)
    image = images.find(tx, repository_id, digest)
    return None if repository is None or image is None else _Subject(repository, image)


def _is_signed(tx: Transaction, subject: _Subject, name: ProfileName) -> bool:
    """Whether the image has a signature by the current version of a profile."""
    current = profile_rows.find(tx, name)
    return any(
        status.status == COMPLETE
        and current is not None
        and status.profile_version == current.arn
        and images.find(tx, subject.repository.id, status.signature or "") is not None
        for status in rows.statuses_of(tx, subject.image.id)
        if status.profile == name.arn
    )


def _complete(name: ProfileName, made: Signature, digest: str) -> SigningStatus:
    return SigningStatus(name.arn, COMPLETE, profile_version=made.job.profile_version, signature=digest)


def _failure(profile: str, code: str, reason: str, request: SigningRequest) -> SigningStatus:
    return SigningStatus(profile, FAILED, code, reason, pusher=msgspec.to_builtins(request.pusher))


def _code_of(refusal: Exception) -> str:
    """The code of a failure: the name of the error in the service that refused."""
    if isinstance(refusal, SigningError):
        return refusal.code
    assert isinstance(refusal, AccessDenied | LimitExceeded | RepositoryNotFound)  # noqa: S101 - for the type checker
    return refusal.code()
