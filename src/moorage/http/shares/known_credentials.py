"""The credentials that were valid before, by address: whose share a request takes, and which logins are tried."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from typing import Final

from moorage.http.messages import RequestHead

_MOST_KNOWN: Final = 8192
_FAILURE_SECONDS: Final = 60.0

_CONSOLE: Final = b"/console/"
_SIGN_IN: Final = b"/console/session"


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
        if self._max_failures and _has_credentials(head):
            self._forget_old_failures()
            self._failures[head.client] += 1

    def may_try(self, head: RequestHead, share: str) -> bool:
        """Whether credentials that are not known are checked, after so many of this address have failed."""
        limit = self._max_failures
        if not limit or share != head.client or self._failures[head.client] < limit or not _has_credentials(head):
            return True
        self._forget_old_failures()
        return self._failures[head.client] < limit

    def _forget_old_failures(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._failures_since > _FAILURE_SECONDS:
            self._failures.clear()
            self._failures_since = now


def _credential(head: RequestHead) -> bytes | None:
    """What identifies the caller in the head: the access key id of a signature, or the whole header that has it."""
    cookie = None
    for name, value in head.headers:
        if name == b"authorization":
            _, found, rest = value.partition(b"Credential=")
            return rest.partition(b"/")[0] if found else value
        if name == b"cookie":
            cookie = value
    return cookie if head.target.startswith(_CONSOLE) else None


def _has_credentials(head: RequestHead) -> bool:
    """Whether a request has credentials that could be guessed. A sign-in at the console has them in its body."""
    return _credential(head) is not None or (head.method == "POST" and head.target.startswith(_SIGN_IN))
