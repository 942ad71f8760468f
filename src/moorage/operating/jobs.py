"""The background jobs of the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import ApiCall, HandlerOf, seconds
from moorage.core import jobs as queue
from moorage.core.jobs import JobError, JobUnknown
from moorage.metadata.database import Transaction
from moorage.metadata.jobs import JobState
from moorage.operating.refusals import Conflict, ResourceNotFound
from moorage.operating.service import requested_page, with_token

if TYPE_CHECKING:
    from moorage.operating import shapes


async def list_jobs(call: ApiCall, request: shapes.ListJobsRequest) -> Mapping[str, Any]:
    status, now = request.get("status", ""), call.services.now()
    page = requested_page(call, request, f"ListJobs:{status}", ("", ""))
    found, end = await call.read(
        lambda tx: queue.page_in_state(tx, page.after, page.limit, status.lower() or None, now)
    )
    return with_token({"jobs": [_view(job, now) for job in found]}, None if end is None else page.token(end))


async def retry_job(call: ApiCall, request: shapes.RetryJobRequest) -> Mapping[str, Any]:
    kind, key, now = request["kind"], request["key"], call.services.now()
    return await _change(call, kind, key, lambda tx: queue.retry(tx, kind, key, now))


async def drop_job(call: ApiCall, request: shapes.DropJobRequest) -> Mapping[str, Any]:
    kind, key, now = request["kind"], request["key"], call.services.now()
    return await _change(call, kind, key, lambda tx: queue.drop(tx, kind, key, now))


async def _change(call: ApiCall, kind: str, key: str, work: Callable[[Transaction], None]) -> Mapping[str, Any]:
    try:
        await call.write(work)
    except JobUnknown:
        raise ResourceNotFound(reason=f"There is no job {kind!r} with the key {key!r}") from None
    except JobError as error:
        raise Conflict(reason=str(error)) from None
    return {}


def _view(job: JobState, now: int) -> dict[str, Any]:
    state = queue.state_of(job, now)
    view: dict[str, Any] = {"kind": job.kind, "key": job.key, "status": state.upper(), "attempts": job.attempts}
    if state == queue.WAITING:
        view["dueAt"] = seconds(job.due_at)
    if job.last_error is not None:
        view["lastError"] = job.last_error
    return view


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = {
    "ListJobs": list_jobs,
    "RetryJob": retry_job,
    "DropJob": drop_job,
}
