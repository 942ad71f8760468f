"""Where destinations are, and their credentials: set, list and remove them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from moorage.core.vault import Vault
from moorage.domain.names import Registry, is_account
from moorage.domain.regions import region_names
from moorage.domain.remote_registries import AwsCredentials, RemoteAddress, RemoteCredentials, UserCredentials
from moorage.domain.replication.destinations import Rewrite, Selection, check_patterns
from moorage.domain.replication.versions import VersionRange
from moorage.metadata.database import Transaction
from moorage.metadata.replication import destinations
from moorage.metadata.replication.destinations import Destination

MOST_REWRITES: Final = 50
MOST_AT_ONCE: Final = 64
_SECRET_LIMIT: Final = 8 << 10
_LEAST_SPEED: Final = 1 << 10


class DestinationError(Exception):
    """A request about a destination cannot be done. The text is for the operator."""


@dataclass(frozen=True, slots=True)
class DestinationRequest:
    """A destination to set. `realms` are hosts that may issue its tokens."""

    registry: Registry
    url: str
    credentials: RemoteCredentials | None = field(repr=False)
    tags: tuple[str, ...] = ()
    versions: str = ""
    only_signed: bool = False
    rewrites: tuple[str, ...] = ()
    realms: tuple[str, ...] = ()
    private_networks: bool = False
    bytes_per_second: int = 0
    at_once: int = 4


def put(
    tx: Transaction, vault: Vault, request: DestinationRequest, check: Callable[[RemoteAddress], object], now: int
) -> Destination:
    """Set a destination in place of any other for its registry. `check` raises ValueError for an address.

    Raises DestinationError.
    """
    if not is_account(request.registry.account):
        raise DestinationError(f"{request.registry.account!r} is not an account of 12 digits")
    if not 1 <= request.at_once <= MOST_AT_ONCE:
        raise DestinationError(f"the number at once must be from 1 to {MOST_AT_ONCE}")
    if request.bytes_per_second and request.bytes_per_second < _LEAST_SPEED:
        raise DestinationError(f"the limit of speed must be at least {_LEAST_SPEED} bytes per second")
    secret = _encoded(request.credentials)
    if len(secret) > _SECRET_LIMIT:
        raise DestinationError("the credentials are too long")
    try:
        region_names([request.registry.region])
        made = Destination(
            registry=request.registry,
            url=request.url,
            sealed_secret=vault.seal(secret, destinations.id_of(request.registry)),
            selection=_selection(request),
            realms=request.realms,
            private_networks=request.private_networks,
            bytes_per_second=request.bytes_per_second,
            at_once=request.at_once,
        )
        check(address_of(vault, made))
    except ValueError as error:
        raise DestinationError(str(error)) from None
    destinations.put(tx, made, now)
    return made


def remove(tx: Transaction, registry: Registry) -> None:
    """Raises DestinationError."""
    if not destinations.delete(tx, registry):
        raise DestinationError(f"no destination is set for the account {registry.account} in {registry.region}")


def address_of(vault: Vault, destination: Destination) -> RemoteAddress:
    """The address of a destination with its credentials. Raises Forged for another master key."""
    return RemoteAddress(
        destination.url.rstrip("/"),
        _decoded(vault.open(destination.sealed_secret, destination.id)),
        frozenset(destination.realms),
        destination.private_networks,
    )


def _selection(request: DestinationRequest) -> Selection:
    """Raises ValueError."""
    check_patterns(request.tags)
    if request.versions:
        VersionRange.parse(request.versions)
    if len(request.rewrites) > MOST_REWRITES:
        raise ValueError(f"a destination can have at most {MOST_REWRITES} rewritten prefixes")
    rewrites = tuple(Rewrite.parse(text) for text in request.rewrites)
    return Selection(request.tags, request.versions, request.only_signed, rewrites)


def _encoded(credentials: RemoteCredentials | None) -> str:
    match credentials:
        case UserCredentials():
            value: list[str] = ["user", credentials.username, credentials.secret]
        case AwsCredentials():
            value = ["aws", credentials.key_id, credentials.secret, credentials.region, credentials.endpoint]
        case None:
            value = []
    return msgspec.json.encode(value).decode()


def _decoded(text: str) -> RemoteCredentials | None:
    value = msgspec.json.decode(text, type=list[str])
    if not value:
        return None
    if value[0] == "user":
        return UserCredentials(value[1], value[2])
    return AwsCredentials(value[1], value[2], value[3], endpoint=value[4])
