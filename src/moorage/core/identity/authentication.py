"""Authentication of callers, in one of three ways.

    Basic AWS:TOKEN        Docker, with a token from GetAuthorizationToken    caller_of_basic
    Basic KEY:SECRET       Docker, with an access key                         caller_of_basic
    Signature Version 4    AWS clients, with long-lived or session keys       credentials

The access key or role behind the credentials is looked up for each request. Deactivating a key or deleting a role
therefore takes effect at once.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Awaitable
from dataclasses import dataclass, replace

import msgspec

from moorage.bounds import bounded_cache
from moorage.core.clock import Clock
from moorage.core.identity import accounts, callers
from moorage.core.identity import policies as identity_policies
from moorage.core.identity.accounts import NewKey
from moorage.core.identity.key_last_used import KeyLastUsed
from moorage.core.identity.sessions import PREFIX, RoleSession, Session, Sessions
from moorage.core.vault import Forged, Vault
from moorage.domain import strict_json
from moorage.domain.errors import AuthorizationTokenExpired, NotAuthenticated, UnrecognizedClient
from moorage.domain.identity.callers import Caller
from moorage.domain.names import Registry
from moorage.domain.units import HOUR, SECOND
from moorage.metadata.database import CachedUntil, Database, Lookup, Transaction, size_of_row
from moorage.metadata.identity import accounts as identities
from moorage.metadata.identity import roles
from moorage.metadata.identity.accounts import User

DOCKER_TOKEN_LIFE = 12 * HOUR
"""ECR: "The authorization token is valid for 12 hours" (GetAuthorizationToken)."""

_DOCKER_USER = "AWS"


class _Grant(msgspec.Struct, array_like=True, frozen=True):
    """The content of a Docker token: its access key, its registry and when it expires (microseconds).

    A token that was requested with a session's credentials carries the session. One that can only read a repository has
    its name in `reads`, and no key.
    """

    key: str
    account: str
    region: str
    expires: int
    session: Session | None = None
    reads: str | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """The secret that verifies a signature, and its owner. The secret must not be logged."""

    secret: str
    owner: Caller
    session: Session | None = None

    @property
    def key(self) -> str:
        """The long-lived access key behind the credentials; empty if they come from an identity token."""
        return self.owner.key

    @property
    def expires(self) -> int | None:
        return None if self.session is None else self.session.expires

    def caller(self, region: str) -> Caller:
        return self.owner.in_region(region)

    def __repr__(self) -> str:
        return f"Credentials(key={self.key!r}, secret=***)"


class _KeyLogin(Exception):
    """The header has an access key and its secret, not verified, instead of a token."""

    def __init__(self, key: str, secret: str) -> None:
        super().__init__()
        self.key = key
        self.secret = secret


@dataclass(frozen=True, slots=True)
class _Key:
    """An access key as stored, with its user."""

    sealed_secret: bytes
    active: bool
    owner: Caller


class Authenticator:
    """Verifies credentials and issues Docker tokens. Its only state is caches of pure functions."""

    def __init__(self, database: Database, vault: Vault, now: Clock, default_region: str) -> None:
        self._database = database
        self._vault = vault
        self._now = now
        self._region = default_region
        # By the whole header, but only of genuine tokens, because exceptions are not cached. A header has about 800
        # characters, with session policies up to 40,000.
        self._grant = bounded_cache(entries=4096, size=2 << 20)(self._read_grant)
        self._last_used = KeyLastUsed(database, now)
        self.sessions = Sessions(vault, now)

    # --- Signature Version 4 ----------------------------------------------------------------------------------

    async def credentials(self, key: str, session_token: str | None) -> Credentials:
        """The credentials with an access key id. Raises UnrecognizedClient or ExpiredToken."""
        if key.startswith(PREFIX):
            session = self.sessions.read(key, session_token)
            owner = await self._owner_of(session)
            if owner is None:
                raise UnrecognizedClient
            return Credentials(self.sessions.secret_of(session), owner, session)
        found = await self._key(key)
        if found is None or session_token is not None:
            raise UnrecognizedClient
        return Credentials(self._vault.open(found.sealed_secret, key), found.owner)

    def create_key(self, tx: Transaction, user: User) -> NewKey:
        """Create an access key of a user. Raises QuotaReached."""
        return accounts.create_key(tx, self._vault, user, self._now())

    def record_use(self, credentials: Credentials) -> None:
        """Record that a long-lived key was used; requests with sessions and Docker tokens do not count."""
        if credentials.session is None:
            self._last_used.record(credentials.key)

    # --- Docker -------------------------------------------------------------------------------------------------

    def issue_docker_token(self, credentials: Credentials, registry: Registry) -> tuple[str, int]:
        """The password for Docker's user `AWS`, and when it expires: in 12 hours, or earlier with the session."""
        expires = self._now() + DOCKER_TOKEN_LIFE
        if credentials.expires is not None:
            expires = min(expires, credentials.expires)
        grant = _Grant(credentials.key, registry.account, registry.region, expires, credentials.session)
        return self._docker_token(grant), expires

    def issue_read_token(self, registry: Registry, repository: str, duration: int) -> str:
        """A password for Docker's user `AWS` that can pull from one repository, for `duration` microseconds.

        It belongs to the registry itself, not to a user: the caller is `callers.reader`.
        """
        return self._docker_token(
            _Grant("", registry.account, registry.region, self._now() + duration, reads=str(repository))
        )

    def _docker_token(self, grant: _Grant) -> str:
        token = self._vault.stamp(msgspec.msgpack.encode(grant), "docker")
        # The format of ECR's own tokens; the AWS CLI needs one without ":" and white space.
        envelope = {"payload": token, "version": "1", "type": "MOORAGE", "expiration": grant.expires // SECOND}
        return base64.b64encode(msgspec.json.encode(envelope)).decode()

    def caller_of_basic(self, authorization: str | None) -> Awaitable[Caller]:
        """The caller with this `Authorization` header. Raises NotAuthenticated or AuthorizationTokenExpired."""
        if authorization is None:
            raise NotAuthenticated
        try:
            grant = self._grant(authorization)
        except _KeyLogin as login:
            return self._caller_of_key(login.key, login.secret)
        return self._caller_of_grant(grant)

    def token_expiry(self, authorization: str) -> int | None:
        """When the genuine token in this header expires, in microseconds; None for an access key."""
        try:
            return self._grant(authorization).expires
        except _KeyLogin:
            return None

    async def _caller_of_grant(self, grant: _Grant) -> Caller:
        if grant.expires <= self._now():
            raise AuthorizationTokenExpired
        if grant.reads is not None:
            return callers.reader(Registry(grant.account, grant.region), grant.reads)
        if grant.session is not None:
            owner = await self._owner_of(grant.session)
            caller = None if owner is None else owner.in_region(grant.region)
        else:
            caller = await self._caller_with(grant.key, grant.region)
        if caller is None:
            raise NotAuthenticated
        return caller

    async def _caller_of_key(self, key: str, secret: str) -> Caller:
        try:
            found = await self.credentials(key, None)
        except UnrecognizedClient:
            raise NotAuthenticated from None
        if not hmac.compare_digest(found.secret.encode(), secret.encode()):
            raise NotAuthenticated
        self.record_use(found)
        return found.caller(self._region)

    def _read_grant(self, authorization: str) -> _Grant:
        """The content of a genuine token. Raises NotAuthenticated, and _KeyLogin if the header has an access key."""
        user, token = _basic(authorization)
        if user != _DOCKER_USER:
            raise _KeyLogin(user, token)
        try:
            envelope = strict_json.read_as(dict[str, str | int], base64.b64decode(token, validate=True))
            return msgspec.msgpack.decode(self._vault.check(str(envelope["payload"]), "docker"), type=_Grant)
        except (ValueError, KeyError, msgspec.MsgspecError, Forged):
            raise NotAuthenticated from None

    # --- Look-ups -----------------------------------------------------------------------------------------------

    async def _key(self, key: str) -> _Key | None:
        """An active key; None if it is inactive or does not exist."""
        lookup = Lookup(("key", key), lambda tx: _find_key(tx, key), until=CachedUntil.ACCESS_CHANGE, size=_size_of_key)
        found = await self._database.read_cached(lookup)
        return found if found is not None and found.active else None

    def _caller_with(self, key: str, region: str) -> Awaitable[Caller | None]:
        """The caller in a Region with an active key. Every request of a docker client needs it, so it is kept whole."""

        def find(tx: Transaction) -> Caller | None:
            found = _find_key(tx, key)
            return found.owner.in_region(region) if found is not None and found.active else None

        lookup = Lookup(("caller", key, region), find, until=CachedUntil.ACCESS_CHANGE, size=_size_of_owner)
        return self._database.read_cached(lookup)

    async def _owner_of(self, session: Session) -> Caller | None:
        """The caller of a session; None if the key, the user or the role behind it no longer exists."""
        lookup = Lookup(
            ("session", session.key),
            lambda tx: _find_owner(tx, session),
            until=CachedUntil.ACCESS_CHANGE,
            size=_size_of_owner,
        )
        return await self._database.read_cached(lookup)


def _size_of_key(key: _Key | None) -> int:
    return _size_of_owner(None if key is None else key.owner)


def _size_of_owner(owner: Caller | None) -> int:
    """About how many bytes of memory a caller takes with its policies."""
    return size_of_row(owner) + (0 if owner is None else owner.size_of_policies)


def _find_key(tx: Transaction, key: str) -> _Key | None:
    row = identities.find_key(tx, key)
    return None if row is None else _Key(row.sealed_secret, row.active, callers.of_user(tx, row.user, key))


def _find_owner(tx: Transaction, session: Session) -> Caller | None:
    key = _find_key(tx, session.parent) if session.parent else None
    if session.parent and (key is None or not key.active):
        return None
    if session.role is not None:
        return _find_role_session(tx, session, session.role)
    return None if key is None else replace(key.owner, issued_at=session.issued)


def _find_role_session(tx: Transaction, session: Session, role_session: RoleSession) -> Caller | None:
    role = roles.find_role_by_id(tx, role_session.role)
    if role is None:
        return None
    policies = None
    if role_session.is_restricted:
        document, arns = role_session.policy, role_session.policy_arns
        policies = identity_policies.session_policies(tx, role.account, document, arns)
    caller = callers.in_session(callers.of_role(tx, role), role_session.name)
    return replace(caller, key=session.parent, session_policies=policies, issued_at=session.issued)


def _basic(authorization: str) -> tuple[str, str]:
    """User and password of an `Authorization` header. Raises NotAuthenticated."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise NotAuthenticated
    try:
        user, separator, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:  # characters that are neither ASCII nor base64, or bytes that are not UTF-8
        raise NotAuthenticated from None
    if not separator:
        raise NotAuthenticated
    return user, password
