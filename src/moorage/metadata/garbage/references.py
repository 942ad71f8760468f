"""What holds a blob or an image: every row that keeps it from being collected, and those that let it go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moorage.metadata.database import Transaction


@dataclass(frozen=True, slots=True)
class Visible:
    """A repository that sees a blob, with the time when a client was last told so."""

    repository_id: int
    registry: str
    repository: str
    reported_at: int


@dataclass(frozen=True, slots=True)
class Stored:
    """An image that is there, by a digest that is looked for or one that has to do with it."""

    id: int
    repository_id: int
    registry: str
    repository: str
    digest: str


@dataclass(frozen=True, slots=True)
class Removed:
    """An image that was deleted and can still come back."""

    registry: str
    repository: str
    digest: str
    removed_at: int


_IMAGE: Final = "i.id, i.repository_id, r.account || '/' || r.region, r.name, i.digest"


def seen_by(tx: Transaction, digest: str) -> list[Visible]:
    """The repositories that see a blob."""
    rows = tx.all(
        "SELECT r.id, r.account || '/' || r.region, r.name, l.told_at"
        " FROM blob b JOIN repository_layer l ON l.blob_id = b.id JOIN repository r ON r.id = l.repository_id"
        " WHERE b.digest = :digest ORDER BY r.account, r.region, r.name",
        digest=digest,
    )
    return [Visible(*row) for row in rows]


def needing(tx: Transaction, repository_id: int, digest: str) -> list[Stored]:
    """The images of a repository that need a blob."""
    rows = tx.all(
        f"SELECT {_IMAGE} FROM blob b JOIN image_layer l ON l.blob_id = b.id"
        " JOIN image i ON i.id = l.image_id JOIN repository r ON r.id = i.repository_id"
        " WHERE b.digest = :digest AND l.repository_id = :repository ORDER BY i.id",
        digest=digest,
        repository=repository_id,
    )
    return [Stored(*row) for row in rows]


def removed_needing(tx: Transaction, digest: str) -> list[Removed]:
    """The deleted images that hold a blob."""
    rows = tx.all(
        "SELECT r.account || '/' || r.region, r.repository, r.digest, r.removed_at"
        " FROM blob b JOIN removed_layer l ON l.blob_id = b.id JOIN removed_image r ON r.id = l.removed_id"
        " WHERE b.digest = :digest ORDER BY r.id",
        digest=digest,
    )
    return [Removed(*row) for row in rows]


def images_called(tx: Transaction, digest: str) -> list[Stored]:
    """The images of that digest, in whichever repositories."""
    rows = tx.all(
        f"SELECT {_IMAGE} FROM repository r JOIN image i ON i.repository_id = r.id AND i.digest = :digest"
        " ORDER BY r.account, r.region, r.name",
        digest=digest,
    )
    return [Stored(*row) for row in rows]


def removed_called(tx: Transaction, digest: str) -> list[Removed]:
    """The deleted images of that digest."""
    rows = tx.all(
        "SELECT r.account || '/' || r.region, r.repository, r.digest, r.removed_at"
        " FROM removed_image r WHERE r.digest = :digest ORDER BY r.id",
        digest=digest,
    )
    return [Removed(*row) for row in rows]


def leaving(tx: Transaction, digest: str) -> list[tuple[str, int]]:
    """Storage keys of a digest whose row is gone, and when their bytes may go."""
    rows = tx.all("SELECT name, due_at FROM removed_bytes WHERE digest = :digest ORDER BY due_at", digest=digest)
    return [(row[0], row[1]) for row in rows]


def damaged(tx: Transaction, digest: str) -> list[tuple[str, int]]:
    """The storage key of a blob whose bytes were found wrong or missing, and when."""
    found = "SELECT storage_key, damaged_at FROM blob WHERE digest = :digest AND damaged_at IS NOT NULL"
    return [(row[0], row[1]) for row in tx.all(found, digest=digest)]
