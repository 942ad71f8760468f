"""Shares of a worker process: whose requests are served next, and who may fill the memory for bodies.

A request belongs to its caller once the caller has authenticated from this address before, and otherwise to the
address. So nobody can take another's share with a known access key id, nor get many shares with invented ones.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from typing import Final

from moorage.http.messages import RequestHead

_MOST_KNOWN: Final = 8192
_FAILURE_SECONDS: Final = 60.0
_RECENT_SECONDS: Final = 1.0
_FEW_WAITING: Final = 8
_MOST_AT_ONCE: Final = 16


class KnownCredentials:
    """The credentials that were valid before, by address; and the failed attempts of each address.

    It keeps hashes of credentials, so that their length takes no memory.
    """

    def __init__(self, max_failures: int = 0) -> None:
        """`max_failures`: how many attempts of an address may fail in a minute; 0 means any number."""
        self._max_failures = max_failures
        self._known: OrderedDict[int, str] = OrderedDict()
        self._failures: Counter[str] = Counter()
        self._failures_since = 0.0

    def share_of(self, head: RequestHead) -> str:
        """The caller of the request if it is known, otherwise its address."""
        credential = _credential(head)
        return head.client if credential is None else self._known.get(hash((credential, head.client)), head.client)

    def succeeded(self, head: RequestHead, caller: str) -> None:
        """Remember that the credentials of a request are those of `caller`."""
        credential = _credential(head)
        if credential is None:
            return
        key = hash((credential, head.client))
        if key not in self._known:
            self._known[key] = caller
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)

    def failed(self, head: RequestHead) -> None:
        """Count a request whose credentials were refused. Requests without any are not counted."""
        if self._max_failures and _credential(head) is not None:
            self._forget_old_failures()
            self._failures[head.client] += 1

    def may_try(self, head: RequestHead, share: str) -> bool:
        """Whether credentials that are not known are checked, after so many of this address have failed."""
        limit = self._max_failures
        if not limit or share != head.client or self._failures[head.client] < limit or _credential(head) is None:
            return True
        self._forget_old_failures()
        return self._failures[head.client] < limit

    def _forget_old_failures(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._failures_since > _FAILURE_SECONDS:
            self._failures.clear()
            self._failures_since = now


def _credential(head: RequestHead) -> bytes | None:
    """What identifies the caller in the Authorization header: the access key id of a signature, or the whole header."""
    for name, value in head.headers:
        if name == b"authorization":
            _, found, rest = value.partition(b"Credential=")
            return rest.partition(b"/")[0] if found else value
    return None


class Turn:
    """The turn of one request. `end` may be called more than once."""

    __slots__ = ("_share", "_turns")

    def __init__(self, turns: Turns, share: str) -> None:
        self._turns: Turns | None = turns
        self._share = share

    def end(self) -> None:
        """End the turn: another request of this share may begin."""
        if self._turns is not None:
            self._turns.ended(self._share)
            self._turns = None


class Turns:
    """Lets the requests of a worker process begin, share by share, when there is more than one share.

    In each round of the event loop one request of each share begins, or two of a share with few. A share has a limited
    number of requests in progress then, so that it does not fill the queues behind, such as that of the database.
    With one share, requests begin at once.
    """

    def __init__(self) -> None:
        self._in_progress: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._is_scheduled = False
        self._recent: set[str] = set()
        self._older: set[str] = set()
        self._renewed = 0.0

    async def take(self, share: str) -> Turn:
        """Wait for the turn of a request. The turn must be ended."""
        if self._has_others(share):
            await self._wait(share)
        else:
            self._in_progress[share] += 1
        return Turn(self, share)

    def ended(self, share: str) -> None:
        """Count down the requests in progress."""
        self._in_progress[share] -= 1
        if not self._in_progress[share]:
            del self._in_progress[share]
        self._schedule()

    def _has_others(self, share: str) -> bool:
        """Whether other shares had requests lately."""
        self._recent.add(share)
        now = asyncio.get_running_loop().time()
        if now - self._renewed > _RECENT_SECONDS:
            self._older, self._recent, self._renewed = self._recent, {share}, now
        return len(self._recent) > 1 or bool(self._older - {share})

    async def _wait(self, share: str) -> None:
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
            asyncio.get_running_loop().call_soon(self._round)

    def _round(self) -> None:
        """Let one or two requests of each share begin."""
        self._is_scheduled = False
        has_begun = False
        for share in list(self._waiting):
            waiting = self._waiting[share]
            for _ in range(2 if len(waiting) <= _FEW_WAITING else 1):
                if waiting and self._in_progress[share] < _MOST_AT_ONCE:
                    self._begin(share, waiting.popleft())
                    has_begun = True
            if not waiting:
                del self._waiting[share]
        if has_begun:  # Otherwise the end of a turn schedules the next round.
            self._schedule()

    def _begin(self, share: str, turn: asyncio.Future[None]) -> None:
        if not turn.done():  # Otherwise the request was cancelled while it waited.
            self._in_progress[share] += 1
            turn.set_result(None)
