"""Operations on images: PutImage, BatchGetImage, ListImages, DescribeImages, BatchDeleteImage, ListImageReferrers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final

from moorage import failpoints
from moorage.core.pages import number_that_fits
from moorage.core.pull_through.referrers import WantedReferrers
from moorage.core.registry import image_ids, repositories
from moorage.core.registry.image_ids import ImageFailure, ImageId
from moorage.core.registry.images import Push, parsed
from moorage.core.registry.referrers import ReferrersPage, page_of_referrers
from moorage.core.scanning import scans
from moorage.domain.errors import DigestInvalid, InvalidParameter, TagInvalid
from moorage.domain.names import Digest, Tag
from moorage.domain.registry.errors import ImageDigestDoesNotMatch
from moorage.domain.registry.quotas import limit_exceeded
from moorage.domain.signing.errors import ImageNotSigned
from moorage.ecr import views
from moorage.ecr.call import Call, Handler
from moorage.ecr.from_upstream import MANIFESTS_LIMIT, pull_images, with_upstream_referrers
from moorage.ecr.pages import NextToken, cut, page_of, refuse_paging_with
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images as rows
from moorage.metadata.registry.images import Image, ImageFilter, StoredManifest
from moorage.metadata.registry.pulls import ReferrerFilter
from moorage.metadata.registry.repositories import Repository

if TYPE_CHECKING:
    from moorage.ecr import shapes

_TAGS_LIMIT: Final = 20_000
"""Tags on a page of DescribeImages, about 3 MiB. An image can have more only with a larger quota."""

_TAGS_BY_ID_LIMIT: Final = 100_000
"""Tags in a response to DescribeImages with `imageIds`: those of 100 images with ECR's quota of 1,000 each."""

_REFERRERS: Final = 20
"""The default page size of ListImageReferrers."""


async def put_image(call: Call, request: shapes.PutImageRequest) -> shapes.PutImageResponse:
    body = request["imageManifest"].encode()
    manifest = await parsed(body, request.get("imageManifestMediaType"))
    manifest.require_layers()
    tag = _tag(request.get("imageTag"))
    tags = (tag,) if tag else ()
    digest = _expected_digest(call, request)
    push = Push(body=body, manifest=manifest, tags=tags, digest=digest, sparse=False, pusher=call.caller)
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
    from_upstream = await pull_images(call, request["repositoryName"], _image_ids(request["imageIds"]))

    def get(tx: Transaction) -> tuple[shapes.BatchGetImageResponse, list[StoredManifest]]:
        repository = from_upstream.repository(tx)
        found: list[tuple[Image, Sequence[str | None]]] = []
        failures: list[shapes.ImageFailure] = []
        left = MANIFESTS_LIMIT - from_upstream.size
        for image_id in from_upstream.not_on_their_way:
            try:
                image = image_ids.resolve_active(tx, repository, image_id)
            except ImageFailure as failed:
                failures.append(views.image_failure(image_id, from_upstream.failures.get(image_id, failed)))
            else:
                tags = _tags_that_fit(tx, image, image_id, left)
                left -= image.manifest_size * len(tags)
                found.append((image, tags))
        manifests = {image.id: image_ids.stored_manifest(tx, image) for image, _ in found}
        copies = [views.images(repository, manifests[image.id], tags) for image, tags in found]
        copies += from_upstream.views(repository)
        return {"images": list(chain.from_iterable(copies)), "failures": failures}, list(manifests.values())

    response, pulled = await call.read(get)
    if pulled and await call.services.guard.is_guarded(call.registry):
        response, pulled = await _signed_only(call, request["repositoryName"], response, pulled)
    for manifest in pulled:
        await call.services.pulls.record(call.caller, call.registry, manifest)
    return response


async def _signed_only(
    call: Call, repository: str, response: shapes.BatchGetImageResponse, pulled: list[StoredManifest]
) -> tuple[shapes.BatchGetImageResponse, list[StoredManifest]]:
    """The response with failures in place of the images that may not be pulled without a signature.

    ECR has no such failure; ImageInaccessible is its code for images that exist and cannot be pulled.
    """
    refused: dict[str, str] = {}
    for manifest in pulled:
        try:
            await call.services.guard.check(call.registry, repository, manifest)
        except ImageNotSigned as refusal:
            refused[manifest.digest] = str(refusal)
    images = [image for image in response["images"] if image["imageId"]["imageDigest"] not in refused]
    failures = [
        views.image_failure(ImageId(digest), ImageFailure("ImageInaccessible", reason))
        for digest, reason in refused.items()
    ]
    allowed = [manifest for manifest in pulled if manifest.digest not in refused]
    return {"images": images, "failures": [*response["failures"], *failures]}, allowed


def _tags_that_fit(tx: Transaction, image: Image, image_id: ImageId, limit: int) -> Sequence[str | None]:
    """The tags with which an image is returned. Raises LimitExceeded if that takes more than `limit` bytes."""
    copies = limit // image.manifest_size
    if copies == 0 or (image_id.tag is None and rows.has_more_tags(tx, image.id, copies)):
        raise limit_exceeded(f"{MANIFESTS_LIMIT} bytes of manifests in one response. Request fewer images at a time")
    return [image_id.tag] if image_id.tag else rows.tags_of(tx, image.id) or [None]


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
        named = [image_ids.get(tx, repository, image_id) for image_id in _image_ids(request["imageIds"])]
        found = {image.id: image for image in named}
        if sum(rows.numbers_of_tags(tx, list(found))) > _TAGS_BY_ID_LIMIT:
            raise limit_exceeded(f"{_TAGS_BY_ID_LIMIT} tags in one response. Request fewer images at a time")
        return _details(call, tx, repository, list(found.values()))

    return {"imageDetails": await call.read(read)}


async def _describe_page(call: Call, request: shapes.DescribeImagesRequest) -> shapes.DescribeImagesResponse:
    name, image_filter = request["repositoryName"], _image_filter(request.get("filter", {}))
    page = page_of(call, request, f"DescribeImages:{name}:{image_filter.tagged}:{image_filter.status}", (0,))

    def read(tx: Transaction) -> tuple[list[shapes.ImageDetail], NextToken]:
        repository = repositories.get(tx, call.registry, name)
        found = rows.page(tx, repository.id, *page.after, image_filter, page.fetch)
        fitting = number_that_fits(rows.numbers_of_tags(tx, [image.id for image in found]), _TAGS_LIMIT)
        on_page, next_token = cut(page, found, lambda image: (image.id,), fitting)
        return _details(call, tx, repository, on_page), next_token

    details, next_token = await call.read(read)
    return {"imageDetails": details, **next_token}


def _details(call: Call, tx: Transaction, repository: Repository, images: list[Image]) -> list[shapes.ImageDetail]:
    tags = rows.tags_of_all(tx, [image.id for image in images])
    found = scans.of_images(tx, repository, images, call.services.now())
    return [views.image_detail(repository, image, tags.get(image.id, []), found.get(image.id)) for image in images]


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
        return page_of_referrers(tx, repository.id, subject, referrer_filter, page)

    wanted = WantedReferrers(subject, referrer_filter.types, *page.after)
    found = await with_upstream_referrers(call, name, await call.read(read), wanted, page.limit)
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
