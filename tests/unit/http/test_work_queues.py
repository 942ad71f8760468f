"""Queues of work: all shares have their turns, in threads and in the transactions of the database's writer."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from moorage.metadata.database import Transaction
from moorage.metadata.engines.sqlite.batches import LEAST_ALLOWANCE, MAX_BATCH, Batch, QueuedWrite
from moorage.shares import FairQueue, Share, SharedThreads, WorkQueue, current, enter


def test_each_share_has_one_item_in_a_round() -> None:
    waiting: FairQueue[str] = FairQueue()
    for number in range(4):
        waiting.put("many", f"many {number}")
    for share in ("few", "other"):
        waiting.put(share, share)

    assert [waiting.pop() for _ in range(6)] == ["many 0", "few", "other", "many 1", "many 2", "many 3"]
    with pytest.raises(IndexError):
        waiting.pop()


def test_the_items_of_a_share_keep_their_order_and_can_be_left_out() -> None:
    waiting: FairQueue[int] = FairQueue()
    for number in range(3):
        waiting.put("left out", number)
    waiting.put("other", 9)

    assert waiting.pop(without={"left out"}) == 9
    with pytest.raises(IndexError):
        waiting.pop(without={"left out"})
    assert [waiting.pop() for _ in range(3)] == [0, 1, 2]


def put(waiting: WorkQueue[Any], share: str, *items: Any, has_others: bool = False) -> None:
    enter(Share(share, has_others))
    for item in items:
        waiting.put(item)


def test_the_end_of_a_queue_comes_after_all_items() -> None:
    waiting: WorkQueue[int] = WorkQueue()
    waiting.put(None)
    put(waiting, "one", 1, 2)

    assert [waiting.get() for _ in range(3)] == [1, 2, None]
    with pytest.raises(queue.Empty):
        waiting.get_nowait()


def test_an_item_that_was_left_out_stays_in_the_queue() -> None:
    waiting: WorkQueue[int] = WorkQueue()
    put(waiting, "one", 1)
    with pytest.raises(queue.Empty):
        waiting.get_nowait(without={"one"})

    assert waiting.get() == 1


def test_work_of_a_share_with_little_is_next_in_a_thread_pool() -> None:
    began = threading.Event()
    free = threading.Event()
    order: list[str] = []

    def hold() -> None:
        began.set()
        free.wait(60)

    def submit(threads: SharedThreads, share: str, work: Callable[[], object]) -> Future[object]:
        enter(Share(share, has_others=True))
        return threads.submit(work)

    with SharedThreads(1, "test") as threads:
        submit(threads, "many", hold)
        assert began.wait(60)
        for _ in range(50):
            submit(threads, "many", lambda: order.append(current().name))
        submit(threads, "few", lambda: order.append(current().name))
        free.set()

    assert order.index("few") == 1, order
    assert order.count("many") == 50


class Writes:
    """Writes that wait for the writer, and what its batches ran. Each write takes a tenth of the least allowance."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waiting: WorkQueue[QueuedWrite] = WorkQueue()
        self.loop = asyncio.new_event_loop()

    def add(self, share: str, number: int, *, has_others: bool = False) -> None:
        enter(Share(share, has_others))
        for _ in range(number):
            self.waiting.put(QueuedWrite(self._run, self.loop))

    def batch(self, commit_seconds: float = 0.0) -> list[str]:
        """The shares of the writes of the next batch, in their order."""
        first = self.waiting.get()
        assert first is not None
        batch = Batch(first, self.waiting, commit_seconds, lambda: self.now)
        batch.run(lambda write: write.work(None))  # type: ignore[arg-type]  # Nothing uses the transaction.
        return [write.share.name for write in batch.writes]

    def _run(self, _: Transaction) -> None:
        self.now += LEAST_ALLOWANCE / 9.5


@pytest.fixture
def writes() -> Any:
    made = Writes()
    yield made
    made.loop.close()


def test_the_writes_of_one_share_fill_a_batch(writes: Writes) -> None:
    writes.add("alone", 100)

    assert writes.batch() == ["alone"] * MAX_BATCH
    assert writes.batch() == ["alone"] * (100 - MAX_BATCH)


def test_a_write_of_another_share_waits_for_few_writes(writes: Writes) -> None:
    writes.add("many", 100)
    writes.add("few", 1)

    batch = writes.batch()

    assert batch[:2] == ["many", "few"]
    assert batch.count("many") == 10


def test_a_write_that_arrives_while_a_batch_runs_is_its_next_one(writes: Writes) -> None:
    writes.add("many", 100)
    first = writes.waiting.get()
    assert first is not None
    batch = Batch(first, writes.waiting, 0.0, lambda: writes.now)

    def run(write: QueuedWrite) -> None:
        write.work(None)  # type: ignore[arg-type]  # Nothing uses the transaction.
        if len(batch.writes) == 20:
            writes.add("late", 1)

    batch.run(run)

    # One more of the first share may be its turn before.
    assert "late" in [write.share.name for write in batch.writes[20:22]]
    assert len(batch.writes) <= 22


def test_beside_requests_of_others_in_any_process_a_share_has_a_part_of_a_batch(writes: Writes) -> None:
    writes.add("beside", 100, has_others=True)

    assert len(writes.batch()) == 10


def test_where_commits_take_long_more_writes_share_one(writes: Writes) -> None:
    writes.add("beside", 100, has_others=True)

    assert len(writes.batch(commit_seconds=3 * LEAST_ALLOWANCE)) == 29
    assert len(writes.batch(commit_seconds=100 * LEAST_ALLOWANCE)) == MAX_BATCH
