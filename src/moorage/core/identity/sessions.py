"""Sessions: temporary credentials that are not stored. The session token carries everything, and a MAC proves it.

The secret is derived from the token's content, so an altered token would have another secret.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

import msgspec

from moorage.bounds import bounded_cache
from moorage.core.clock import Clock
from moorage.core.identity.key_ids import new_id
from moorage.core.vault import Forged, Vault
from moorage.domain.errors import ExpiredToken, UnrecognizedClient

PREFIX = "ASIA"

_TOKEN, _SECRET = "session", "session-secret"


class RoleSession(msgspec.Struct, array_like=True, frozen=True):
    """An assumed role: its id, the session's name, and the session policies that restrict it."""

    role: str
    name: str
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()

    @property
    def is_restricted(self) -> bool:
        return self.policy is not None or bool(self.policy_arns)


class Session(msgspec.Struct, array_like=True, frozen=True):
    """The content of a session token: its own key id, the access key behind it, and its times in microseconds.

    `parent` is empty if the role was assumed with an identity token, because there is no access key behind it.
    """

    key: str
    parent: str
    issued: int
    expires: int
    role: RoleSession | None = None


@dataclass(frozen=True, slots=True)
class SessionKey:
    """Temporary credentials as STS returns them; `expires` in microseconds."""

    key: str
    secret: str
    token: str
    expires: int

    def __repr__(self) -> str:
        return f"SessionKey(key={self.key!r}, secret=***, token=***)"


class Sessions:
    """Issues and reads sessions. Its only state is caches of pure functions."""

    def __init__(self, vault: Vault, now: Clock) -> None:
        self._vault = vault
        self._now = now
        # Of genuine tokens. One with session policies has up to 30,000 characters.
        self._open_cached = bounded_cache(entries=4096, size=2 << 20)(self._open)
        self.secret_of = bounded_cache(entries=4096, size=2 << 20, weigh=_size_of)(self._secret_of)

    def issue(self, parent: str, duration: int, role: RoleSession | None = None) -> SessionKey:
        """Credentials for `duration` microseconds; they end earlier if their key or role is deleted."""
        issued = self._now()
        session = Session(new_id(PREFIX), parent, issued, issued + duration, role)
        token = self._vault.stamp(msgspec.msgpack.encode(session), _TOKEN)
        return SessionKey(session.key, self.secret_of(session), token, session.expires)

    def read(self, key: str, token: str | None) -> Session:
        """The session of a session token. Raises UnrecognizedClient, ExpiredToken."""
        session = self._open_cached(token or "")
        if not hmac.compare_digest(session.key.encode(), key.encode()):
            raise UnrecognizedClient
        if session.expires <= self._now():
            raise ExpiredToken
        return session

    def _open(self, token: str) -> Session:
        try:
            return msgspec.msgpack.decode(self._vault.check(token, _TOKEN), type=Session)
        except (Forged, msgspec.MsgspecError):  # MsgspecError: a token of a version with another format.
            raise UnrecognizedClient from None

    def _secret_of(self, session: Session) -> str:
        return self._vault.stamp(msgspec.msgpack.encode(session), _SECRET)[:40]


def _size_of(session: Session) -> int:
    """The characters of a session, without its ids."""
    role = session.role
    return 0 if role is None else len(role.name) + len(role.policy or "") + sum(map(len, role.policy_arns))
