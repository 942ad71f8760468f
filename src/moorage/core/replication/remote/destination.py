"""Destinations outside this server, as a kind of destination."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from moorage.core.clock import Clock
from moorage.core.pacing import RateLimit
from moorage.core.replication import events, outcomes
from moorage.core.replication.remote import choice
from moorage.core.replication.remote.choice import Copy
from moorage.core.replication.remote.layers import LayerSender, Receiver
from moorage.core.replication.remote.settings import address_of
from moorage.core.replication.remote.slots import Slots
from moorage.core.replication.within_server import Step, plan
from moorage.core.vault import Forged, Vault
from moorage.domain.ports import BlobMissing, BlobStore
from moorage.domain.remote_registries import (
    RemoteDenied,
    RemoteFailure,
    RemoteMissing,
    RemoteRefused,
    RemoteRegistries,
    RemoteRegistry,
)
from moorage.metadata.database import Database, Transaction
from moorage.metadata.jobs import JobFailed
from moorage.metadata.registry import images, repositories
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.replication import copies, destinations
from moorage.metadata.replication.destinations import Destination
from moorage.metadata.replication.entries import Entry, Failure, Stream

_TAG_TAKEN: Final = "TAG_INVALID"


class RemoteDestinations:
    """The destinations that `moorage destination` sets."""

    def __init__(
        self, database: Database, blobs: BlobStore, remotes: RemoteRegistries, vault: Vault, now: Clock
    ) -> None:
        self._database = database
        self._remotes = remotes
        self._vault = vault
        self._now = now
        self._sender = LayerSender(database, blobs, now)
        self._slots = Slots(database, now)

    async def replicate(self, stream: Stream, batch: Sequence[Entry]) -> None:
        """See `Destination.replicate`."""
        destination = await self._database.read(partial(destinations.find, registry=stream.destination))
        if destination is None:
            raise JobFailed("the destination was removed")
        async with self._slots.taken(destination):
            try:
                await self._replicate(stream, batch, destination)
            except RemoteFailure as failure:
                await self._record_error(destination, str(failure))
                raise JobFailed(str(failure)) from None

    def at(self, destination: Destination) -> RemoteRegistry:
        """The registry at a destination. Raises JobFailed."""
        try:
            return self._remotes.at(address_of(self._vault, destination))
        except Forged:
            raise JobFailed("its credentials were sealed with another master key: set the destination again") from None

    async def _replicate(self, stream: Stream, batch: Sequence[Entry], destination: Destination) -> None:
        """Do what entries ask for. Raises RemoteFailure for what may pass, JobFailed, Unavailable, OSError."""
        source, steps = await self._database.read(partial(_steps, stream, batch, destination))
        share = destination.bytes_per_second / destination.at_once
        receiver = Receiver(
            destination=destination,
            remote=self.at(destination),
            repository=destination.selection.name_there(stream.repository),
            source_id=source.id if source is not None else 0,
            rate=RateLimit(share or None),
        )
        codes: dict[str, str] = {}
        for step in steps:
            try:
                await self._do(stream, receiver, source, step)
            except (RemoteDenied, RemoteMissing, RemoteRefused, BlobMissing) as error:
                failure = _failure(error)
                codes[step.digest] = failure.code
                below = tuple(sorted({codes[digest] for digest in step.children if digest in codes}))
                await self._fail(stream, step, replace(failure, sub_codes=below if step.children else None))

    async def _do(self, stream: Stream, receiver: Receiver, source: Repository | None, step: Step) -> None:
        if step.action == "COPY" and not step.skipped:
            copy = await self._database.read(partial(_copy, source, step))
            if copy is not None:
                await self._put(stream, receiver, step, copy)
            else:
                await self._database.write(partial(outcomes.source_gone, moot=step.entries))
            return
        if step.action == "DELETE":
            await self._delete(stream, receiver, source, step)
        if step.action == "ARCHIVE":
            await self._archive(stream, receiver, source, step)
        await self._database.write(partial(outcomes.complete, done=step.entries))

    async def _put(self, stream: Stream, receiver: Receiver, step: Step, copy: Copy) -> None:
        if copy.missing:
            raise BlobMissing(copy.missing[0])
        try:
            refused = await self._arrive(receiver, copy)
        except RemoteMissing:
            await receiver.remote.create_repository(receiver.repository)
            refused = await self._arrive(receiver, copy)
        await self._database.write(partial(self._arrived, stream, step, copy, refused))

    async def _arrive(self, receiver: Receiver, copy: Copy) -> dict[str, RemoteRefused]:
        """Bring an image to the destination: layers, then the manifest. Returns the tags that it does not accept."""
        remote, repository, digest = receiver.remote, receiver.repository, copy.manifest.digest
        is_there = await _digest_there(remote, repository, digest) == digest
        if not is_there:
            await self._sender.send(receiver, copy.layers)
        refused: dict[str, RemoteRefused] = {}
        for tag in copy.tags:
            if is_there and await _digest_there(remote, repository, tag) == digest:
                continue
            try:
                await remote.put_manifest(repository, tag, copy.manifest)
                is_there = True
            except RemoteRefused as error:
                refused[tag] = error
        if not is_there:
            await remote.put_manifest(repository, digest, copy.manifest)
        return refused

    async def _delete(self, stream: Stream, receiver: Receiver, source: Repository | None, step: Step) -> None:
        """Delete at the destination what was deleted here, except tags that name another image there.

        Another Moorage also leaves alone what its own clients pushed. Other registries do not tell who pushed an image.
        """
        origin = choice.origin_of(stream.source)
        image, still = await self._database.read(partial(_image_here, source, step.digest))
        if image is None and any(not entry.tag for entry in step.entries):
            await _delete(receiver, step.digest, origin)
            return
        for tag in step.tags:
            if tag in still or not receiver.destination.selection.takes_tag(tag):
                continue
            there = await _digest_there(receiver.remote, receiver.repository, tag)
            if there == step.digest:
                await _delete(receiver, tag, origin)
            elif there is None and image is not None and image.is_archived:  # What is archived there is not shown.
                await _delete(receiver, tag, origin, step.digest)

    async def _archive(self, stream: Stream, receiver: Receiver, source: Repository | None, step: Step) -> None:
        """Archive at the destination what arrived there and is archived here, where the destination can do that."""
        if await self._database.read(partial(_is_archival, stream, source, step.digest)):
            with suppress(RemoteMissing):
                await receiver.remote.archive_image(receiver.repository, step.digest, choice.origin_of(stream.source))

    def _arrived(
        self, stream: Stream, step: Step, copy: Copy, refused: dict[str, RemoteRefused], tx: Transaction
    ) -> None:
        now = self._now()
        outcomes.complete(tx, [entry for entry in step.entries if entry.tag not in refused])
        for tag, error in refused.items():
            outcomes.fail(tx, [entry for entry in step.entries if entry.tag == tag], _failure(error), now)
            destinations.record_error(tx, stream.destination, str(error), now)
        source = repositories.find(tx, stream.source, stream.repository)
        if source is not None:
            outcomes.arrived(tx, source.id, [step.digest], stream.destination, now)
        destinations.record_arrival(tx, stream.destination, now)
        events.record(tx, stream, step.digest, [tag for tag in copy.tags if tag not in refused], now)

    async def _fail(self, stream: Stream, step: Step, failure: Failure) -> None:
        def save(tx: Transaction) -> None:
            now = self._now()
            outcomes.fail(tx, step.entries, failure, now)
            destinations.record_error(tx, stream.destination, failure.reason, now)
            if step.action == "COPY" and step.entries:
                events.record(tx, stream, step.digest, list(step.tags), now, failed=True)

        await self._database.write(save)

    async def _record_error(self, destination: Destination, error: str) -> None:
        now = self._now()
        await self._database.write(
            partial(destinations.record_error, registry=destination.registry, error=error, now=now)
        )


def _steps(
    stream: Stream, batch: Sequence[Entry], destination: Destination, tx: Transaction
) -> tuple[Repository | None, list[Step]]:
    """The source, and the steps for entries, with the images of chosen signatures before them.

    An image that the destination does not get has a step that does nothing.
    """
    selection = destination.selection
    source = repositories.find(tx, stream.source, stream.repository)
    steps = _with_subjects(tx, stream, source, plan(tx, stream, batch)) if selection.only_signed else None
    chosen: list[Step] = []
    taken: set[str] = set()
    for step in reversed(steps or plan(tx, stream, batch)):  # An index comes after the images that it lists.
        image = images.find(tx, source.id, step.digest) if source is not None else None
        if step.action != "COPY" or image is None:
            chosen.append(step)
            continue
        tags = list(step.tags)
        is_listed = step.digest in taken
        if not is_listed and not choice.is_chosen(tx, selection, image, tags):
            chosen.append(replace(step, skipped=True))
            continue
        taken.update(step.children)
        step.tags = {tag: None for tag in tags if selection.takes_tag(tag)}
        chosen.append(step)
    return source, chosen[::-1]


def _with_subjects(tx: Transaction, stream: Stream, source: Repository | None, steps: list[Step]) -> list[Step]:
    """The steps, and before that of a signature those of the image that it signs, with all its tags."""
    found: list[Step] = []
    for step in steps:
        image = images.find(tx, source.id, step.digest) if source is not None else None
        subject = choice.subject_of(tx, image, step.tags) if image is not None and step.action == "COPY" else None
        if subject is not None:
            tags = images.tags_of(tx, subject.id) or [""]
            before = plan(tx, stream, [Entry(0, "COPY", subject.digest, tag) for tag in tags])
            found += [replace(each, entries=list[Entry]()) for each in before]
        found.append(step)
    return found


def _copy(source: Repository | None, step: Step, tx: Transaction) -> Copy | None:
    image = images.find(tx, source.id, step.digest) if source is not None else None
    if source is None or image is None or image.is_archived:
        return None
    return choice.copy_of(tx, source, image, step.tags)


def _image_here(source: Repository | None, digest: str, tx: Transaction) -> tuple[Image | None, list[str]]:
    """An image of the source with its tags; None if it is gone."""
    image = images.find(tx, source.id, digest) if source is not None else None
    return image, [] if image is None else images.tags_of(tx, image.id)


def _is_archival(stream: Stream, source: Repository | None, digest: str, tx: Transaction) -> bool:
    """Whether an image of the source is archived, and arrived at the destination before."""
    image = images.find(tx, source.id, digest) if source is not None else None
    if source is None or image is None or not image.is_archived:
        return False
    return stream.destination in copies.destinations_of(tx, source.id, digest)


async def _digest_there(remote: RemoteRegistry, repository: str, reference: str) -> str | None:
    """The digest of a tag or a digest at the destination; None if it has no such image."""
    try:
        return await remote.head(repository, reference)
    except RemoteMissing:
        return None


async def _delete(receiver: Receiver, reference: str, origin: str, expected: str = "") -> None:
    with suppress(RemoteMissing):
        await receiver.remote.delete_manifest(receiver.repository, reference, origin, expected)


def _failure(error: RemoteFailure | BlobMissing) -> Failure:
    """The failure of an entry, with a code in the style of ECR's API."""
    match error:
        case BlobMissing():
            return Failure("LayersNotFound", f"This registry does not have the layer {error}")
        case RemoteDenied():
            return Failure("AccessDenied", str(error))
        case RemoteMissing():
            return Failure("RepositoryNotFound", str(error))
        case RemoteRefused(code=code) if code == _TAG_TAKEN:
            return Failure("ImageTagAlreadyExists", str(error))
        case _:
            return Failure("DestinationRefused", str(error))
