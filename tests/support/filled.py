"""Fills a database with images as pushes leave them: one large repository, and many small ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from moorage.domain.names import Registry, RepositoryName
from moorage.metadata.database import Transaction
from moorage.metadata.registry import repositories
from moorage.metadata.registry.repositories import Repository, RepositorySettings

HERE: Final = Registry("000000000000", "us-east-1")
_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
_BASES: Final = 40
"""Layers that images share. Each image has four of them, a layer of its own and a config of its own."""


def digest_of(*parts: object) -> str:
    return "sha256:" + hashlib.sha256(repr(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Filled:
    """What a test needs to know of a filled registry. The large repository has `images` images with a tag each."""

    large: Repository
    small: Sequence[Repository]
    images: int

    def digest(self, number: int) -> str:
        """The digest of an image of the large repository; -1 is the youngest."""
        return digest_of("image", self.large.id, number % self.images)

    def tag(self, number: int) -> str:
        return f"v{number % self.images:07}"

    def layers(self, number: int) -> list[str]:
        """The digests of the config and the layers of an image."""
        number %= self.images
        own = [digest_of("config", self.large.id, number), digest_of("layer", self.large.id, number)]
        return [*own, *(digest_of("base", base) for base in _bases_of(number))]


def _bases_of(number: int) -> list[int]:
    return [(number + step) % _BASES for step in range(4)]


class _Filler:
    """Collects rows by table, because an engine adds many at once in a fraction of the time."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._rows: dict[str, list[tuple[Any, ...]]] = {}
        self._blob_ids, self._image_ids = count(1), count(1)
        self._bases = [self._blob(digest_of("base", number)) for number in range(_BASES)]

    def images(self, repository: Repository, number: int) -> None:
        linked: set[int] = set()
        for each in range(number):
            image = next(self._image_ids)
            config = self._blob(digest_of("config", repository.id, each))
            layers = [self._bases[base] for base in _bases_of(each)]
            layers.append(self._blob(digest_of("layer", repository.id, each)))
            digest = digest_of("image", repository.id, each)
            self._add("image", image, repository.id, digest, _MANIFEST, _CONFIG, None, 6000, 900, "{}", image)
            self._add("manifest", image, b"{}")
            self._add("tag", repository.id, f"v{each:07}", image, image)
            for blob in (config, *layers):
                self._add("image_layer", image, blob, repository.id, _CONFIG if blob == config else _LAYER)
                if blob not in linked:
                    linked.add(blob)
                    self._add("repository_layer", repository.id, blob, image, image)
        self._tx.run("UPDATE repository SET images = :images WHERE id = :id", images=number, id=repository.id)

    def _blob(self, digest: str) -> int:
        blob = next(self._blob_ids)
        self._add("blob", blob, digest, 1000, f"blobs/{digest}", 1)
        return blob

    def _add(self, table: str, *row: Any) -> None:
        self._rows.setdefault(table, []).append(row)

    def write(self) -> None:
        for table in _COLUMNS:
            self._tx.fill(table, _COLUMNS[table].split(), self._rows.get(table, []))


_COLUMNS: Final = {
    "blob": "id digest size storage_key created_at",
    "repository_layer": "repository_id blob_id linked_at told_at",
    "image": "id repository_id digest media_type artifact_type subject size manifest_size annotations pushed_at",
    "manifest": "image_id body",
    "image_layer": "image_id blob_id repository_id media_type",
    "tag": "repository_id name image_id tagged_at",
}
"""The tables that are filled, in the order of their references."""


def fill(tx: Transaction, images: int) -> Filled:
    """Add a repository with so many images, and a tenth as many repositories with one image."""
    large = _repository(tx, "large/app")
    small = [_repository(tx, f"small/app-{number:05}") for number in range(images // 10)]
    filler = _Filler(tx)
    filler.images(large, images)
    for repository in small:
        filler.images(repository, 1)
    filler.write()
    return Filled(large, small, images)


def _repository(tx: Transaction, name: str) -> Repository:
    made = repositories.insert(tx, HERE, RepositoryName(name), RepositorySettings(), 1)
    assert made is not None
    return made
