"""Operations on images: PutImage, BatchGetImage, ListImages, DescribeImages, BatchDeleteImage, ListImageReferrers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Final

from moorage import failpoints
from moorage.core.pages import number_that_fits
from moorage.core.registry import image_ids, repositories
from moorage.core.registry.image_ids import ImageFailure, ImageId
from moorage.core.registry.images import Push, parsed
from moorage.core.registry.referrers import ReferrersPage, with_annotations
from moorage.domain.errors import (
    DigestInvalid,
    ImageDigestDoesNotMatch,
    InvalidParameter,
    TagInvalid,
)
from moorage.domain.names import Digest, Tag
from moorage.domain.registry.quotas import limit_exceeded
from moorage.ecr import shapes, views
from moorage.ecr.call import Call, Handler
from moorage.ecr.pages import NextToken, cut, page_of, refuse_paging_with
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images as rows
from moorage.metadata.registry import pulls
from moorage.metadata.registry.images import Image, ImageFilter, StoredManifest
from moorage.metadata.registry.pulls import ReferrerFilter
from moorage.metadata.registry.repositories import Repository

_MANIFESTS_LIMIT: Final = 16 << 20
"""Bytes of manifests in a response to BatchGetImage. docs/decisions/0030-bounded-responses.md has the reasons."""

_TAGS_LIMIT: Final = 20_000
"""Tags on a page of DescribeImages, about 3 MiB. An image can have more only with a larger quota."""

_REFERRERS: Final = 20
"""The default page size of ListImageReferrers."""


async def put_image(call: Call, request: shapes.PutImageRequest) -> shapes.PutImageResponse:
    body = request["imageManifest"].encode()
    manifest = await parsed(body, request.get("imageManifestMediaType"))
    tag = _tag(request.get("imageTag"))
    tags = (tag,) if tag else ()
    push = Push(body=body, manifest=manifest, tags=tags, digest=_expected_digest(call, request), sparse=False)
    now = call.services.now()

    def put(tx: Transaction) -> shapes.Image:
        repository = repositories.get(tx, call.registry, request["repositoryName"])
        digest = call.services.images.put(tx, repository, push, now)
        return views.images(repository, StoredManifest(digest, manifest.media_type, body), [tag])[0]

    stored = await call.write(put)
    failpoints.hit("M3")
    return {"image": stored}


async def batch_get_image(call: Call, request: shapes.BatchGetImageRequest) -> shapes.BatchGetImageResponse:
    """An image requested by digest is returned once for each of its tags. Media types are never converted."""

    def get(tx: Transaction) -> tuple[shapes.BatchGetImageResponse, list[StoredManifest]]:
        repository = repositories.get(tx, call.registry, request["repositoryName"])
        found: list[tuple[Image, Sequence[str | None]]] = []
        failures: list[shapes.ImageFailure] = []
        for image_id in _image_ids(request["imageIds"]):
            try:
                image = image_ids.resolve_active(tx, repository, image_id)
            except ImageFailure as failed:
                failures.append(views.image_failure(image_id, failed))
            else:
                found.append((image, [image_id.tag] if image_id.tag else rows.tags_of(tx, image.id) or [None]))
        _check_size(found)
        manifests = {image.id: image_ids.stored_manifest(tx, image) for image, _ in found}
        copies = [views.images(repository, manifests[image.id], tags) for image, tags in found]
        return {"images": list(chain.from_iterable(copies)), "failures": failures}, list(manifests.values())

    response, pulled = await call.read(get)
    for manifest in pulled:
        await call.services.pulls.record(call.caller, call.registry, manifest)
    return response


def _check_size(found: Iterable[tuple[Image, Sequence[str | None]]]) -> None:
    """Raises LimitExceeded if the copies of the manifests, one for each tag, are too large for a response."""
    if sum(image.manifest_size * len(tags) for image, tags in found) > _MANIFESTS_LIMIT:
        raise limit_exceeded(f"{_MANIFESTS_LIMIT} bytes of manifests in one response. Request fewer images at a time")


async def list_images(call: Call, request: shapes.ListImagesRequest) -> shapes.ListImagesResponse:
    name, image_filter = request["repositoryName"], _image_filter(request.get("filter", {}))
    page = page_of(call, request, f"ListImages:{name}:{image_filter.tagged}:{image_filter.status}", (0, ""))

    def read(tx: Transaction) -> list[tuple[int, str, str | None]]:
        repository = repositories.get(tx, call.registry, name)
        return rows.page_of_ids(tx, repository.id, page.after, image_filter, page.fetch)

    on_page, next_token = cut(page, await call.read(read), lambda row: (row[0], row[2] or ""))
    return {"imageIds": [views.image_id(digest, tag) for _, digest, tag in on_page], **next_token}


async def describe_images(call: Call, request: shapes.DescribeImagesRequest) -> shapes.DescribeImagesResponse:
    """With `imageIds`, a missing image fails the whole call. Without, return pages with one entry per digest."""
    if "imageIds" in request:
        refuse_paging_with(request, "imageIds", also=("filter",))
        return await _describe_by_id(call, request)
    return await _describe_page(call, request)


async def _describe_by_id(call: Call, request: shapes.DescribeImagesRequest) -> shapes.DescribeImagesResponse:
    def read(tx: Transaction) -> list[shapes.ImageDetail]:
        repository = repositories.get(tx, call.registry, request["repositoryName"])
        found = [image_ids.get(tx, repository, image_id) for image_id in _image_ids(request["imageIds"])]
        return _details(tx, repository, list({image.id: image for image in found}.values()))

    return {"imageDetails": await call.read(read)}


async def _describe_page(call: Call, request: shapes.DescribeImagesRequest) -> shapes.DescribeImagesResponse:
    name, image_filter = request["repositoryName"], _image_filter(request.get("filter", {}))
    page = page_of(call, request, f"DescribeImages:{name}:{image_filter.tagged}:{image_filter.status}", (0,))

    def read(tx: Transaction) -> tuple[list[shapes.ImageDetail], NextToken]:
        repository = repositories.get(tx, call.registry, name)
        found = rows.page(tx, repository.id, *page.after, image_filter, page.fetch)
        fitting = number_that_fits(rows.numbers_of_tags(tx, [image.id for image in found]), _TAGS_LIMIT)
        on_page, next_token = cut(page, found, lambda image: (image.id,), fitting)
        return _details(tx, repository, on_page), next_token

    details, next_token = await call.read(read)
    return {"imageDetails": details, **next_token}


def _details(tx: Transaction, repository: Repository, images: list[Image]) -> list[shapes.ImageDetail]:
    tags = rows.tags_of_all(tx, [image.id for image in images])
    return [views.image_detail(repository, image, tags.get(image.id, [])) for image in images]


async def batch_delete_image(call: Call, request: shapes.BatchDeleteImageRequest) -> shapes.BatchDeleteImageResponse:
    now = call.services.now()

    def delete(tx: Transaction) -> shapes.BatchDeleteImageResponse:
        repository = repositories.get(tx, call.registry, request["repositoryName"])
        deleted, failures = call.services.images.delete_batch(tx, repository, _image_ids(request["imageIds"]), now)
        return {
            "imageIds": views.deleted_ids(deleted),
            "failures": [views.image_failure(image_id, failed) for image_id, failed in failures],
        }

    return await call.write(delete)


async def list_image_referrers(
    call: Call, request: shapes.ListImageReferrersRequest
) -> shapes.ListImageReferrersResponse:
    """A missing subject is not an error: it has no referrers (distribution-spec, "Listing Referrers")."""
    name, subject = request["repositoryName"], request["subjectId"]["imageDigest"]
    members = request.get("filter", {})
    referrer_filter = ReferrerFilter(tuple(members.get("artifactTypes", [])), members.get("artifactStatus", "ACTIVE"))
    scope = f"ListImageReferrers:{name}:{subject}:{referrer_filter}"
    page = page_of(call, request, scope, (0,), default_limit=_REFERRERS)

    def read(tx: Transaction) -> ReferrersPage:
        repository = repositories.get(tx, call.registry, name)
        found = pulls.referrers(tx, repository.id, subject, referrer_filter, *page.after, page.fetch)
        return with_annotations(tx, found, page.limit)

    found = await call.read(read)
    view: shapes.ListImageReferrersResponse = {
        "referrers": [views.referrer(referrer, found.annotations.get(referrer.id)) for referrer in found.referrers]
    }
    if found.more:
        view["nextToken"] = page.token((found.referrers[-1].id,))
    return view


def _image_ids(identifiers: list[shapes.ImageIdentifier]) -> list[ImageId]:
    """The identifiers of a request, each once."""
    return list(dict.fromkeys(ImageId(item.get("imageDigest"), item.get("imageTag")) for item in identifiers))


def _image_filter(members: shapes.ListImagesFilter | shapes.DescribeImagesFilter) -> ImageFilter:
    """The filter of a request. By default archived images are not listed (ECR user guide, "Archiving an image")."""
    return ImageFilter(views.TAGGED[members.get("tagStatus", "ANY")], members.get("imageStatus", "ACTIVE"))


def _tag(text: str | None) -> Tag | None:
    if text is None:
        return None
    try:
        return Tag.parse(text)
    except TagInvalid:
        constraint = "must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'"
        raise InvalidParameter(parameter="imageTag", constraint=constraint) from None


def _expected_digest(call: Call, request: shapes.PutImageRequest) -> Digest | None:
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
