"""Reactions: functions that run after an image or a tag was pushed, deleted, restored or pulled.

A reaction takes a transaction and a change. It runs in the transaction of the change, after the rows of the change are
written, so both are committed or neither is. Like every use case it can be retried, so it has no effects outside the
database: work that takes time becomes a job.

A change of an image that replication makes has the `origin`: the registry that the image comes from.

Topics that make changes do not import reactions. `app.py` lists all reactions, in the order in which they run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from moorage.domain.identity.callers import Caller
from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.push_state import PushSettings
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.registry.templates import Template

StorageClass = Literal["STANDARD", "ARCHIVE"]


class ImageFacts(Protocol):
    """The properties of an image that reactions use. Parsed manifests and image rows both have them."""

    @property
    def media_type(self) -> str: ...
    @property
    def artifact_type(self) -> str | None: ...
    @property
    def subject(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class ImagePushed:
    """An image was pushed. `tags` are the tags that are new for it; a new image can have none.

    `settings` are those that react to a push, so that the reactions need no statement to find them. `pusher` is None
    for images that no client pushed, such as copies from other registries.
    """

    repository: Repository
    digest: str
    tags: tuple[str, ...]
    image: ImageFacts
    at: int
    settings: PushSettings
    origin: Registry | None = None
    pusher: Caller | None = None


@dataclass(frozen=True, slots=True)
class ImageDeleted:
    """An image was deleted, with all its tags."""

    repository: Repository
    digest: str
    tags: tuple[str, ...]
    image: ImageFacts
    at: int
    origin: Registry | None = None


@dataclass(frozen=True, slots=True)
class TagDeleted:
    """A tag was deleted, but not its image."""

    repository: Repository
    digest: str
    tag: str
    image: ImageFacts
    at: int
    origin: Registry | None = None


@dataclass(frozen=True, slots=True)
class StorageClassChanged:
    """An image was archived or restored."""

    repository: Repository
    digest: str
    image: ImageFacts
    target: StorageClass
    at: int
    origin: Registry | None = None


@dataclass(frozen=True, slots=True)
class ImagesPulled:
    """Images were pulled. `times` maps the id of each image's row to the time of its latest pull."""

    times: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class RepositoryCreatedFromTemplate:
    """A push created a repository from a creation template."""

    repository: Repository
    template: Template
    at: int


@dataclass(frozen=True, slots=True)
class ApiCalled:
    """A call changed a registry or a repository. `describe` builds its audit record, only when a reaction needs it."""

    operation: str
    registry: Registry
    describe: Callable[[], dict[str, Any]]
    at: int


C = TypeVar("C")
Reaction = Callable[[Transaction, C], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reactions:
    """The reactions to each kind of change, in the order in which they run."""

    image_pushed: Sequence[Reaction[ImagePushed]]
    image_deleted: Sequence[Reaction[ImageDeleted]]
    tag_deleted: Sequence[Reaction[TagDeleted]]
    storage_class_changed: Sequence[Reaction[StorageClassChanged]]
    images_pulled: Sequence[Reaction[ImagesPulled]]
    repository_created_from_template: Sequence[Reaction[RepositoryCreatedFromTemplate]]
    api_called: Sequence[Reaction[ApiCalled]]


def react(tx: Transaction, reactions: Sequence[Reaction[C]], change: C) -> None:
    """Run the reactions to a change. An exception in one of them rolls the change back."""
    for reaction in reactions:
        reaction(tx, change)
