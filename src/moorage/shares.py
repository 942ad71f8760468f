"""Shares: whose work it is, and queues in which the work of all shares has its turns.

The share of a request is its caller or its address (`http/shares/`); all background jobs of a process are one share.
Each place where work waits for a thread has such a queue, so a caller with much work delays only its own. The length of
a queue is bounded by the requests in progress.
"""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, Final, Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Share(NamedTuple):
    """A share, and whether others had requests lately in any worker process (`http/shares/active_shares.py`)."""

    name: str
    has_others: bool


JOBS: Final = Share("background jobs", has_others=True)

_NOBODY: Final = Share("", has_others=False)

_current: ContextVar[Share] = ContextVar("share", default=_NOBODY)
_request: ContextVar[object | None] = ContextVar("request", default=None)


def current() -> Share:
    """The share whose work this task or thread does."""
    return _current.get()


def enter(share: Share) -> None:
    """Count what this task or thread does from now on for a share."""
    _current.set(share)


def begin_request() -> None:
    """A request begins in this task."""
    _request.set(object())


def current_request() -> object | None:
    """What stands for the request that this task serves, and for no other; None in jobs and commands."""
    return _request.get()


class FairQueue(Generic[T]):
    """Items of shares. Each share has one item in a round, however many wait."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[T]] = OrderedDict()

    def put(self, share: str, item: T) -> None:
        self._waiting.setdefault(share, deque()).append(item)

    def pop(self, without: Collection[str] = ()) -> T:
        """Remove the next item, of any share that is not in `without`. Raises IndexError if there is none."""
        share = next((share for share in self._waiting if share not in without), None)
        if share is None:
            raise IndexError
        items = self._waiting[share]
        item = items.popleft()
        if items:
            self._waiting.move_to_end(share)
        else:
            del self._waiting[share]
        return item


class WorkQueue(Generic[T]):
    """A fair queue between threads, with the methods of `queue.SimpleQueue`.

    An item belongs to the share of the task or thread that puts it. None is the end: it is returned after all items.
    """

    def __init__(self) -> None:
        self._items: FairQueue[T] = FairQueue()
        self._lock = threading.RLock()  # A thread pool's queue gets its end from garbage collection, at any moment.
        self._ready: queue.SimpleQueue[bool] = queue.SimpleQueue()  # Wakes a thread with fewer switches than Condition.
        self._ends = 0

    def put(self, item: T | None) -> None:
        with self._lock:
            if item is None:
                self._ends += 1
            else:
                self._items.put(current().name, item)
        self._ready.put(True)

    def get(self, block: bool = True, without: Collection[str] = ()) -> T | None:  # noqa: FBT002 - as SimpleQueue
        """The next item, of any share that is not in `without`. Raises queue.Empty if there is none, without `block`.

        Only calls without `block` may have a `without`.
        """
        self._ready.get(block)
        with self._lock:
            try:
                return self._items.pop(without)
            except IndexError:
                if self._ends and not without:
                    self._ends -= 1
                    return None
        self._ready.put(True)
        raise queue.Empty

    def get_nowait(self, without: Collection[str] = ()) -> T | None:
        """`get` without waiting. Raises queue.Empty."""
        return self.get(block=False, without=without)


class SharedThreads(ThreadPoolExecutor):
    """A thread pool that begins the work of all shares in turn; without `threads`, of Python's usual size."""

    def __init__(self, threads: int | None, name: str, initializer: Callable[[], None] | None = None) -> None:
        super().__init__(threads, name, initializer)
        # The class has no parameter for it. Its threads use `put`, `get` and `get_nowait`.
        self._work_queue = WorkQueue()  # type: ignore[assignment]

    def submit(self, work: Callable[..., T], /, *arguments: Any, **named: Any) -> Future[T]:
        """Run `work` in a thread, for the share of the caller."""
        return super().submit(_run_for, current(), work, *arguments, **named)


def _run_for(share: Share, work: Callable[..., T], /, *arguments: Any, **named: Any) -> T:
    enter(share)  # What the work submits in turn belongs to the same share.
    return work(*arguments, **named)
