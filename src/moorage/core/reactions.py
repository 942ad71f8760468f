"""Reactions: what else happens when an image or a tag is pushed, deleted, restored or pulled.

A reaction is a function of a transaction and a change. It runs in the transaction of the change, after the rows of the
change are written, so both are committed or neither is. Like every use case it may run again, so it has no effects
outside the database: work that takes time becomes a job.

The topics that make changes know no reaction. `app.py` lists them all, in the order in which they run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.registry.templates import Template

StorageClass = Literal["STANDARD", "ARCHIVE"]


class ImageFacts(Protocol):
    """What reactions need to know of an image; a parsed manifest has it, and so has an image's row."""

    @property
    def media_type(self) -> str: ...
    @property
    def artifact_type(self) -> str | None: ...
    @property
    def subject(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class ImagePushed:
    """An image was pushed. `tags` are those that did not name it before; a push of a new image may have none."""

    repository: Repository
    digest: str
    tags: tuple[str, ...]
    image: ImageFacts
    at: int


@dataclass(frozen=True, slots=True)
class ImageDeleted:
    """An image was deleted, with all its tags."""

    repository: Repository
    digest: str
    tags: tuple[str, ...]
    image: ImageFacts
    at: int


@dataclass(frozen=True, slots=True)
class TagDeleted:
    """A tag was deleted, and its image was not."""

    repository: Repository
    digest: str
    tag: str
    image: ImageFacts
    at: int


@dataclass(frozen=True, slots=True)
class StorageClassChanged:
    """An image was archived, or restored."""

    repository: Repository
    digest: str
    image: ImageFacts
    target: StorageClass
    at: int


@dataclass(frozen=True, slots=True)
class ImagesPulled:
    """Images were pulled: the time of the latest pull of each, by the id of its row."""

    times: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class RepositoryCreatedFromTemplate:
    """A push created a repository, as a creation template says."""

    repository: Repository
    template: Template
    at: int


@dataclass(frozen=True, slots=True)
class ApiCalled:
    """A call changed a registry or a repository. `describe` makes its audit record, which costs too much to waste."""

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
    """Run the reactions to a change. What one of them raises undoes the change."""
    for reaction in reactions:
        reaction(tx, change)
