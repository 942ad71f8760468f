"""The rows of a registry with many images, as pushes leave them.

One repository has a fifth of all images, or 500 if that is more, with five tags each. One, which is deleted, has a
tenth. The others share the rest, about seven each. An image has a config and a layer of its own, and the four layers
of one of fifty bases. Only the first blobs have bytes; for the others, a server answers all but a GET of the blob.
"""

from __future__ import annotations

import hashlib
import random
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec

from moorage.metadata.database import Transaction
from moorage.metadata.engines.sqlite.writer import open_writer
from moorage_bench.content import OCI_MANIFEST

ACCOUNT, REGION = "000000000000", "us-east-1"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
LARGE, DELETED = "growth/large", "growth/deleted"
TAGS: Final = 5
UNTAGGED: Final = 50
"""Images of the large repository without a tag, among the others: the same number at each size, so pages are equal."""

LEAST: Final = 500
"""Images of the large repository in a small data folder, so that each has a full page and enough to delete."""

BASES: Final = 50
LAYERS_A_BASE: Final = 4
FILES: Final = 1000
"""Blobs that have bytes."""

BATCH: Final = 10_000
"""Images in a transaction."""

CACHE_KIB: Final = 1_000_000
"""Digests are random, so the pages of their indexes must stay in memory while millions are added."""

_COLUMNS: Final = {
    "blob": "id digest size storage_key created_at",
    "repository": (
        "id account region name created_at tag_mutability exclusion_filters scan_on_push encryption_type images"
    ),
    "repository_layer": "repository_id blob_id linked_at told_at",
    "image": (
        "id repository_id digest media_type artifact_type subject size manifest_size annotations pushed_at is_tagged"
    ),
    "manifest": "image_id body",
    "image_layer": "image_id blob_id repository_id media_type",
    "tag": "repository_id name image_id tagged_at",
    "registry_count": "account region repositories",
}
"""The tables that pushes fill, in the order of their references."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A layer or a config that is stored."""

    id: int
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Filled:
    """What requests need to know: names, and the youngest images of the large repository, the youngest last."""

    images: int
    small: Sequence[str]
    digests: Sequence[str]
    tags: Sequence[str]
    config: Blob
    layers: Sequence[Blob]
    own_layers: Sequence[str]


@dataclass(slots=True)
class _Filler:
    data: Path
    rows: defaultdict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(list))
    blob_ids: Iterator[int] = field(default_factory=lambda: count(1))
    image_ids: Iterator[int] = field(default_factory=lambda: count(1))
    repository_ids: Iterator[int] = field(default_factory=lambda: count(1))
    random: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - the same rows each time
    now: int = field(default_factory=lambda: time.time_ns() // 1000)

    def add(self, table: str, *row: Any) -> None:
        self.rows[table].append(row)

    def blob(self, size: int) -> Blob:
        """Add a blob; the first ones have bytes, and the size of those."""
        number, name = next(self.blob_ids), str(uuid.UUID(int=self.random.getrandbits(128)))
        digest = f"{self.random.getrandbits(256):064x}"
        if number <= FILES:
            content = name.encode()
            digest, size = hashlib.sha256(content).hexdigest(), len(content)
            path = self.data / "blobs" / "sha256" / digest[:2] / f"{digest}-{name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        key = f"blobs/sha256/{digest[:2]}/{digest}-{name}"
        self.add("blob", number, f"sha256:{digest}", size, key, self.now)
        return Blob(number, f"sha256:{digest}", size)

    def repository(self, name: str, images: int) -> int:
        repository = next(self.repository_ids)
        self.add("repository", repository, ACCOUNT, REGION, name, self.now, "MUTABLE", "[]", 0, "AES256", images)
        return repository

    def image(self, repository: int, base: Sequence[Blob], tags: Sequence[str], linked: set[int]) -> _Image:
        """Add an image. `linked` has the blobs that the repository has already."""
        image, config, own = next(self.image_ids), self.blob(1500), self.blob(5_000_000)
        layers = [*base, own]
        body = manifest_of(config, layers)
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        size = config.size + sum(layer.size for layer in layers)
        facts = (OCI_MANIFEST, CONFIG, None, size, len(body), "{}", self.now, int(bool(tags)))
        self.add("image", image, repository, digest, *facts)
        self.add("manifest", image, body)
        for blob in (config, *layers):
            self.add("image_layer", image, blob.id, repository, CONFIG if blob is config else LAYER)
            if blob.id not in linked:
                self.add("repository_layer", repository, blob.id, self.now, self.now)
        linked.update(blob.id for blob in base)
        for tag in tags:
            self.add("tag", repository, tag, image, self.now)
        return _Image(digest, tags, config, layers)

    def write(self, tx: Transaction) -> None:
        tx.run(f"PRAGMA cache_size = -{CACHE_KIB}")
        for table, columns in _COLUMNS.items():
            tx.fill(table, columns.split(), self.rows.pop(table, []))


@dataclass(frozen=True, slots=True)
class _Image:
    digest: str
    tags: Sequence[str]
    config: Blob
    layers: Sequence[Blob]


def fill(data: Path, images: int) -> Filled:
    """Fill a data folder, which a server has prepared and no server uses, with so many images."""
    filler = _Filler(data)
    bases = [[filler.blob(30_000_000) for _ in range(LAYERS_A_BASE)] for _ in range(BASES)]
    small = [f"team-{number % 100:02}/app-{number // 100:05}" for number in range(max(images // 10 - 2, 2))]
    large: list[_Image] = []
    with open_writer(data / "moorage.db") as writer:
        for name, number in _sizes(images, small):
            repository, linked = filler.repository(name, number), set[int]()
            for each in range(number):
                base = bases[(repository + each % 3) % BASES]
                image = filler.image(repository, base, _tags(name, each, number), linked)
                if name == LARGE:
                    large.append(image)
                if len(filler.rows["image"]) >= BATCH:
                    writer.transact(filler.write)
        filler.add("registry_count", ACCOUNT, REGION, len(small) + 2)
        writer.transact(filler.write)
    return _filled(images, small, large)


def manifest_of(config: Blob, layers: Sequence[Blob], **annotations: str) -> bytes:
    """The manifest of an image."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": CONFIG, "digest": config.digest, "size": config.size},
        "layers": [{"mediaType": LAYER, "digest": layer.digest, "size": layer.size} for layer in layers],
    }
    return msgspec.json.encode(document | ({"annotations": annotations} if annotations else {}))


def _sizes(images: int, small: Sequence[str]) -> Iterator[tuple[str, int]]:
    """The repositories and their numbers of images."""
    large, deleted = max(images // 5, min(images // 2, LEAST)), images // 10
    yield LARGE, large
    yield DELETED, deleted
    left = images - large - deleted
    for number, name in enumerate(small):
        yield name, left // len(small) + (number < left % len(small))


def _tags(name: str, number: int, images: int) -> Sequence[str]:
    if name == LARGE:
        each = max(images // UNTAGGED, 2)
        return [] if number % each == each - 1 else [f"v{number:07}-{kind}" for kind in range(TAGS)]
    return [f"v{number:07}", *(["latest"] if number == images - 1 else [])]


def _filled(images: int, small: Sequence[str], large: Sequence[_Image]) -> Filled:
    first = large[0]
    return Filled(
        images,
        small,
        [image.digest for image in large],
        [image.tags[0] for image in large if image.tags],
        first.config,
        first.layers,
        [image.layers[-1].digest for image in large],
    )
