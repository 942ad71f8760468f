"""Rows of images, their manifests, tags, and the references between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from moorage.metadata.database import LARGEST_INTEGER, Transaction
from moorage.metadata.registry import counts

ACTIVE: Final = "ACTIVE"
ARCHIVED: Final = "ARCHIVED"
"""Values of `imageStatus`; the filter "ANY" matches both."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a repository. `size` counts the config and layers that are stored, `manifest_size` the manifest."""

    id: int
    repository_id: int
    digest: str
    media_type: str
    artifact_type: str | None
    subject: str | None
    size: int
    manifest_size: int
    pushed_at: int
    status: str = ACTIVE
    last_archived_at: int | None = None
    last_activated_at: int | None = None
    last_pulled_at: int | None = None

    @property
    def is_archived(self) -> bool:
        return self.status == ARCHIVED


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """The exact bytes of a manifest with its media type, for a pull.

    `image_id` is None for a generated index, `last_pulled_at` before the first recorded pull. `is_guarded` if some
    repository of the registry requires signatures. `check_at` is when a tag that came from an upstream registry is
    compared with it again; None for all others.
    """

    digest: str
    media_type: str
    body: bytes
    image_id: int | None = None
    last_pulled_at: int | None = None
    is_guarded: bool = False
    check_at: int | None = None


COLUMNS = """
    i.id, i.repository_id, i.digest, i.media_type, i.artifact_type, i.subject, i.size, i.manifest_size,
    i.pushed_at, i.status, i.last_archived_at, i.last_activated_at, i.last_pulled_at
"""


def find(tx: Transaction, repository_id: int, digest: str) -> Image | None:
    row = tx.one(
        f"SELECT {COLUMNS} FROM image i WHERE i.repository_id = :repository AND i.digest = :digest",
        repository=repository_id,
        digest=digest,
    )
    return Image(*row) if row else None


def find_by_id(tx: Transaction, image_id: int) -> Image | None:
    row = tx.one(f"SELECT {COLUMNS} FROM image i WHERE i.id = :id", id=image_id)
    return Image(*row) if row else None


def find_tagged(tx: Transaction, repository_id: int, tag: str) -> Image | None:
    row = tx.one(
        f"SELECT {COLUMNS} FROM tag t JOIN image i ON i.id = t.image_id"
        " WHERE t.repository_id = :repository AND t.name = :tag",
        repository=repository_id,
        tag=tag,
    )
    return Image(*row) if row else None


def find_all(tx: Transaction, repository_id: int, digests: Iterable[str]) -> dict[str, Image]:
    """The images of the repository with these digests, by digest."""
    rows = tx.all(
        f"SELECT {COLUMNS} FROM image i WHERE i.repository_id = :repository AND i.digest = ANY(:digests)",
        repository=repository_id,
        digests=list(digests),
    )
    return {row[2]: Image(*row) for row in rows}


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """A filter for lists: tagged or untagged images (None: both), with one status or "ANY"."""

    tagged: bool | None = None
    status: str = ACTIVE


def page(tx: Transaction, repository_id: int, after: int, selected: ImageFilter, limit: int) -> list[Image]:
    """At most `limit` images with ids after `after`, oldest push first."""
    rows = tx.all(_page(COLUMNS, selected), repository=repository_id, after=after, status=selected.status, limit=limit)
    return [Image(*row) for row in rows]


def page_of_ids(
    tx: Transaction, repository_id: int, after: tuple[int, str], selected: ImageFilter, limit: int
) -> list[tuple[int, str, str | None]]:
    """At most `limit` rows (image id, digest, tag or None) after `after` (image id, tag); one row per tag."""
    last_image, last_tag = after
    images = tx.all(
        _page("i.id, i.digest", selected),
        repository=repository_id,
        after=last_image - 1,
        status=selected.status,
        limit=limit + 1,  # the last image may have no further tag
    )
    tags: dict[int, list[str]] = {}
    for image_id, tag in tx.all(
        "SELECT image_id, name FROM tag WHERE image_id = ANY(:images) AND (image_id > :image OR name > :tag)"
        " ORDER BY image_id, name LIMIT :limit",
        images=[row[0] for row in images],
        image=last_image,
        tag=last_tag,
        limit=limit,
    ):
        tags.setdefault(image_id, []).append(tag)
    found: list[tuple[int, str, str | None]] = []
    for image_id, digest in images:
        without: list[None] = [] if image_id == last_image else [None]
        found += [(image_id, digest, tag) for tag in tags.get(image_id, without)]
    return found[:limit]


