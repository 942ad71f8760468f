"""PutImage, BatchGetImage, ListImages, DescribeImages, BatchDeleteImage, ListImageReferrers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from moorage import failpoints
from moorage.core.registry import image_ids, repositories
from moorage.core.registry.image_ids import ImageFailure, ImageId
from moorage.core.registry.images import Push
from moorage.domain.errors import (
    DigestInvalid,
    ImageDigestDoesNotMatch,
    InvalidParameter,
    TagInvalid,
)
from moorage.domain.names import Digest, Tag
from moorage.domain.registry.manifests import parse_manifest
from moorage.ecr import shapes, views
from moorage.ecr.call import Call, Handler
from moorage.ecr.pages import NextToken, cut, page_of, refuse_paging_with
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images as rows
from moorage.metadata.registry import pulls
from moorage.metadata.registry.images import Image, ImageFilter, StoredManifest
from moorage.metadata.registry.pulls import ReferrerFilter
from moorage.metadata.registry.repositories import Repository

_REFERRERS: Final = 20
"""ListImageReferrers' default page."""


async def put_image(call: Call, request: shapes.PutImageRequest) -> shapes.PutImageResponse:
    body = request["imageManifest"].encode()
    manifest = parse_manifest(body, request.get("imageManifestMediaType"))
    tag = _tag(request.get("imageTag"))
    tags = (tag,) if tag else ()
    push = Push(body=body, manifest=manifest, tags=tags, digest=_expected(call, request), sparse=False)
    now = call.services.now()

    def put(tx: Transaction) -> shapes.Image:
        repository = repositories.get(tx, call.registry, request["repositoryName"])
        digest = call.services.images.put(tx, repository, push, now)
        return views.image(repository, StoredManifest(digest, manifest.media_type, body), tag)

    stored = await call.write(put)
    failpoints.hit("M3")
    return {"image": stored}


async def batch_get_image(call: Call, request: shapes.BatchGetImageRequest) -> shapes.BatchGetImageResponse:
    """By digest an image comes once for each of its tags. Nothing is ever converted to an accepted media type."""

    def get(tx: Transaction) -> tuple[shapes.BatchGetImageResponse, list[StoredManifest]]:
        repository = repositories.get(tx, call.registry, request["repositoryName"])
        found: list[shapes.Image] = []
        failures: list[shapes.ImageFailure] = []
        pulled: list[StoredManifest] = []
        for wanted in _image_ids(request["imageIds"]):
            try:
                manifest, tags = _manifest(tx, repository, wanted)
            except ImageFailure as failed:
                failures.append(views.image_failure(wanted, failed))
            else:
                found += [views.image(repository, manifest, tag) for tag in tags]
                pulled.append(manifest)
        return {"images": found, "failures": failures}, pulled

    response, pulled = await call.read(get)
    for manifest in pulled:
        await call.services.pulls.record(call.caller, call.registry, manifest)
    return response


def _manifest(
    tx: Transaction, repository: Repository, wanted: ImageId
) -> tuple[StoredManifest, list[str] | list[None]]:
    image = image_ids.resolve_active(tx, repository, wanted)
    tags: list[str] | list[None] = [wanted.tag] if wanted.tag else rows.tags_of(tx, image.id) or [None]
    return image_ids.stored_manifest(tx, image), tags


async def list_images(call: Call, request: shapes.ListImagesRequest) -> shapes.ListImagesResponse:
    name, chosen = request["repositoryName"], request.get("filter", {})
    shown = _shown(chosen)
    page = page_of(call, request, f"ListImages:{name}:{shown.tagged}:{shown.status}", (0, ""))

    def read(tx: Transaction) -> list[tuple[int, str, str | None]]:
        repository = repositories.get(tx, call.registry, name)
        return rows.page_of_ids(tx, repository.id, page.after, shown, page.fetch)

    listed, more = cut(page, await call.read(read), lambda row: (row[0], row[2] or ""))
    return {"imageIds": [views.image_id(digest, tag) for _, digest, tag in listed], **more}


async def describe_images(call: Call, request: shapes.DescribeImagesRequest) -> shapes.DescribeImagesResponse:
    """With `imageIds`, one that is missing fails the whole call; without, pages of one row a digest."""
    if "imageIds" in request:
        refuse_paging_with(request, "imageIds", also=("filter",))
        return await _describe_named(call, request)
    return await _describe_page(call, request)


async def _describe_named(call: Call, request: shapes.DescribeImagesRequest) -> shapes.DescribeImagesResponse:
    def read(tx: Transaction) -> list[shapes.ImageDetail]:
        repository = repositories.get(tx, call.registry, request["repositoryName"])
        found = [image_ids.get(tx, repository, wanted) for wanted in _image_ids(request["imageIds"])]
        return _details(tx, repository, list({image.id: image for image in found}.values()))

    return {"imageDetails": await call.read(read)}


