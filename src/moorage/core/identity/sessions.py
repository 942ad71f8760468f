"""Sessions: temporary credentials, of which nothing is stored. The token says everything, and proves that we made it.

The secret is derived from what the token says, so a token that was altered has another one, if it passed at all.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from moorage.core.clock import Clock
from moorage.core.identity.key_ids import new_id
from moorage.core.vault import Forged, Vault
from moorage.domain.errors import ExpiredToken, UnrecognizedClient

PREFIX = "ASIA"

_REMEMBERED = 4096
"""Tokens that a process has opened, and remembers."""

_TOKEN, _SECRET = "session", "session-secret"


class RoleSession(msgspec.Struct, array_like=True, frozen=True):
    """A role, assumed: its id, the session's name, and the policies that restrict it further."""

    role: str
    name: str
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()

    @property
    def is_restricted(self) -> bool:
        return self.policy is not None or bool(self.policy_arns)


class Session(msgspec.Struct, array_like=True, frozen=True):
    """What a session token says: its own key id, the access key behind it, and its times in microseconds.

    Behind the session of a role that was assumed with an identity token there is no key: `parent` is empty.
    """

    key: str
    parent: str
    issued: int
    expires: int
    role: RoleSession | None = None


@dataclass(frozen=True, slots=True)
class SessionKey:
    """Temporary credentials, as STS hands them out; `expires` in microseconds."""

    key: str
    secret: str
    token: str
    expires: int

    def __repr__(self) -> str:
        return f"SessionKey(key={self.key!r}, secret=***, token=***)"


class Sessions:
    """Makes sessions and reads them. Holds no state but caches of pure functions."""

    def __init__(self, vault: Vault, now: Clock) -> None:
        self._vault = vault
        self._now = now
        self._opened = lru_cache(maxsize=_REMEMBERED)(self._open)
        self.secret_of = lru_cache(maxsize=_REMEMBERED)(self._secret_of)

    def issue(self, parent: str, life: int, role: RoleSession | None = None) -> SessionKey:
        """Credentials good for `life` microseconds, and no longer than the key and the role behind them."""
        issued = self._now()
        session = Session(new_id(PREFIX), parent, issued, issued + life, role)
        token = self._vault.stamp(msgspec.msgpack.encode(session), _TOKEN)
        return SessionKey(session.key, self.secret_of(session), token, session.expires)

    def read(self, key: str, token: str | None) -> Session:
        """What the token of a session's key says. Raises UnrecognizedClient, ExpiredToken."""
        session = self._opened(token or "")
        if not hmac.compare_digest(session.key.encode(), key.encode()):
            raise UnrecognizedClient
        if session.expires <= self._now():
            raise ExpiredToken
        return session

    def _open(self, token: str) -> Session:
        try:
            return msgspec.msgpack.decode(self._vault.check(token, _TOKEN), type=Session)
        except (Forged, msgspec.MsgspecError):  # The second: stamped by a version that wrote other tokens.
            raise UnrecognizedClient from None

    def _secret_of(self, session: Session) -> str:
        return self._vault.stamp(msgspec.msgpack.encode(session), _SECRET)[:40]
