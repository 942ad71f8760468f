"""Operations on the replication of a registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypedDict

from moorage.api.call import seconds
from moorage.core.registry import image_ids, repositories
from moorage.core.registry.image_ids import ImageId
from moorage.core.replication import backfills, configuration, statuses
from moorage.core.replication.statuses import ImageStatus
from moorage.domain.names import Registry
from moorage.ecr import views
from moorage.ecr.call import Call, Handler
from moorage.ecr.pages import cut, page_of
from moorage.metadata.database import LARGEST_INTEGER, Transaction
from moorage.metadata.replication import backfills as rows
from moorage.metadata.replication.backfills import Backfill, Result

if TYPE_CHECKING:
    from moorage.ecr import shapes


async def put_replication_configuration(
    call: Call, request: shapes.PutReplicationConfigurationRequest
) -> shapes.PutReplicationConfigurationResponse:
    rules, now = request["replicationConfiguration"]["rules"], call.services.now()
    await call.write(lambda tx: configuration.put(tx, call.registry, rules, now))
    return {"replicationConfiguration": {"rules": rules}}


async def describe_image_replication_status(
    call: Call, request: shapes.DescribeImageReplicationStatusRequest
) -> shapes.DescribeImageReplicationStatusResponse:
    name, identifier = request["repositoryName"], request["imageId"]
    image_id = ImageId(identifier.get("imageDigest"), identifier.get("imageTag"))

    def read(tx: Transaction) -> tuple[str, list[ImageStatus]]:
        repository = repositories.get(tx, call.registry, name)
        image = image_ids.get(tx, repository, image_id)
        return image.digest, statuses.of_image(tx, repository, image.digest)

    digest, found = await call.read(read)
    return {
        "repositoryName": name,
        "imageId": views.image_id(digest, image_id.tag),
        "replicationStatuses": [_status(each) for each in found],
    }


def _status(status: ImageStatus) -> shapes.ImageReplicationStatus:
    view: shapes.ImageReplicationStatus = {
        "region": status.destination.region,
        "registryId": status.destination.account,
        "status": status.status,
    }
    if status.failure_code is not None:
        view["failureCode"] = status.failure_code
    return view


async def describe_registry(call: Call, _request: shapes.DescribeRegistryRequest) -> shapes.DescribeRegistryResponse:
    rules = await call.read(lambda tx: configuration.get(tx, call.registry))
    return {"registryId": call.registry.account, "replicationConfiguration": {"rules": rules}}


# --- Backfills --------------------------------------------------------------------------------------------------


async def start_replication_backfill(
    call: Call, request: shapes.StartReplicationBackfillRequest
) -> shapes.StartReplicationBackfillResponse:
    destination = Registry(request["destination"]["registryId"], request["destination"]["region"])
    now = call.services.now()
    return _header(await call.write(lambda tx: backfills.start(tx, call.registry, destination, now)))


async def stop_replication_backfill(
    call: Call, request: shapes.StopReplicationBackfillRequest
) -> shapes.StopReplicationBackfillResponse:
    backfill_id, now = request["replicationBackfillId"], call.services.now()
    return _header(await call.write(lambda tx: backfills.stop(tx, call.registry, backfill_id, now)))


async def describe_replication_backfill_results(
    call: Call, request: shapes.DescribeReplicationBackfillResultsRequest
) -> shapes.DescribeReplicationBackfillResultsResponse:
    backfill_id, status = request["replicationBackfillId"], request.get("resultStatusFilter")
    page = page_of(call, request, f"DescribeReplicationBackfillResults:{backfill_id.lower()}:{status}", (-1,))

    def read(tx: Transaction) -> tuple[Backfill, list[Result]]:
        found = backfills.get(tx, call.registry, backfill_id)
        return found, backfills.results(tx, found, *page.after, status, page.fetch)

    found, results = await call.read(read)
    on_page, next_token = cut(page, results, lambda result: (result.position,))
    ended: _Results = {"results": [_result(each) for each in on_page]} if found.has_ended else {}
    return {**_header(found), **_progress(found), **ended, **next_token}


async def list_replication_backfills(
    call: Call, request: shapes.ListReplicationBackfillsRequest
) -> shapes.ListReplicationBackfillsResponse:
    """The newest first; ECR's order is not documented."""
    page = page_of(call, request, "ListReplicationBackfills", (LARGEST_INTEGER, ""), default_limit=25)
    found = await call.read(lambda tx: rows.page(tx, call.registry, page.after, page.fetch))
    on_page, next_token = cut(page, found, lambda each: (each.started_at, each.id))
    return {"registryId": call.registry.account, "backfills": [_summary(each) for each in on_page], **next_token}


def _header(backfill: Backfill) -> shapes.StartReplicationBackfillResponse:
    return {"registryId": backfill.source.account, **_identity(backfill)}


def _identity(backfill: Backfill) -> _Identity:
    destination = backfill.destination
    return {
        "replicationBackfillId": backfill.id,
        "destination": {"region": destination.region, "registryId": destination.account},
        "status": backfill.status,
        "startedAt": seconds(backfill.started_at),
    }


def _progress(backfill: Backfill) -> _Progress:
    """The progress is missing until all images are known (API reference), the end until it has ended."""
    view: _Progress = {}
    if backfill.is_prepared:
        view["progress"] = {
            "totalReplicationCount": backfill.total,
            "completedReplicationCount": backfill.completed,
            "failedReplicationCount": backfill.failed,
            "failureCodes": list(backfill.failure_codes),
        }
    if backfill.failure_code is not None:
        view["failureCode"] = backfill.failure_code
    if backfill.ended_at is not None:
        view["endedAt"] = seconds(backfill.ended_at)
    return view


def _summary(backfill: Backfill) -> shapes.ReplicationBackfillSummary:
    return {**_identity(backfill), **_progress(backfill)}


def _result(result: Result) -> shapes.ReplicationBackfillResult:
    view: shapes.ReplicationBackfillResult = {
        "repositoryName": result.repository,
        "imageId": views.image_id(result.digest, result.tag or None),
        "status": result.status,
    }
    if result.failure_code is not None:
        view["failureCode"] = result.failure_code
    if result.sub_codes is not None:
        view["subImageFailureCodes"] = list(result.sub_codes)
    return view


class _Identity(TypedDict):
    replicationBackfillId: str
    destination: shapes.ReplicationDestination
    status: shapes.ReplicationBackfillStatus
    startedAt: float


class _Progress(TypedDict, total=False):
    progress: shapes.ReplicationBackfillProgress
    failureCode: str
    endedAt: float


class _Results(TypedDict, total=False):
    results: list[shapes.ReplicationBackfillResult]


OPERATIONS: Final[Mapping[str, Handler]] = {
    "PutReplicationConfiguration": put_replication_configuration,
    "StartReplicationBackfill": start_replication_backfill,
    "StopReplicationBackfill": stop_replication_backfill,
    "DescribeReplicationBackfillResults": describe_replication_backfill_results,
    "ListReplicationBackfills": list_replication_backfills,
    "DescribeImageReplicationStatus": describe_image_replication_status,
    "DescribeRegistry": describe_registry,
}
