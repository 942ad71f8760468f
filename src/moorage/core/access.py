"""Who asks, proved in one of three ways.

    Basic AWS:TOKEN        docker, with what GetAuthorizationToken gave     caller_of_basic
    Basic KEY:SECRET       docker, with an access key itself                caller_of_basic
    Signature Version 4    the AWS clients, long-lived or session keys      credentials

Every proof ends at an access key, which is looked up for each request: a key that is deactivated is out at once.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from moorage.core.clock import HOUR, SECOND, Clock
from moorage.core.key_uses import KeyUses
from moorage.core.vault import Forged, Vault
from moorage.domain.errors import (
    AuthorizationTokenExpired,
    ExpiredToken,
    NotAuthenticated,
    UnrecognizedClient,
)
from moorage.domain.identities import Caller
from moorage.domain.managed_policies import managed_policies
from moorage.domain.names import Registry
from moorage.domain.policies.document import Policy
from moorage.metadata import identities
from moorage.metadata.database import Database

DOCKER_TOKEN_LIFE = 12 * HOUR
"""ECR: "The authorization token is valid for 12 hours" (GetAuthorizationToken)."""

_DOCKER_USER = "AWS"
_SESSION_PREFIX = "ASIA"
_KEY_PREFIX = "AKIA"
_KEY_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class _Grant(msgspec.Struct, array_like=True, frozen=True):
    """What a docker token says: the access key behind it, the registry it is for, and when it ends (microseconds)."""

    key: str
    account: str
    region: str
    expires: int


class _Session(msgspec.Struct, array_like=True, frozen=True):
    """What a session token says: its own key id, the access key behind it, and when it ends (microseconds)."""

    key: str
    parent: str
    expires: int


@dataclass(frozen=True, slots=True)
class Credentials:
    """A secret to verify a signature with, and whom the signature then proves. The secret must not be logged."""

    secret: str
    user_id: str
    account: str
    user_name: str
    key: str
    policies: tuple[Policy, ...]
    expires: int | None = None

    def caller(self, region: str) -> Caller:
        return Caller(self.account, region, self.user_id, self.user_name, self.key, self.policies)

    def __repr__(self) -> str:
        return f"Credentials(key={self.key!r}, secret=***)"


@dataclass(frozen=True, slots=True)
class SessionKey:
    """Temporary credentials, as STS hands them out; `expires` in microseconds."""

    key: str
    secret: str
    token: str
    expires: int

    def __repr__(self) -> str:
        return f"SessionKey(key={self.key!r}, secret=***, token=***)"


class Access:
    """Checks proofs and makes them. Holds no state but caches of pure functions."""

    def __init__(self, database: Database, vault: Vault, now: Clock, default_region: str) -> None:
        self._database = database
        self._vault = vault
        self._now = now
        self._region = default_region
        self._grant = lru_cache(maxsize=4096)(self._read_grant)
        self._uses = KeyUses(database, now)

    # --- Signature Version 4 ----------------------------------------------------------------------------------

    async def credentials(self, key: str, session_token: str | None) -> Credentials:
        """The secret behind an access key id. Raises UnrecognizedClient or ExpiredToken."""
        if key.startswith(_SESSION_PREFIX):
            return await self._session_credentials(key, session_token)
        if session_token is not None:
            raise UnrecognizedClient
        row = await self._active_key(key)
        return self._credentials_of(row, key, self._vault.open(row.sealed_secret, row.id))

    def note_use(self, proven: Credentials) -> None:
        """Remember that a long-lived key has proven a request; sessions and tokens are not its use."""
        if proven.expires is None:
            self._uses.note(proven.key)

    def issue_session(self, caller: Caller, life: int) -> SessionKey:
        """Temporary credentials of a caller, good for `life` microseconds and no longer than the key behind them."""
        session = _Session(new_key_id(_SESSION_PREFIX), caller.key, self._now() + life)
        token = self._vault.stamp(msgspec.msgpack.encode(session), "session")
        return SessionKey(session.key, self._session_secret(session), token, session.expires)

    async def _session_credentials(self, key: str, token: str | None) -> Credentials:
        try:
            session = msgspec.msgpack.decode(self._vault.check(token or "", "session"), type=_Session)
        except Forged:
            raise UnrecognizedClient from None
        if not hmac.compare_digest(session.key.encode(), key.encode()):
            raise UnrecognizedClient
        if session.expires <= self._now():
            raise ExpiredToken
        row = await self._active_key(session.parent)
        return self._credentials_of(row, session.parent, self._session_secret(session), session.expires)

    def _session_secret(self, session: _Session) -> str:
        return self._vault.stamp(msgspec.msgpack.encode(session), "session-secret")[:40]

    @staticmethod
    def _credentials_of(row: identities.AccessKey, key: str, secret: str, expires: int | None = None) -> Credentials:
        user = row.user
        return Credentials(secret, user.id, user.account, user.name, key, managed_policies(row.policies), expires)

    # --- docker -------------------------------------------------------------------------------------------------

    def issue_docker_token(self, caller: Caller, registry: Registry, not_after: int | None) -> tuple[str, int]:
        """The password for docker's user `AWS`, and when it ends: in 12 hours, or with the session that asked."""
        expires = self._now() + DOCKER_TOKEN_LIFE
        if not_after is not None:
            expires = min(expires, not_after)
        grant = _Grant(caller.key, registry.account, registry.region, expires)
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
        row = await self._key(grant.key)
        if row is None or not row.active:
            raise NotAuthenticated
        user = row.user
        return Caller(user.account, grant.region, user.id, user.name, row.id, managed_policies(row.policies))

    async def _caller_of_key(self, key: str, secret: str) -> Caller:
        try:
            found = await self.credentials(key, None)
        except UnrecognizedClient:
            raise NotAuthenticated from None
        if not hmac.compare_digest(found.secret.encode(), secret.encode()):
            raise NotAuthenticated
        self.note_use(found)
        return found.caller(self._region)

    async def _active_key(self, key: str) -> identities.AccessKey:
        row = await self._key(key)
        if row is None or not row.active:
            raise UnrecognizedClient
        return row

    async def _key(self, key: str) -> identities.AccessKey | None:
        return await self._database.recall(("key", key), lambda tx: identities.find_key(tx, key))

    def _read_grant(self, token: str) -> _Grant:
        try:
            envelope = msgspec.json.decode(base64.b64decode(token, validate=True), type=dict[str, str | int])
            return msgspec.msgpack.decode(self._vault.check(str(envelope["payload"]), "docker"), type=_Grant)
        except (ValueError, KeyError, msgspec.MsgspecError, Forged):
            raise NotAuthenticated from None


def new_key_id(prefix: str = _KEY_PREFIX) -> str:
    """An id of the form that AWS gives access keys: 20 characters."""
    return prefix + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(16))


def new_secret() -> str:
    """A secret of the form that AWS gives access keys: 40 characters."""
    return base64.b64encode(secrets.token_bytes(30)).decode()


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