def _page(columns: str, selected: ImageFilter) -> str:
    """A statement for the selected images with ids after `:after`, sorted by id: the first column.

    It reads a page of each range of `image_by_filter` that matches, and merges them. `i.id + 0` is in no other index.
    For an order by `i.id`, PostgreSQL may prefer another index in that order, and skip all images that do not match.
    """
    statuses = (f"'{ACTIVE}'", f"'{ARCHIVED}'") if selected.status == "ANY" else (":status",)
    tagged = (1, 0) if selected.tagged is None else (int(selected.tagged),)
    ranges = [
        f"SELECT {columns} FROM image i WHERE i.repository_id = :repository AND i.status = {status}"
        f" AND i.is_tagged = {flag} AND i.id + 0 > :after ORDER BY i.id + 0 LIMIT :limit"
        for status in statuses
        for flag in tagged
    ]
    if len(ranges) == 1:
        return ranges[0]
    return " UNION ALL ".join(f"SELECT * FROM ({each}) AS part" for each in ranges) + " ORDER BY 1 LIMIT :limit"


def archive(tx: Transaction, image_id: int, now: int) -> None:
    tx.run("UPDATE image SET status = 'ARCHIVED', last_archived_at = :now WHERE id = :id", id=image_id, now=now)
    tx.run("UPDATE tag SET image_status = 'ARCHIVED' WHERE image_id = :id", id=image_id)


def activate(tx: Transaction, image_id: int, now: int) -> None:
    tx.run("UPDATE image SET status = 'ACTIVE', last_activated_at = :now WHERE id = :id", id=image_id, now=now)
    tx.run("UPDATE tag SET image_status = 'ACTIVE' WHERE image_id = :id", id=image_id)


def delete(tx: Transaction, image_id: int) -> None:
    """Delete an image with its manifest, tags and references. Its layers stay visible until they are collected."""
    counts.remove_image(tx, image_id)
    tx.run("DELETE FROM image WHERE id = :id", id=image_id)


def manifest_body(tx: Transaction, image_id: int) -> bytes:
    row: tuple[Any, ...] = tx.one("SELECT body FROM manifest WHERE image_id = :id", id=image_id) or (b"",)
    body: bytes = row[0]
    return body


# --- Tags -------------------------------------------------------------------------------------------------------


def add_tag(tx: Transaction, repository_id: int, tag: str, image_id: int, now: int, *, is_marked: bool = False) -> bool:
    """Add a tag; False when the repository has that tag already. `is_marked`: the image was inserted with a tag."""
    is_new = tx.run(
        "INSERT INTO tag (repository_id, name, image_id, tagged_at, image_status)"
        " SELECT :repository, :tag, id, :now, status FROM image WHERE id = :image"
        " ON CONFLICT (repository_id, name) DO NOTHING",
        repository=repository_id,
        tag=tag,
        image=image_id,
        now=now,
    )
    if is_new and not is_marked:
        _mark_tagged(tx, image_id)
    return bool(is_new)


def move_tag(tx: Transaction, repository_id: int, tag: str, image_id: int, now: int) -> None:
    """Point a tag to another image. It no longer depends on an upstream registry."""
    this = {"repository": repository_id, "tag": tag}
    former = tx.one("SELECT image_id FROM tag WHERE repository_id = :repository AND name = :tag", **this)
    tx.run(
        "UPDATE tag SET image_id = :image, image_status = (SELECT status FROM image WHERE id = :image),"
        " tagged_at = :now, check_at = NULL WHERE repository_id = :repository AND name = :tag",
        image=image_id,
        now=now,
        **this,
    )
    if former is not None:
        _mark_tagged(tx, image_id)
        _mark_if_untagged(tx, former[0])


def delete_tag(tx: Transaction, repository_id: int, tag: str) -> None:
    row = tx.one(
        "DELETE FROM tag WHERE repository_id = :repository AND name = :tag RETURNING image_id",
        repository=repository_id,
        tag=tag,
    )
    if row is not None:
        _mark_if_untagged(tx, row[0])


def _mark_tagged(tx: Transaction, image_id: int) -> None:
    tx.run("UPDATE image SET is_tagged = 1 WHERE id = :image AND is_tagged = 0", image=image_id)


def _mark_if_untagged(tx: Transaction, image_id: int) -> None:
    no_tag = "NOT EXISTS (SELECT 1 FROM tag WHERE image_id = :image)"
    tx.run(f"UPDATE image SET is_tagged = 0 WHERE id = :image AND {no_tag}", image=image_id)


