"""A registry by the specification, made of dictionaries. Each method returns a status and an error code."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from moorage.metadata.registry.repositories import RepositorySettings
from tests.docker.model.contents import BY_DIGEST, Manifest, referrers_tag
from tests.support.images import OCI_INDEX, digest

FILTER = "v1*"


class Outcome(NamedTuple):
    """The expected response. `code` is set for a refusal, which `changes` nothing except in one case."""

    status: int
    code: str | None = None
    changes: bool = False


UNKNOWN_REPOSITORY = Outcome(404, "NAME_UNKNOWN")
UNKNOWN_UPLOAD = Outcome(404, "BLOB_UPLOAD_UNKNOWN")
UNKNOWN_MANIFEST = Outcome(404, "MANIFEST_UNKNOWN")
UNKNOWN_BLOB = Outcome(404, "BLOB_UNKNOWN")
DENIED = Outcome(403, "DENIED")
IN_USE = Outcome(405, "UNSUPPORTED")
WRONG_DIGEST = Outcome(400, "DIGEST_INVALID")
ENDED = WRONG_DIGEST._replace(changes=True)
WRONG_RANGE = Outcome(416, "BLOB_UPLOAD_INVALID")


class Place(NamedTuple):
    """A repository as a client names it."""

    account: str
    name: str


@dataclass
class Upload:
    owner: str
    place: Place
    content: bytes = b""


@dataclass
class Finished:
    owner: str
    place: Place
    digest: str


@dataclass
class Repository:
    """The content of one repository. `manifests` are in the order in which they were pushed."""

    settings: RepositorySettings = field(default_factory=RepositorySettings)
    blobs: set[str] = field(default_factory=set)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def put(self, manifest: Manifest, tags: list[str]) -> Outcome:
        known = manifest.digest in self.manifests
        complete = self.blobs.issuperset(manifest.blobs) and self.manifests.keys() >= set(manifest.children)
        if not known and not complete:
            return Outcome(404, "MANIFEST_BLOB_UNKNOWN")
        if any(self.tags.get(tag, manifest.digest) != manifest.digest and self._is_immutable(tag) for tag in tags):
            return Outcome(400, "TAG_INVALID")
        self.manifests.setdefault(manifest.digest, manifest)
        self.tags |= dict.fromkeys(tags, manifest.digest)
        return Outcome(201)

    def _is_immutable(self, tag: str) -> bool:
        filtered = tag.startswith("v1")
        return {
            "MUTABLE": False,
            "IMMUTABLE": True,
            "MUTABLE_WITH_EXCLUSION": filtered,
            "IMMUTABLE_WITH_EXCLUSION": not filtered,
        }[self.settings.tag_mutability]

    def delete(self, reference: str) -> Outcome:
        if ":" not in reference:
            return Outcome(202) if self.tags.pop(reference, None) else UNKNOWN_MANIFEST
        if reference not in self.manifests:
            return UNKNOWN_MANIFEST
        if any(reference in manifest.children for manifest in self.manifests.values()):
            return IN_USE
        del self.manifests[reference]
        self.tags = {tag: named for tag, named in self.tags.items() if named != reference}
        return Outcome(202)

    def delete_blob(self, name: str) -> Outcome:
        if name not in self.blobs:
            return UNKNOWN_BLOB
        if any(name in manifest.blobs for manifest in self.manifests.values()):
            return IN_USE
        self.blobs.remove(name)
        return Outcome(202)

    def referrers(self, subject: str) -> list[Manifest]:
        """Manifests that name the subject, and manifests without a subject that a client lists under its tag."""
        pushed = self.manifests.get(self.tags.get(referrers_tag(subject), ""))
        listed = pushed.children if pushed and pushed.is_index and pushed.digest != subject else ()
        return [
            manifest
            for manifest in self.manifests.values()
            if manifest.subject == subject
            or (manifest.subject is None and manifest.digest in listed and manifest.digest != subject)
        ]

    def get(self, reference: str) -> bytes | dict[str, Any] | None:
        """The pushed bytes, the registry's list of referrers, or None."""
        pushed = self.manifests.get(self.tags.get(reference, reference))
        subject = reference.replace("sha256-", "sha256:")
        if ":" in reference or subject == reference or (pushed and not pushed.is_index):
            return pushed.blob.content if pushed else None
        found = self.referrers(subject)
        if pushed and (pushed.digest == subject or set(pushed.children) == {each.digest for each in found}):
            return pushed.blob.content
        return listing(found) if pushed or found else None


def listing(found: list[Manifest]) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [each.referrer() for each in found]}


class Model:
    """All registries of a server. A rejected request changes nothing, except an upload that gets a wrong digest."""

    def __init__(self, places: list[Place]) -> None:
        self.repositories = {place: Repository() for place in places}
        self.uploads: dict[str, Upload] = {}
        self.finished: dict[str, Finished] = {}

    def upload(self, name: str, owner: str, place: Place) -> Upload | None:
        """The upload of that user in that repository. Other users' uploads do not exist for the caller."""
        found = self.uploads.get(name)
        return found if found and (found.owner, found.place) == (owner, place) else None

    def append(self, upload: Upload | None, chunk: bytes, offset: int | None) -> Outcome:
        if upload is None:
            return UNKNOWN_UPLOAD
        if offset is not None and offset != len(upload.content):
            return WRONG_RANGE
        upload.content += chunk
        return Outcome(202)

    def complete(self, name: str, upload: Upload | None, place: Place, expected: str) -> Outcome:
        """The end of an upload that has all its bytes."""
        if upload is None:
            return UNKNOWN_UPLOAD
        del self.uploads[name]
        if digest(upload.content) != expected:
            return ENDED
        self.repositories[place].blobs.add(expected)
        self.finished[name] = Finished(upload.owner, place, expected)
        return Outcome(201)

    def is_finished(self, name: str, owner: str, place: Place, expected: str) -> bool:
        """Whether this is a repeated request whose response was lost."""
        return (
            self.finished.get(name) == Finished(owner, place, expected) and expected in self.repositories[place].blobs
        )

    def mountable(self, account: str, name: str, source: str | None) -> bool:
        return any(
            name in repository.blobs
            for place, repository in self.repositories.items()
            if place.account == account and source in (None, place.name)
        )

    def set_mutability(self, place: Place, mutability: str) -> tuple[str, ...]:
        """Set the mutability and return its filters."""
        filters = (FILTER,) if mutability.endswith("_WITH_EXCLUSION") else ()
        repository = self.repositories[place]
        repository.settings = replace(repository.settings, tag_mutability=mutability, exclusion_filters=filters)
        return filters


def children_first(manifest: Manifest) -> list[Manifest]:
    """All manifests that must be pushed for this one, in an order that a registry accepts. It comes last."""
    below = [each for child in manifest.children for each in children_first(BY_DIGEST[child])]
    return [*below, manifest]