async def _describe_page(call: Call, request: shapes.DescribeImagesRequest) -> shapes.DescribeImagesResponse:
    name, chosen = request["repositoryName"], request.get("filter", {})
    shown = _shown(chosen)
    page = page_of(call, request, f"DescribeImages:{name}:{shown.tagged}:{shown.status}", (0,))

    def read(tx: Transaction) -> tuple[list[shapes.ImageDetail], NextToken]:
        repository = repositories.get(tx, call.registry, name)
        found = rows.page(tx, repository.id, *page.after, shown, page.fetch)
        listed, more = cut(page, found, lambda image: (image.id,))
        return _details(tx, repository, listed), more

    details, more = await call.read(read)
    return {"imageDetails": details, **more}


def _details(tx: Transaction, repository: Repository, listed: list[Image]) -> list[shapes.ImageDetail]:
    tags = rows.tags_of_all(tx, [image.id for image in listed])
    return [views.image_detail(repository, image, tags.get(image.id, [])) for image in listed]


async def batch_delete_image(call: Call, request: shapes.BatchDeleteImageRequest) -> shapes.BatchDeleteImageResponse:
    now = call.services.now()

    def delete(tx: Transaction) -> shapes.BatchDeleteImageResponse:
        repository = repositories.get(tx, call.registry, request["repositoryName"])
        removed, failures = call.services.images.delete_batch(tx, repository, _image_ids(request["imageIds"]), now)
        return {
            "imageIds": views.removed(removed),
            "failures": [views.image_failure(wanted, failed) for wanted, failed in failures],
        }

    return await call.write(delete)


async def list_image_referrers(
    call: Call, request: shapes.ListImageReferrersRequest
) -> shapes.ListImageReferrersResponse:
    """A subject that is not there has no referrers, which is no error (distribution-spec, "Listing Referrers")."""
    name, subject = request["repositoryName"], request["subjectId"]["imageDigest"]
    chosen = request.get("filter", {})
    shown = ReferrerFilter(tuple(chosen.get("artifactTypes", [])), chosen.get("artifactStatus", "ACTIVE"))
    page = page_of(call, request, f"ListImageReferrers:{name}:{subject}:{shown}", (0,), default_limit=_REFERRERS)

    def read(tx: Transaction) -> list[Image]:
        repository = repositories.get(tx, call.registry, name)
        return pulls.referrers(tx, repository.id, subject, shown, *page.after, page.fetch)

    listed, more = cut(page, await call.read(read), lambda image: (image.id,))
    return {"referrers": [_referrer(image) for image in listed], **more}


def _referrer(image: Image) -> shapes.ImageReferrer:
    view: shapes.ImageReferrer = {
        "digest": image.digest,
        "mediaType": image.media_type,
        "size": image.manifest_size,
        "artifactStatus": image.status,  # type: ignore[typeddict-item]  # one of the model's values
    }
    if image.artifact_type is not None:
        view["artifactType"] = image.artifact_type
    if image.annotations != "{}":
        view["annotations"] = msgspec.json.decode(image.annotations, type=dict[str, str])
    return view


def _image_ids(identifiers: list[shapes.ImageIdentifier]) -> list[ImageId]:
    return [ImageId(item.get("imageDigest"), item.get("imageTag")) for item in identifiers]


def _shown(chosen: shapes.ListImagesFilter | shapes.DescribeImagesFilter) -> ImageFilter:
    """Unless asked for, archived images are not listed (ECR user guide, "Archiving an image")."""
    return ImageFilter(views.TAGGED[chosen.get("tagStatus", "ANY")], chosen.get("imageStatus", "ACTIVE"))


def _tag(text: str | None) -> Tag | None:
    if text is None:
        return None
    try:
        return Tag.parse(text)
    except TagInvalid:
        constraint = "must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'"
        raise InvalidParameter(parameter="imageTag", constraint=constraint) from None


def _expected(call: Call, request: shapes.PutImageRequest) -> Digest | None:
    text = request.get("imageDigest")
    if text is None:
        return None
    try:
        return Digest.parse(text)
    except DigestInvalid:
        raise ImageDigestDoesNotMatch(
            digest=text, repository=request["repositoryName"], registry=call.registry.account
        ) from None


OPERATIONS: Final[Mapping[str, Handler]] = {
    "PutImage": put_image,
    "BatchGetImage": batch_get_image,
    "ListImages": list_images,
    "DescribeImages": describe_images,
    "BatchDeleteImage": batch_delete_image,
    "ListImageReferrers": list_image_referrers,
}
