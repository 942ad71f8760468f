"""Bills of materials: kept as referrers of the images that they describe, and read to match these images again."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from moorage.core.attachments import Attachment, Attachments, SubjectGone
from moorage.core.clock import Clock
from moorage.core.registry.images import Images
from moorage.core.scanning.targets import Target
from moorage.domain.errors import LimitExceeded, ManifestNotFound
from moorage.domain.ports import BlobMissing, BlobStore
from moorage.domain.registry.errors import ImageReferencedByIndex
from moorage.domain.registry.manifests import parse_manifest
from moorage.domain.scanning.ports import SBOM_LIMIT, SBOM_TYPE, Scanned
from moorage.metadata.database import Database, Transaction
from moorage.metadata.registry import images, layers
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.layers import Blob
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.scanning.scans import ScanRecord


def find(tx: Transaction, repository: Repository, image: Image, record: ScanRecord | None) -> Blob | None:
    """The bill of materials of an image; None if it was not scanned, or if the referrer was deleted."""
    digest = record.sbom if record else None
    referrer = images.find(tx, repository.id, digest) if digest else None
    if referrer is None or referrer.subject != image.digest:
        return None
    _, *contents = parse_manifest(images.manifest_body(tx, referrer.id), referrer.media_type).layers
    return layers.find_layer(tx, repository.id, contents[0].digest) if contents else None


class Boms:
    """Stores and reads bills of materials."""

    def __init__(
        self, database: Database, blobs: BlobStore, attachments: Attachments, images: Images, now: Clock
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._attachments = attachments
        self._images = images
        self._now = now

    async def keep(self, target: Target, scanned: Scanned) -> str | None:
        """Attach the bill of materials of a scan to its image, and return the digest of the referrer.

        An image has one: that of the same scanner is as good as the new one, and that of another scanner, or of another
        version, is replaced. None if there is none, or if the repository is full.
        """
        before = target.record.sbom
        if scanned.sbom is None or len(scanned.sbom) > SBOM_LIMIT:
            return before
        is_known = await self._database.read(partial(self._find, target)) is not None
        if is_known and target.record.scanner == scanned.scanner:
            return before
        attachment = Attachment(artifact_type=SBOM_TYPE, media_type=SBOM_TYPE, content=scanned.sbom)
        try:
            digest = await self._attachments.attach(target.repository, target.image, attachment)
        except (LimitExceeded, SubjectGone):
            return None
        if before is not None and before != digest:
            await self._database.write(partial(self._remove, target, before))
        return digest

    async def content(self, target: Target) -> bytes | None:
        """The bill of materials of an image; None if it has none, or if it was deleted."""
        blob = await self._database.read(partial(self._find, target))
        if blob is None or blob.size > SBOM_LIMIT:
            return None
        with suppress(BlobMissing):
            return await self._blobs.content(blob.key)
        return None

    def _find(self, target: Target, tx: Transaction) -> Blob | None:
        return find(tx, target.repository, target.image, target.record)

    def _remove(self, target: Target, digest: str, tx: Transaction) -> None:
        with suppress(ManifestNotFound, ImageReferencedByIndex):
            self._images.delete(tx, target.repository, digest, self._now())
