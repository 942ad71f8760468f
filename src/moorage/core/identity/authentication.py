"""Who asks, proved in one of three ways.

    Basic AWS:TOKEN        docker, with what GetAuthorizationToken gave     caller_of_basic
    Basic KEY:SECRET       docker, with an access key itself                caller_of_basic
    Signature Version 4    the AWS clients, long-lived or session keys      credentials

Every proof ends at an access key or a role, which is looked up for each request: a key that is deactivated is out at
once, and so is everybody in a role that was deleted.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass, replace
from functools import lru_cache

import msgspec

from moorage.core.clock import Clock
from moorage.core.identity import callers
from moorage.core.identity import policies as identity_policies
from moorage.core.identity.key_last_used import KeyUses
from moorage.core.identity.sessions import PREFIX, RoleSession, Session, Sessions
from moorage.core.vault import Forged, Vault
from moorage.domain.errors import AuthorizationTokenExpired, NotAuthenticated, UnrecognizedClient
from moorage.domain.identity.callers import Caller
from moorage.domain.names import Registry
from moorage.domain.units import HOUR, SECOND
from moorage.metadata.database import CachedUntil, Database, Transaction
from moorage.metadata.identity import accounts as identities
from moorage.metadata.identity import roles

DOCKER_TOKEN_LIFE = 12 * HOUR
"""ECR: "The authorization token is valid for 12 hours" (GetAuthorizationToken)."""

_DOCKER_USER = "AWS"


class _Grant(msgspec.Struct, array_like=True, frozen=True):
    """What a docker token says: the access key behind it, the registry it is for, and when it ends (microseconds).

    A token that a session asked for is that session's.
    """

    key: str
    account: str
    region: str
    expires: int
    session: Session | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """A secret to verify a signature with, and whom the signature then proves. The secret must not be logged."""

    secret: str
    holder: Caller
    session: Session | None = None

    @property
    def key(self) -> str:
        """The long-lived key behind them; empty behind an identity token."""
        return self.holder.key

    @property
    def expires(self) -> int | None:
        return None if self.session is None else self.session.expires

    def caller(self, region: str) -> Caller:
        return self.holder.in_region(region)

    def __repr__(self) -> str:
        return f"Credentials(key={self.key!r}, secret=***)"


@dataclass(frozen=True, slots=True)
class _Key:
    """An access key as it is now, with its user."""

    sealed_secret: bytes
    active: bool
    holder: Caller


class Access:
    """Checks proofs and makes docker tokens. Holds no state but caches of pure functions."""

    def __init__(self, database: Database, vault: Vault, now: Clock, default_region: str) -> None:
        self._database = database
        self._vault = vault
        self._now = now
        self._region = default_region
        self._grant = lru_cache(maxsize=4096)(self._read_grant)
        self._uses = KeyUses(database, now)
        self.sessions = Sessions(vault, now)

    # --- Signature Version 4 ----------------------------------------------------------------------------------

    async def credentials(self, key: str, session_token: str | None) -> Credentials:
        """The secret behind an access key id. Raises UnrecognizedClient or ExpiredToken."""
        if key.startswith(PREFIX):
            session = self.sessions.read(key, session_token)
            holder = await self._holder_of(session)
            if holder is None:
                raise UnrecognizedClient
            return Credentials(self.sessions.secret_of(session), holder, session)
        found = await self._key(key)
        if found is None or session_token is not None:
            raise UnrecognizedClient
        return Credentials(self._vault.open(found.sealed_secret, key), found.holder)

    def note_use(self, proven: Credentials) -> None:
        """Remember that a long-lived key has proven a request; sessions and tokens are not its use."""
        if proven.session is None:
            self._uses.note(proven.key)

    # --- docker -------------------------------------------------------------------------------------------------

    def issue_docker_token(self, credentials: Credentials, registry: Registry) -> tuple[str, int]:
        """The password for docker's user `AWS`, and when it ends: in 12 hours, or with the session that asked."""
        expires = self._now() + DOCKER_TOKEN_LIFE
        if credentials.expires is not None:
            expires = min(expires, credentials.expires)
        grant = _Grant(credentials.key, registry.account, registry.region, expires, credentials.session)
        token = self._vault.stamp(msgspec.msgpack.encode(grant), "docker")
        # The form of ECR's own tokens; the AWS command line needs one without ":" and white space.
        envelope = {"payload": token, "version": "1", "type": "MOORAGE", "expiration": expires // SECOND}
        return base64.b64encode(msgspec.json.encode(envelope)).decode(), expires

    async def caller_of_basic(self, authorization: str | None) -> Caller:
        """Who sent this `Authorization` header. Raises NotAuthenticated, or AuthorizationTokenExpired."""
        if authorization is None:
            raise NotAuthenticated
        user, password = _basic(authorization)
        if user == _DOCKER_USER:
            return await self._caller_of_token(password)
        return await self._caller_of_key(user, password)

    async def _caller_of_token(self, token: str) -> Caller:
        grant = self._grant(token)
        if grant.expires <= self._now():
            raise AuthorizationTokenExpired
        if grant.session is not None:
            holder = await self._holder_of(grant.session)
        else:
            found = await self._key(grant.key)
            holder = None if found is None else found.holder
        if holder is None:
            raise NotAuthenticated
        return holder.in_region(grant.region)

    async def _caller_of_key(self, key: str, secret: str) -> Caller:
        try:
            found = await self.credentials(key, None)
        except UnrecognizedClient:
            raise NotAuthenticated from None
        if not hmac.compare_digest(found.secret.encode(), secret.encode()):
            raise NotAuthenticated
        self.note_use(found)
        return found.caller(self._region)

    def _read_grant(self, token: str) -> _Grant:
        try:
            envelope = msgspec.json.decode(base64.b64decode(token, validate=True), type=dict[str, str | int])
            return msgspec.msgpack.decode(self._vault.check(str(envelope["payload"]), "docker"), type=_Grant)
        except (ValueError, KeyError, msgspec.MsgspecError, Forged):
            raise NotAuthenticated from None

    # --- Look-ups -----------------------------------------------------------------------------------------------

    async def _key(self, key: str) -> _Key | None:
        """An active key; None for any other."""
        rules = CachedUntil.ACCESS_CHANGE
        found = await self._database.read_cached(("key", key), lambda tx: _find_key(tx, key), until=rules)
        return found if found is not None and found.active else None

    async def _holder_of(self, session: Session) -> Caller | None:
        """Who has a session; None when the key, the user or the role behind it is there no more."""
        rules = CachedUntil.ACCESS_CHANGE
        return await self._database.read_cached(
            ("session", session.key), lambda tx: _find_holder(tx, session), until=rules
        )


def _find_key(tx: Transaction, key: str) -> _Key | None:
    row = identities.find_key(tx, key)
    return None if row is None else _Key(row.sealed_secret, row.active, callers.of_user(tx, row.user, key))


def _find_holder(tx: Transaction, session: Session) -> Caller | None:
    behind = _find_key(tx, session.parent) if session.parent else None
    if session.parent and (behind is None or not behind.active):
        return None
    if session.role is not None:
        return _find_assumed(tx, session, session.role)
    return None if behind is None else replace(behind.holder, issued_at=session.issued)


def _find_assumed(tx: Transaction, session: Session, assumed: RoleSession) -> Caller | None:
    role = roles.find_role_by_id(tx, assumed.role)
    if role is None:
        return None
    restricting = None
    if assumed.is_restricted:
        restricting = identity_policies.session_policies(tx, role.account, assumed.policy, assumed.policy_arns)
    holder = callers.in_session(callers.of_role(tx, role), assumed.name)
    return replace(holder, key=session.parent, session_policies=restricting, issued_at=session.issued)


@lru_cache(maxsize=4096)
def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise NotAuthenticated
    try:
        user, separator, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise NotAuthenticated from None
    if not separator:
        raise NotAuthenticated
    return user, password
