"""Fills a database with images as pushes leave them: one large repository, and many small ones.

The quarters of the large repository are active and archived images with a tag, and active and archived ones without.
So each filter has many images to skip. The youngest tenth refers to the image 1, and an index lists each tenth image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from moorage.domain.names import RepositoryName
from moorage.metadata.database import Transaction
from moorage.metadata.registry import repositories
from moorage.metadata.registry.repositories import Repository, RepositorySettings
from tests.support.filled_beside import HERE, digest_of, fill_beside

_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
_BASES: Final = 40
"""Layers that images share. Each image has four of them, a layer of its own and a config of its own."""


@dataclass(frozen=True)
class Filled:
    """What a test needs to know of a filled registry. The large repository has `images` images."""

    large: Repository
    small: Sequence[Repository]
    images: int

    def quarter(self, number: int) -> int:
        """The number of the first image of a quarter."""
        return number * self.images // 4

    def image_id(self, number: int) -> int:
        """The id of an image of the large repository; -1 is the youngest."""
        return number % self.images + 1

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
        subject = digest_of("image", repository.id, 1)
        for each in range(number):
            image = next(self._image_ids)
            config = self._blob(digest_of("config", repository.id, each))
            layers = [self._bases[base] for base in _bases_of(each)]
            layers.append(self._blob(digest_of("layer", repository.id, each)))
            digest = digest_of("image", repository.id, each)
            quarter = 4 * each // number
            status, is_tagged = ("ACTIVE", "ARCHIVED")[quarter % 2], int(quarter < 2)
            referred = subject if number > 1 and each >= number * 9 // 10 else None
            facts = (_CONFIG, referred, 6000, 900, "{}", image, status, is_tagged)
            self._add("image", image, repository.id, digest, _MANIFEST, *facts)
            self._add("manifest", image, b"{}")
            if is_tagged:
                self._add("tag", repository.id, f"v{each:07}", image, image, status)
            if each % 10 == 9:
                self._add("image_child", image, image - 9)
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
    "image": (
        "id repository_id digest media_type artifact_type subject size manifest_size annotations pushed_at"
        " status is_tagged"
    ),
    "manifest": "image_id body",
    "image_child": "parent_id child_id",
    "image_layer": "image_id blob_id repository_id media_type",
    "tag": "repository_id name image_id tagged_at image_status",
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
    filled = Filled(large, small, images)
    fill_beside(tx, filled)
    return filled


def _repository(tx: Transaction, name: str) -> Repository:
    made = repositories.insert(tx, HERE, RepositoryName(name), RepositorySettings(), 1)
    assert made is not None
    return made
