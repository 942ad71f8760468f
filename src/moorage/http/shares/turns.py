"""Turns: whose requests a worker process begins next, so that no caller can take all of its time.

While requests of several shares arrive, some have a price: no other request of their share begins for a time, however
many connections wait.

- A request that holds the event loop for long: nine times as long, so such requests take a tenth of the time.
- A large response from memory: as long as it takes to send it at 16 MiB a second.
- A request that a limit refuses: 50 milliseconds, because clients that exceed a limit often repeat the request at once.

docs/decisions/0047-turns-by-time.md has the measurements.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Coroutine, Generator
from types import coroutine
from typing import Any, Final, TypeVar

from moorage.http.shares.active_shares import ActiveShares
from moorage.http.shares.concurrency import WINDOW, Concurrency

_FEW_WAITING: Final = 8

LONG_STEP: Final = 0.005
"""Seconds that a request may hold the event loop at once without a price: 20 times as long as most requests do."""

_LONG_STEP_PRICE: Final = 9
_LARGE_RESPONSE: Final = 256 << 10
_RESPONSE_RATE: Final = 16 << 20
_EXCEEDED_LIMIT_PRICE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0
_MOST_PAUSES: Final = 1000
"""Pauses are kept until there are so many; then those that are over are dropped."""

T = TypeVar("T")


class Turn:
    """The turn of one request. `has_others`: another share had requests lately. `end` may be called more than once."""

    __slots__ = ("_has_ended", "_share", "_turns", "has_others")

    def __init__(self, turns: Turns, share: str, *, has_others: bool) -> None:
        self._turns = turns
        self._share = share
        self.has_others = has_others
        self._has_ended = False

    def end(self) -> None:
        """End the turn: another request of this share may begin."""
        if not self._has_ended:
            self._has_ended = True
            self._turns.ended(self._share)

    def run(self, work: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """Do some work of the request, also after the end of the turn; its long steps have their price."""
        return self._measured(work) if self.has_others else work

    def answered(self, size: int, *, exceeded_limit: bool) -> None:
        """Ask the price of the response, which has `size` bytes in memory."""
        if self.has_others and (size > _LARGE_RESPONSE or exceeded_limit):
            self._turns.pause(self._share, size / _RESPONSE_RATE + _EXCEEDED_LIMIT_PRICE * exceeded_limit)

    @coroutine
    def _measured(self, work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
        """Await the coroutine, and measure each of its steps in time of the processor."""
        step, argument = work.send, None
        while True:
            started = time.thread_time()
            try:
                waits_for = step(argument)
            except StopIteration as stop:
                result: T = stop.value
                return result
            finally:
                held = time.thread_time() - started
                if held > LONG_STEP:
                    self._turns.pause(self._share, _LONG_STEP_PRICE * (held - LONG_STEP))
            try:
                step, argument = work.send, (yield waits_for)
            except BaseException as error:  # noqa: BLE001 - the work must see it, a cancellation above all
                step, argument = work.throw, error


class Turns:
    """Lets the requests of a worker process begin, share by share, when there is more than one share.

    In each round of the event loop one request of each share begins, or two of a share with few. A share has a limited
    number of requests in progress then (`concurrency.py`). With one share, requests begin at once, and nothing has a
    price.
    """

    def __init__(self, active: ActiveShares) -> None:
        self._active = active
        self._concurrency = Concurrency()
        self._in_progress: dict[str, int] = {}  # Not a Counter: its methods are Python, and each request calls two.
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._paused_until: dict[str, float] = {}
        self._is_scheduled = False
        self._alarm: asyncio.TimerHandle | None = None

    def at_once(self, share: str, *, takes_much: bool = True) -> Turn | None:
        """The turn of a request that need not wait; None for one that must (`wait`). The turn must be ended."""
        if self._active.has_others(share, takes_much=takes_much):
            return None
        self._in_progress[share] = self._in_progress.get(share, 0) + 1
        return Turn(self, share, has_others=False)

    async def wait(self, share: str) -> Turn:
        """Wait for the turn of a request. The turn must be ended."""
        await self._begun(share)
        return Turn(self, share, has_others=True)

    def pause(self, share: str, seconds: float) -> None:
        """Let no request of this share begin for so many seconds more, but at most for one in all."""
        now = asyncio.get_running_loop().time()
        begins = max(now, self._paused_until.get(share, now)) + seconds
        if len(self._paused_until) > _MOST_PAUSES:
            self._paused_until = {other: until for other, until in self._paused_until.items() if until > now}
        self._paused_until[share] = min(begins, now + _LONGEST_PAUSE)

    def ended(self, share: str) -> None:
        """Count down the requests in progress."""
        left = self._in_progress[share] - 1
        if left:
            self._in_progress[share] = left
        else:
            del self._in_progress[share]
        self._schedule()

    async def _begun(self, share: str) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(share, deque()).append(turn)
        self._schedule()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.ended(share)
            raise

    def _schedule(self) -> None:
        if self._waiting and not self._is_scheduled:
            self._is_scheduled = True
            self._concurrency.round_begins()
            asyncio.get_running_loop().call_soon(self._round)

    def _round(self) -> None:
        """Let one or two requests of each share begin."""
        self._is_scheduled = False
        self._concurrency.round_ends()
        has_begun = False
        now = asyncio.get_running_loop().time()
        paused = {share: until for share in self._waiting if (until := self._paused_until.get(share, now)) > now}
        for share in [share for share in self._waiting if share not in paused]:
            waiting = self._waiting[share]
            for _ in range(2 if len(waiting) <= _FEW_WAITING else 1):
                if waiting and self._in_progress.get(share, 0) < self._concurrency.limit:
                    self._begin(share, waiting.popleft())
                    has_begun = True
            if not waiting:
                del self._waiting[share]
        if has_begun:  # Otherwise the end of a turn schedules the next round, or that of a pause or window.
            self._schedule()
        elif self._waiting:
            self._wake_at(min([*paused.values(), now + WINDOW]))

    def _wake_at(self, when: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_at(when, self._schedule)

    def _begin(self, share: str, turn: asyncio.Future[None]) -> None:
        if not turn.done():  # Otherwise the request was cancelled while it waited.
            self._in_progress[share] = self._in_progress.get(share, 0) + 1
            turn.set_result(None)
