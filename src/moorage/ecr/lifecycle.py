"""Operations on lifecycle policies and their previews, and UpdateImageStorageClass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from moorage.api.call import seconds
from moorage.core.lifecycle import policies as lifecycle
from moorage.core.lifecycle import previews as lifecycle_previews
from moorage.core.lifecycle.previews import PreviewPage, PreviewStatus, ResultFilter
from moorage.core.registry import image_ids, repositories
from moorage.core.registry.image_ids import ImageId
from moorage.core.replication import arrivals
from moorage.core.replication.receiving import REPLICATE
from moorage.ecr import views
from moorage.ecr.call import Call, Handler
from moorage.ecr.pages import cut, page_of, refuse_paging_with
from moorage.metadata.database import Transaction
from moorage.metadata.lifecycle.policies import StoredPolicy
from moorage.metadata.lifecycle.previews import PreviewResult

if TYPE_CHECKING:
    from moorage.ecr import shapes

_STATUSES: Final[Mapping[shapes.TargetStorageClass, shapes.ImageStatus]] = {
    "ARCHIVE": "ARCHIVED",
    "STANDARD": "ACTIVATING",
}
"""ECR reports that a restore has started. Here it is already complete, which DescribeImages shows."""


async def update_image_storage_class(
    call: Call, request: shapes.UpdateImageStorageClassRequest
) -> shapes.UpdateImageStorageClassResponse:
    target, identifier = request["targetStorageClass"], request["imageId"]
    image_id = ImageId(identifier.get("imageDigest"), identifier.get("imageTag"))
    replicate = call.access_request(REPLICATE, request["repositoryName"])
    origin = await arrivals.origin_of(call.request.header(arrivals.ORIGIN), replicate, call.services.authorizer)
    now = call.services.now()

    def update(tx: Transaction) -> tuple[str, shapes.ImageStatus]:
        repository = repositories.get(tx, call.registry, request["repositoryName"])
        image = image_ids.get(tx, repository, image_id)
        here = arrivals.images_for(tx, call.services.images, image, origin)
        if here is None:
            return image.digest, "ARCHIVED" if image.is_archived else "ACTIVE"
        here.storage_classes.update(tx, repository, image, target, now)
        return image.digest, _STATUSES[target]

    digest, status = await call.write(update)
    return {
        "registryId": call.registry.account,
        "repositoryName": request["repositoryName"],
        "imageId": views.image_id(digest, image_id.tag),
        "imageStatus": status,
    }


async def put_lifecycle_policy(
    call: Call, request: shapes.PutLifecyclePolicyRequest
) -> shapes.PutLifecyclePolicyResponse:
    name, text = request["repositoryName"], request["lifecyclePolicyText"]
    due_at = call.services.now() + call.services.limits.lifecycle_delay

    def put(tx: Transaction) -> str:
        return lifecycle.put(tx, repositories.get(tx, call.registry, name), text, due_at)

    stored = await call.write(put)
    return {"registryId": call.registry.account, "repositoryName": name, "lifecyclePolicyText": stored}


async def get_lifecycle_policy(
    call: Call, request: shapes.GetLifecyclePolicyRequest
) -> shapes.GetLifecyclePolicyResponse:
    name = request["repositoryName"]
    found = await call.read(lambda tx: lifecycle.get(tx, repositories.get(tx, call.registry, name)))
    return _policy(call, name, found)


async def delete_lifecycle_policy(
    call: Call, request: shapes.DeleteLifecyclePolicyRequest
) -> shapes.DeleteLifecyclePolicyResponse:
    name = request["repositoryName"]
    found = await call.write(lambda tx: lifecycle.delete(tx, repositories.get(tx, call.registry, name)))
    return _policy(call, name, found)


def _policy(call: Call, name: str, found: StoredPolicy) -> shapes.GetLifecyclePolicyResponse:
    """A policy that was never applied has the epoch as `lastEvaluatedAt` (AWS CLI reference, get-lifecycle-policy)."""
    return {
        "registryId": call.registry.account,
        "repositoryName": name,
        "lifecyclePolicyText": found.text,
        "lastEvaluatedAt": seconds(found.evaluated_at),
    }


async def start_lifecycle_policy_preview(
    call: Call, request: shapes.StartLifecyclePolicyPreviewRequest
) -> shapes.StartLifecyclePolicyPreviewResponse:
    name, text, now = request["repositoryName"], request.get("lifecyclePolicyText"), call.services.now()

    def start(tx: Transaction) -> str:
        return lifecycle_previews.start(tx, repositories.get(tx, call.registry, name), text, now)

    started = await call.write(start)
    return {
        "registryId": call.registry.account,
        "repositoryName": name,
        "lifecyclePolicyText": started,
        "status": "IN_PROGRESS",
    }


async def get_lifecycle_policy_preview(
    call: Call, request: shapes.GetLifecyclePolicyPreviewRequest
) -> shapes.GetLifecyclePolicyPreviewResponse:
    """With `imageIds`, return the results of those images; without, pages of all results."""
    name, status = request["repositoryName"], request.get("filter", {}).get("tagStatus", "ANY")
    if "imageIds" in request:
        refuse_paging_with(request, "imageIds")
    page = page_of(call, request, f"GetLifecyclePolicyPreview:{name}:{status}", (-1,))
    result_filter = ResultFilter(_image_ids(request), views.TAGGED[status], *page.after, page.fetch)

    def read(tx: Transaction) -> PreviewPage:
        return lifecycle_previews.get(tx, repositories.get(tx, call.registry, name), result_filter, call.services.now())

    found = await call.read(read)
    view = _preview(call, name, found)
    if result_filter.image_ids is not None:
        return {**view, "previewResults": [_result(result) for result in found.results]}
    on_page, next_token = cut(page, found.results, lambda result: (result.image_id,))
    return {**view, "previewResults": [_result(result) for result in on_page], **next_token}


def _image_ids(request: shapes.GetLifecyclePolicyPreviewRequest) -> tuple[ImageId, ...] | None:
    if "imageIds" not in request:
        return None
    return tuple(ImageId(item.get("imageDigest"), item.get("imageTag")) for item in request["imageIds"])


def _preview(call: Call, name: str, found: PreviewPage) -> shapes.GetLifecyclePolicyPreviewResponse:
    """A preview without its results."""
    view: shapes.GetLifecyclePolicyPreviewResponse = {
        "registryId": call.registry.account,
        "repositoryName": name,
        "lifecyclePolicyText": found.preview.text,
        "status": found.status.value,
    }
    if found.status is PreviewStatus.COMPLETE:
        view["summary"] = _summary(found)
    return view


def _result(result: PreviewResult) -> shapes.LifecyclePolicyPreviewResult:
    view: shapes.LifecyclePolicyPreviewResult = {
        "imageDigest": result.digest,
        "imagePushedAt": seconds(result.pushed_at),
        "action": {"type": "EXPIRE"},
        "appliedRulePriority": result.priority,
        "storageClass": "ARCHIVE" if result.is_archived else "STANDARD",
    }
    if result.action == "transition":
        view["action"] = {"type": "TRANSITION", "targetStorageClass": "ARCHIVE"}
    if result.tags:
        view["imageTags"] = list(result.tags)
    return view


def _summary(found: PreviewPage) -> shapes.LifecyclePolicyPreviewSummary:
    view: shapes.LifecyclePolicyPreviewSummary = {"expiringImageTotalCount": found.preview.expiring}
    if found.preview.archiving:
        view["transitioningImageTotalCounts"] = [
            {"targetStorageClass": "ARCHIVE", "imageTotalCount": found.preview.archiving}
        ]
    return view


OPERATIONS: Final[Mapping[str, Handler]] = {
    "PutLifecyclePolicy": put_lifecycle_policy,
    "GetLifecyclePolicy": get_lifecycle_policy,
    "DeleteLifecyclePolicy": delete_lifecycle_policy,
    "StartLifecyclePolicyPreview": start_lifecycle_policy_preview,
    "GetLifecyclePolicyPreview": get_lifecycle_policy_preview,
    "UpdateImageStorageClass": update_image_storage_class,
}
