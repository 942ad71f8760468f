"""Operations on scans of images: StartImageScan and DescribeImageScanFindings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from moorage.api.call import seconds
from moorage.core.pages import number_that_fits
from moorage.core.registry import repositories
from moorage.core.registry.image_ids import ImageId
from moorage.core.scanning import enhanced, scans
from moorage.core.scanning.enhanced import ScannedImage
from moorage.domain.scanning.configuration import ENHANCED
from moorage.domain.scanning.results import attributes
from moorage.ecr import views
from moorage.ecr.call import Call, Handler
from moorage.ecr.pages import cut, page_of
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images
from moorage.metadata.registry.images import Image
from moorage.metadata.scanning.scans import StoredFinding

if TYPE_CHECKING:
    from moorage.ecr import shapes

_BYTES_LIMIT: Final = 8 << 20
"""Bytes of findings in a response. docs/decisions/0030-bounded-responses.md has the reasons."""

_SHAPE_BYTES: Final = 1024
"""What the shape of a finding adds to its size as stored."""


_TAGS_SHOWN: Final = 100
"""Tags of the image in each enhanced finding."""


async def start_image_scan(call: Call, request: shapes.StartImageScanRequest) -> shapes.StartImageScanResponse:
    image_id, now = _image_id(request["imageId"]), call.services.now()

    def start(tx: Transaction) -> Image:
        repository = repositories.get(tx, call.registry, request["repositoryName"])
        return scans.start(tx, repository, image_id, now)

    image = await call.write(start)
    return {
        "registryId": call.registry.account,
        "repositoryName": request["repositoryName"],
        "imageId": views.image_id(image.digest, image_id.tag),
        "imageScanStatus": {"status": "IN_PROGRESS"},
    }


async def describe_image_scan_findings(
    call: Call, request: shapes.DescribeImageScanFindingsRequest
) -> shapes.DescribeImageScanFindingsResponse:
    """The findings are there when the scan is complete. Pages have the most severe ones first."""
    name, image_id = request["repositoryName"], _image_id(request["imageId"])
    page = page_of(call, request, f"DescribeImageScanFindings:{name}:{image_id.digest}:{image_id.tag}", (-1,))

    def read(tx: Transaction) -> shapes.DescribeImageScanFindingsResponse:
        repository = repositories.get(tx, call.registry, name)
        scan = scans.get(tx, repository, image_id, call.services.now())
        view: shapes.DescribeImageScanFindingsResponse = {
            "registryId": call.registry.account,
            "repositoryName": name,
            "imageId": views.image_id(scan.image.digest, image_id.tag),
            "imageScanStatus": views.scan_status(scan),
        }
        record = scan.complete_record
        if record is None:
            return view
        tags = images.tags_of(tx, scan.image.id)[:_TAGS_SHOWN] if record.scan_type == ENHANCED else []
        found = scans.findings(tx, scan, *page.after, page.fetch)
        shape = _SHAPE_BYTES + sum(map(len, tags))
        fitting = number_that_fits((one.size + shape for one in found), _BYTES_LIMIT)
        on_page, next_token = cut(page, found, lambda one: (one.position,), fitting)
        findings = cast("shapes.ImageScanFindings", {**views.scan_summary(record)})
        if record.scan_type == ENHANCED:
            scanned = ScannedImage(repository, scan.image, tags, record)
            findings["enhancedFindings"] = [_enhanced(scanned, one) for one in on_page]
        else:
            findings["findings"] = [_basic(one) for one in on_page]
        return {**view, "imageScanFindings": findings, **next_token}

    return await call.read(read)


def _basic(stored: StoredFinding) -> shapes.ImageScanFinding:
    found = stored.finding
    return {
        "name": found.name,
        "description": found.description,
        "uri": found.uri,
        "severity": found.severity.value,
        "attributes": [{"key": key, "value": value} for key, value in attributes(found).items()],
    }


def _enhanced(scanned: ScannedImage, stored: StoredFinding) -> shapes.EnhancedImageScanFinding:
    return cast("shapes.EnhancedImageScanFinding", enhanced.finding(scanned, stored, seconds))


def _image_id(identifier: shapes.ImageIdentifier) -> ImageId:
    return ImageId(identifier.get("imageDigest"), identifier.get("imageTag"))


OPERATIONS: Final[Mapping[str, Handler]] = {
    "StartImageScan": start_image_scan,
    "DescribeImageScanFindings": describe_image_scan_findings,
}