def number_of_tags(tx: Transaction, image_id: int) -> int:
    row = tx.one("SELECT count(*) FROM tag WHERE image_id = :image", image=image_id)
    return int(row[0]) if row else 0


def numbers_of_tags(tx: Transaction, image_ids: Sequence[int]) -> list[int]:
    """The number of tags of each of these images, in their order."""
    rows = tx.all(
        "SELECT image_id, count(*) FROM tag WHERE image_id = ANY(:images) GROUP BY image_id", images=list(image_ids)
    )
    found = dict(rows)
    return [found.get(image_id, 0) for image_id in image_ids]


def tags_of(tx: Transaction, image_id: int) -> list[str]:
    return [row[0] for row in tx.all("SELECT name FROM tag WHERE image_id = :image ORDER BY name", image=image_id)]


def has_more_tags(tx: Transaction, image_id: int, than: int) -> bool:
    """Whether the image has more than so many tags; reads only one more."""
    sql = "SELECT 1 FROM tag WHERE image_id = :image LIMIT 1 OFFSET :than"
    return tx.one(sql, image=image_id, than=than) is not None


def tags_of_all(tx: Transaction, image_ids: Iterable[int]) -> dict[int, list[str]]:
    """The tags of several images, by image id."""
    found: dict[int, list[str]] = {}
    rows = tx.all(
        "SELECT image_id, name FROM tag WHERE image_id = ANY(:images) ORDER BY name",
        images=list(image_ids),
    )
    for image_id, tag in rows:
        found.setdefault(image_id, []).append(tag)
    return found


def page_of_tags(tx: Transaction, repository_id: int, after: str, limit: int) -> list[str]:
    """At most `limit` tags of active images after `after`, in lexical order."""
    rows = tx.all(
        "SELECT name FROM tag WHERE repository_id = :repository AND image_status = 'ACTIVE' AND name > :after"
        " ORDER BY name LIMIT :limit",
        repository=repository_id,
        after=after,
        limit=limit,
    )
    return [row[0] for row in rows]


# --- References -------------------------------------------------------------------------------------------------


def reference_children(tx: Transaction, parent_id: int, children: Iterable[int]) -> None:
    tx.run_each(
        "INSERT INTO image_child (parent_id, child_id) VALUES (:parent, :child) ON CONFLICT DO NOTHING",
        [{"parent": parent_id, "child": child_id} for child_id in children],
    )


PARENTS_SHOWN: Final = 100
"""Indexes that a refusal names. An image can be listed by as many indexes as its repository has images."""


def parents_of(tx: Transaction, image_id: int, status: str = "ANY", limit: int = PARENTS_SHOWN) -> list[str]:
    """The digests of the indexes that list an image: the oldest ones, at most `limit`."""
    rows = tx.all(
        "SELECT i.digest FROM image_child c JOIN image i ON i.id = c.parent_id"
        " WHERE c.child_id = :image AND (:status = 'ANY' OR i.status = :status) ORDER BY i.id LIMIT :limit",
        image=image_id,
        status=status,
        limit=limit,
    )
    return [row[0] for row in rows]


def children_of(tx: Transaction, parent_id: int) -> list[Image]:
    """The images that an index lists."""
    rows = tx.all(
        f"SELECT {COLUMNS} FROM image_child c JOIN image i ON i.id = c.child_id"
        " WHERE c.parent_id = :parent ORDER BY i.id",
        parent=parent_id,
    )
    return [Image(*row) for row in rows]


def is_subject(tx: Transaction, repository_id: int, digest: str) -> bool:
    """Whether an image of the repository has this digest as its subject."""
    row = tx.one(
        "SELECT 1 FROM image WHERE repository_id = :repository AND subject = :digest LIMIT 1",
        repository=repository_id,
        digest=digest,
    )
    return row is not None


def with_subject(tx: Transaction, repository_id: int, subject: str, limit: int | None = None) -> list[Image]:
    """The images with this subject, of any status, at most `limit`."""
    rows = tx.all(
        f"SELECT {COLUMNS} FROM image i INDEXED BY image_by_subject"
        " WHERE i.repository_id = :repository AND i.subject = :subject ORDER BY i.id LIMIT :limit",
        repository=repository_id,
        subject=subject,
        limit=LARGEST_INTEGER if limit is None else limit,
    )
    return [Image(*row) for row in rows]


def largest_of(tx: Transaction, image_ids: Iterable[int]) -> int:
    """The size in bytes of the largest of these images; 0 if there are none."""
    row = tx.one(
        "SELECT coalesce(max(size), 0) FROM image WHERE id = ANY(:images)",
        images=list(image_ids),
    )
    return int(row[0]) if row else 0
