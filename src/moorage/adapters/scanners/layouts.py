"""An image as an OCI layout: a folder of links to the blobs that the registry has stored."""

from __future__ import annotations

import asyncio
import hashlib
import json  # noqa: TID251 - it only writes
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from moorage.domain import strict_json
from moorage.domain.ports import BlobMissing
from moorage.domain.scanning.ports import ImageSource, ImageTooLarge, ScanFailed, SourceBlob
from moorage.domain.strict_json import BadJson

_CONFIG_LIMIT: Final = 8 << 20


class _RootFs(msgspec.Struct, frozen=True):
    diff_ids: list[str] = []


class _Config(msgspec.Struct, frozen=True):
    rootfs: _RootFs = _RootFs()


async def write_layout(folder: Path, image: ImageSource, limit: int, require_space: Callable[[], None]) -> None:
    """Write the image to a new folder. Only blobs that cannot be linked are copied, `limit` bytes at most.

    `require_space` raises OSError when no more bytes may be copied now.

    Links are hard links: Grype does not follow symbolic ones out of a layout. The scanner must not be able to write
    to the folder, because a link is the blob itself. Raises BlobMissing, ImageTooLarge, ScanFailed, Unavailable,
    OSError.
    """
    blobs = folder / "blobs"
    await asyncio.to_thread(_write_index, folder, image)
    copied = 0
    for blob in {one.digest: one for one in (image.config, *image.layers)}.values():
        path = _path_of(blobs, blob.digest)
        if await asyncio.to_thread(_link, blob, path):
            continue
        copied += blob.size
        if copied > limit:
            raise ImageTooLarge(f"The layers of the image have more than {limit >> 20} MiB")
        await _copy(image, blob, path, require_space)


async def layers_by_content(image: ImageSource) -> dict[str, str]:
    """The digest of each layer by that of its uncompressed bytes, which the image's configuration lists.

    Raises ScanFailed, BlobMissing, Unavailable, OSError.
    """
    if image.config.size > _CONFIG_LIMIT:
        raise ScanFailed(f"The image's configuration has more than {_CONFIG_LIMIT >> 20} MiB")
    content = b"".join([chunk async for chunk in image.read(image.config)])
    try:
        config = strict_json.read_as(_Config, content)
    except BadJson as error:
        raise ScanFailed(f"The image's configuration is invalid: {error}") from None
    return dict(zip(config.rootfs.diff_ids, (layer.digest for layer in image.layers), strict=False))


def _write_index(folder: Path, image: ImageSource) -> None:
    for algorithm in ("sha256", "sha512"):
        (folder / "blobs" / algorithm).mkdir(parents=True)
    algorithm = image.digest.partition(":")[0]
    if f"{algorithm}:{hashlib.new(algorithm, image.manifest).hexdigest()}" != image.digest:
        raise ScanFailed("The image's manifest is damaged")
    _path_of(folder / "blobs", image.digest).write_bytes(image.manifest)
    listed = {"mediaType": image.media_type, "digest": image.digest, "size": len(image.manifest)}
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [listed]}))


def _path_of(blobs: Path, digest: str) -> Path:
    algorithm, _, encoded = digest.partition(":")
    return blobs / algorithm / encoded


def _link(blob: SourceBlob, path: Path) -> bool:
    """Link the blob's file; False if it has none, or one on another file system. Raises BlobMissing."""
    if blob.file is None:
        return False
    with suppress(OSError):
        os.link(blob.file, path, follow_symlinks=False)
        return True
    if not blob.file.exists():
        raise BlobMissing(blob.digest)
    return False


async def _copy(image: ImageSource, blob: SourceBlob, path: Path, require_space: Callable[[], None]) -> None:
    with path.open("wb") as file:
        async for chunk in image.read(blob):
            require_space()
            await asyncio.to_thread(file.write, chunk)
