"""Translate between rows and the members of requests and responses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, cast

import msgspec

from moorage.api.call import seconds
from moorage.api.repository_view import encryption_view, filters_view, repository_view
from moorage.core.registry.image_ids import ImageFailure, ImageId
from moorage.core.registry.images import DeletedImageId
from moorage.core.scanning.scans import ImageScan
from moorage.core.services import Services
from moorage.domain.registry.errors import InvalidTagParameter
from moorage.metadata.registry.images import Image, StoredManifest
from moorage.metadata.registry.pulls import Referrer
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.scanning.scans import ScanRecord

if TYPE_CHECKING:
    from moorage.ecr import shapes

TAGGED: Final[Mapping[shapes.TagStatus, bool | None]] = {"TAGGED": True, "UNTAGGED": False, "ANY": None}
"""The `tagStatus` of a filter: only images with a tag, only those without, or both."""


def repository(services: Services, found: Repository) -> shapes.Repository:
    return cast("shapes.Repository", repository_view(services, found))


def encryption(kind: str, key: str | None) -> shapes.EncryptionConfiguration:
    return cast("shapes.EncryptionConfiguration", encryption_view(kind, key))


def exclusion_filters(filters: Iterable[str]) -> list[shapes.ImageTagMutabilityExclusionFilter]:
    return cast("list[shapes.ImageTagMutabilityExclusionFilter]", filters_view(filters))


def filters_of(filters: Iterable[shapes.ImageTagMutabilityExclusionFilter] | None) -> tuple[str, ...]:
    """The reverse of `exclusion_filters`, for requests."""
    return tuple(item["filter"] for item in filters or ())


def tags(found: Mapping[str, str]) -> list[shapes.Tag]:
    return [{"Key": key, "Value": value} for key, value in found.items()]


def tags_of(members: list[shapes.Tag]) -> dict[str, str]:
    """The reverse of `tags`, for requests. Raises InvalidTagParameter for duplicate keys."""
    found = {tag["Key"]: tag["Value"] for tag in members}
    if len(found) != len(members):
        raise InvalidTagParameter(reason="Duplicate tag keys found. Please note that Tag keys are case sensitive.")
    return found


def image_id(digest: str | None, tag: str | None) -> shapes.ImageIdentifier:
    """An image identifier, without the members that are None."""
    view: shapes.ImageIdentifier = {}
    if digest is not None:
        view["imageDigest"] = digest
    if tag is not None:
        view["imageTag"] = tag
    return view


def images(found: Repository, manifest: StoredManifest, tags: Iterable[str | None]) -> list[shapes.Image]:
    """An image once for each of these tags. All of them share one text of the manifest."""
    text = manifest.body.decode()
    return [
        {
            "registryId": found.registry.account,
            "repositoryName": found.name,
            "imageId": image_id(manifest.digest, tag),
            "imageManifest": text,
            "imageManifestMediaType": manifest.media_type,
        }
        for tag in tags
    ]


def scan_status(scan: ImageScan) -> shapes.ImageScanStatus:
    return {"status": scan.state.status.value, "description": scan.state.description}


def scan_summary(record: ScanRecord) -> shapes.ImageScanFindingsSummary:
    """When an image was scanned, and how many findings there are; without severities that it does not have."""
    view: shapes.ImageScanFindingsSummary = {
        "imageScanCompletedAt": seconds(record.completed_at),
        "findingSeverityCounts": dict(record.counts),  # type: ignore[typeddict-item]  # keys are the model's values
    }
    if record.source_at:
        view["vulnerabilitySourceUpdatedAt"] = seconds(record.source_at)
    return view


def image_detail(found: Repository, row: Image, tags: list[str], scan: ImageScan | None) -> shapes.ImageDetail:
    view: shapes.ImageDetail = {
        "registryId": found.registry.account,
        "repositoryName": found.name,
        "imageDigest": row.digest,
        "imageSizeInBytes": row.size,
        "imagePushedAt": seconds(row.pushed_at),
        "imageManifestMediaType": row.media_type,
        "imageStatus": row.status,  # type: ignore[typeddict-item]  # one of the model's values
    }
    if tags:
        view["imageTags"] = tags
    if row.artifact_type is not None:
        view["artifactMediaType"] = row.artifact_type
    if row.subject is not None:
        view["subjectManifestDigest"] = row.subject
    if row.last_archived_at is not None:
        view["lastArchivedAt"] = seconds(row.last_archived_at)
    if row.last_activated_at is not None:
        view["lastActivatedAt"] = seconds(row.last_activated_at)
    if row.last_pulled_at is not None:
        view["lastRecordedPullTime"] = seconds(row.last_pulled_at)
    if scan is not None:
        view["imageScanStatus"] = scan_status(scan)
        if scan.complete_record is not None:
            view["imageScanFindingsSummary"] = scan_summary(scan.complete_record)
    return view


def referrer(found: Referrer, annotations: str | None) -> shapes.ImageReferrer:
    view: shapes.ImageReferrer = {
        "digest": found.digest,
        "mediaType": found.media_type,
        "size": found.manifest_size,
        "artifactStatus": found.status,  # type: ignore[typeddict-item]  # one of the model's values
    }
    if found.artifact_type is not None:
        view["artifactType"] = found.artifact_type
    if annotations is not None:
        # As it is stored, because decoding 4 MiB of short annotations takes 60 ms.
        view["annotations"] = msgspec.Raw(annotations.encode())  # type: ignore[typeddict-item]  # encoded as a map
    return view


def image_failure(requested: ImageId, failed: ImageFailure) -> shapes.ImageFailure:
    return {
        "imageId": image_id(requested.digest, requested.tag),
        "failureCode": failed.code,  # type: ignore[typeddict-item]  # one of the model's values
        "failureReason": failed.reason,
    }


def deleted_ids(deleted: Iterable[DeletedImageId]) -> list[shapes.ImageIdentifier]:
    return [image_id(entry.digest, entry.tag) for entry in deleted]
