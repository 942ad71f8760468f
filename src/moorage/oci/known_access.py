"""Access that was granted before: what a token may do in a repository, whatever the request, until access data change.

Most requests of a pull have the same token, repository and action. What decided about the first one is in the database:
the key, its user, their policies and those of the repository. Its version says that all of it is still the same.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from moorage.domain.identity.callers import Caller
from moorage.domain.names import Registry
from moorage.http.messages import Request

_KEPT_BYTES: Final = 1 << 20
_GRANT_BYTES: Final = 768
"""About how much memory an entry takes beside its texts. Callers with their policies are in the cache of lookups."""

Key = tuple[bytes, bytes, str, str]


class Granted(NamedTuple):
    """Granted access: the caller with its name for logs, the registry, and when the token expires (microseconds)."""

    caller: Caller
    caller_name: str
    registry: Registry
    expires: int


def key_of(request: Request, repository: str, action: str) -> Key:
    """What the access depends on, beside the database and the time."""
    return request.headers.get(b"authorization", b""), request.headers[b"host"], repository, action


class KnownAccess:
    """The access that was granted under one version of the access data, up to 1 MiB of it. If full, it is cleared."""

    def __init__(self) -> None:
        self._granted: dict[Key, Granted] = {}
        self._size = 0
        self._version: bytes | None = None

    def find(self, key: Key, version: bytes | None, now: int) -> Granted | None:
        """The access with this key, if it was granted under the current version, and its token has not expired."""
        if version is None or version != self._version:
            return None
        granted = self._granted.get(key)
        return granted if granted is not None and granted.expires > now else None

    def keep(self, key: Key, version: bytes | None, granted: Granted) -> None:
        """Keep access that was granted under this version; None is not a version."""
        if version is None:
            return
        authorization, host, repository, _ = key
        size = len(authorization) + len(host) + len(repository) + _GRANT_BYTES
        if version != self._version or self._size + size > _KEPT_BYTES:
            self._granted.clear()
            self._size, self._version = 0, version
        if key not in self._granted and size <= _KEPT_BYTES:
            self._granted[key] = granted
            self._size += size
