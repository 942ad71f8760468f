"""Sessions of the console: who signed in, in which browser, until when (docs/decisions/0067-console-sessions.md).

A browser has a cookie that names its session, with a MAC: a forged one is refused without a question to the database.
The session has temporary credentials of the one who signed in. So it ends with the access key, the user or the role
behind them, and what its requests may do is decided as for any other request.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from moorage.bounds import shortened
from moorage.core.clock import Clock
from moorage.core.identity import callers
from moorage.core.identity.authentication import Authenticator, Credentials
from moorage.core.identity.sessions import SessionKey, Sessions
from moorage.core.vault import Forged, Vault
from moorage.domain.errors import ExpiredToken, Refusal, UnrecognizedClient
from moorage.domain.identity.callers import Caller
from moorage.domain.identity.errors import AccountError
from moorage.domain.units import HOUR, SECOND
from moorage.metadata.database import CachedUntil, Database, Lookup, Transaction, size_of_row
from moorage.metadata.identity import accounts as identities
from moorage.metadata.identity import console_sessions as rows
from moorage.metadata.identity.console_sessions import ConsoleSession

IDLE: Final = HOUR
"""Microseconds without a request after which a session ends."""

LONGEST: Final = 12 * HOUR
"""Microseconds after which a session ends in any case."""

LINK_LIFE: Final = 300 * SECOND
_MOST_OF_A_PRINCIPAL: Final = 50
_REMOVED_AT_ONCE: Final = 100
_COOKIE, _LINK = "console-session", "console-link"


class SignInFailed(Refusal):
    """The credentials of a sign-in are not valid. It is not said which part of them."""

    template = "The access key or its secret is not valid"


class SignedOut(Refusal):
    """There is no session, or it has ended."""

    template = "The session has ended. Sign in again"


@dataclass(frozen=True, slots=True)
class Browser:
    """Where a sign-in comes from: the client's address and its User-Agent."""

    client: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session with its credentials; `cookie` is what the browser keeps."""

    cookie: str
    session: ConsoleSession
    credentials: Credentials


class ConsoleSessions:
    """Begins, finds, renews and ends sessions. It has no state of its own."""

    def __init__(self, database: Database, vault: Vault, authenticator: Authenticator, now: Clock) -> None:
        self._database = database
        self._vault = vault
        self._authenticator = authenticator
        self._now = now

    async def sign_in(self, key: str, secret: str, token: str | None, browser: Browser) -> SignedIn:
        """Begin a session with an access key, or with temporary credentials. Raises SignInFailed."""
        try:
            given = await self._authenticator.credentials(key, token)
        except (UnrecognizedClient, ExpiredToken):
            raise SignInFailed from None
        if not hmac.compare_digest(given.secret.encode(), secret.encode()):
            raise SignInFailed
        self._authenticator.record_use(given)
        if given.session is None:
            temporary = self._authenticator.sessions.issue(key, LONGEST)
        else:
            temporary = SessionKey(key, secret, token or "", given.session.expires)
        return await self.begin(temporary, browser)

    async def begin(self, temporary: SessionKey, browser: Browser) -> SignedIn:
        """Begin a session with temporary credentials that were checked. Raises SignInFailed if they have no owner."""
        credentials = await self._credentials(temporary.key, temporary.token)
        now = self._now()
        session = _session(self._vault, temporary, credentials.owner, now, now + IDLE, browser)
        await self._database.write(lambda tx: _add(tx, session))
        return SignedIn(self._vault.stamp(session.id.encode(), _COOKIE), session, credentials)

    async def use_link(self, token: str, browser: Browser) -> SignedIn:
        """Begin the session of a link, which works once. Raises SignInFailed."""
        try:
            session_id = self._vault.check(token, _LINK).decode()
        except Forged:
            raise SignInFailed from None
        now = self._now()
        agent = shortened(browser.user_agent)
        used = await self._database.write(
            lambda tx: rows.use_link(tx, session_id, browser.client, agent, now, now + IDLE)
        )
        if not used:
            raise SignInFailed
        return await self.find(self._vault.stamp(session_id.encode(), _COOKIE))

    async def find(self, cookie: str | None) -> SignedIn:
        """The session of a cookie. Raises SignedOut."""
        session = await self._database.read_cached(self._lookup(self._id_of(cookie)))
        if session is None or session.is_link or session.expires_at <= self._now():
            raise SignedOut
        try:
            credentials = await self._credentials(session.session_key, self._open_token(session))
        except SignInFailed:
            raise SignedOut from None
        return SignedIn(cookie or "", session, credentials)

    async def renew(self, signed_in: SignedIn) -> None:
        """Let a session that is used last longer, if half of its time has passed."""
        session, now = signed_in.session, self._now()
        until = min(now + IDLE, signed_in.credentials.expires or 0)
        if session.expires_at - now < IDLE // 2 and until > session.expires_at:
            await self._database.write(lambda tx: rows.renew(tx, session.id, until))

    async def end(self, signed_in: SignedIn) -> None:
        """Sign out."""
        session = signed_in.session
        await self._database.write(lambda tx: end(tx, session.account, session.id))

    async def _credentials(self, key: str, token: str) -> Credentials:
        try:
            return await self._authenticator.credentials(key, token)
        except (UnrecognizedClient, ExpiredToken):
            raise SignInFailed from None

    def _id_of(self, cookie: str | None) -> str:
        try:
            return self._vault.check(cookie or "", _COOKIE).decode()
        except Forged:
            raise SignedOut from None

    def _open_token(self, session: ConsoleSession) -> str:
        try:
            return self._vault.open(session.sealed_token, session.id)
        except Forged:
            raise SignedOut from None

    def _lookup(self, session_id: str) -> Lookup[ConsoleSession | None]:
        return Lookup(
            ("console-session", session_id),
            lambda tx: rows.find(tx, session_id),
            until=CachedUntil.ACCESS_CHANGE,
            size=_size_of,
        )


def new_link(tx: Transaction, vault: Vault, key: str, now: Clock) -> str:
    """A token with which one browser can begin a session of the owner of an access key, for some minutes.

    Raises AccountError if there is no such active key.
    """
    found = identities.find_key(tx, key)
    if found is None or not found.active:
        raise AccountError(f"The access key {key} does not exist or is not active")
    temporary = Sessions(vault, now).issue(key, LONGEST)
    owner, started_at = callers.of_user(tx, found.user, key), now()
    session = _session(vault, temporary, owner, started_at, started_at + LINK_LIFE, None)
    _add(tx, session)
    return vault.stamp(session.id.encode(), _LINK)


def end(tx: Transaction, account: str, session_id: str) -> bool:
    """End a session of an account, or withdraw a link; False if the account has none with this id."""
    return rows.delete(tx, account, session_id)


def _session(
    vault: Vault, temporary: SessionKey, owner: Caller, started_at: int, until: int, browser: Browser | None
) -> ConsoleSession:
    """A new session; without a browser, it is a link."""
    session_id = secrets.token_urlsafe(18)
    return ConsoleSession(
        id=session_id,
        account=owner.account,
        principal=owner.arn,
        session_key=temporary.key,
        sealed_token=vault.seal(temporary.token, session_id),
        client="" if browser is None else browser.client,
        user_agent="" if browser is None else shortened(browser.user_agent),
        started_at=started_at,
        expires_at=min(until, temporary.expires),
        is_link=browser is None,
    )


def _add(tx: Transaction, session: ConsoleSession) -> None:
    """Add a session; old ones of anybody, and those beyond what one principal may have, are removed."""
    rows.delete_expired(tx, session.started_at, _REMOVED_AT_ONCE)
    rows.insert(tx, session)
    surplus = rows.beyond(tx, session.account, session.principal, _MOST_OF_A_PRINCIPAL)
    if surplus is not None:
        rows.delete(tx, session.account, surplus)


def _size_of(session: ConsoleSession | None) -> int:
    return size_of_row(session) + (0 if session is None else len(session.sealed_token))
