"""Rows of signing profiles and of the roots that certify their keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from moorage.domain.names import Registry
from moorage.domain.signing.keys import KeyReference
from moorage.domain.signing.profiles import ProfileName, Validity
from moorage.metadata.database import Transaction


@dataclass(frozen=True, slots=True)
class Root:
    """The root certificate (DER) of an account. A replaced root has no key any more."""

    id: str
    account: str
    certificate: bytes
    sealed_key: bytes | None
    is_current: bool
    created_at: int

    @property
    def key(self) -> KeyReference:
        return KeyReference(self.id, self.sealed_key or b"")


@dataclass(frozen=True, slots=True)
class Revocation:
    """When a profile version was revoked, from when on its signatures are not valid, and who revoked it."""

    at: int
    since: int
    by: str


@dataclass(frozen=True, slots=True)
class ProfileVersion:
    """A version of a signing profile: its key with its certificate (DER), which ends at `ends_at`.

    `needs_plugin`: its signatures are for verifiers that have AWS Signer's plugin.
    """

    profile: ProfileName
    version: str
    is_current: bool
    status: str
    status_reason: str | None
    root_id: str
    certificate: bytes
    certificate_hash: str
    sealed_key: bytes | None
    validity: Validity
    tags: Mapping[str, str]
    shared_with: tuple[str, ...]
    created_at: int
    ends_at: int
    needs_plugin: bool = False
    revocation: Revocation | None = None

    @property
    def arn(self) -> str:
        return self.profile.version_arn(self.version)

    @property
    def key(self) -> KeyReference:
        return KeyReference(self.arn, self.sealed_key or b"")


_ROOT: Final = "id, account, certificate, sealed_key, is_current, created_at"


def insert_root(tx: Transaction, root: Root) -> None:
    """Add a root that replaces the current one, whose key is forgotten."""
    tx.run(
        "UPDATE signing_root SET is_current = 0, sealed_key = NULL WHERE account = :account AND is_current = 1",
        account=root.account,
    )
    tx.run(
        f"INSERT INTO signing_root ({_ROOT}) VALUES (:id, :account, :certificate, :key, 1, :created_at)",
        id=root.id,
        account=root.account,
        certificate=root.certificate,
        key=root.sealed_key,
        created_at=root.created_at,
    )


def current_root(tx: Transaction, account: str) -> Root | None:
    row = tx.one(f"SELECT {_ROOT} FROM signing_root WHERE account = :account AND is_current = 1", account=account)
    return _root(row) if row else None


def roots_of(tx: Transaction, account: str) -> list[Root]:
    """All roots of an account, the newest first."""
    rows = tx.all(
        f"SELECT {_ROOT} FROM signing_root WHERE account = :account ORDER BY created_at DESC, id", account=account
    )
    return [_root(row) for row in rows]


def root_of(tx: Transaction, version: ProfileVersion) -> Root:
    """The root that certified a version."""
    row = tx.one(f"SELECT {_ROOT} FROM signing_root WHERE id = :id", id=version.root_id)
    assert row is not None  # noqa: S101 - for the type checker: the schema refers to it
    return _root(row)


def _root(row: tuple[Any, ...]) -> Root:
    root_id, account, certificate, key, is_current, created_at = row
    sealed = None if key is None else bytes(key)
    return Root(root_id, account, bytes(certificate), sealed, bool(is_current), created_at)


_VERSION: Final = (
    "account, region, name, version, is_current, status, status_reason, root_id, certificate, certificate_hash,"
    " sealed_key, validity_value, validity_type, tags, shared_with, created_at, ends_at,"
    " revoked_at, revoked_from, revoked_by, needs_plugin"
)


def insert_version(tx: Transaction, version: ProfileVersion) -> None:
    """Add a version that becomes the current one of its profile. The key of the version before is forgotten."""
    name = version.profile
    tx.run(
        "UPDATE signing_profile SET is_current = 0, sealed_key = NULL"
        " WHERE account = :account AND region = :region AND name = :name AND is_current = 1",
        **_named(name),
    )
    tx.run(
        "INSERT INTO signing_profile (id, account, region, name, version, is_current, status, root_id, certificate,"
        " certificate_hash, sealed_key, validity_value, validity_type, tags, shared_with, created_at, ends_at,"
        " needs_plugin)"
        " VALUES (:id, :account, :region, :name, :version, 1, :status, :root, :certificate, :hash, :key, :value,"
        " :type, :tags, :shared, :created_at, :ends_at, :needs_plugin)",
        id=version.arn,
        **_named(name),
        version=version.version,
        status=version.status,
        root=version.root_id,
        certificate=version.certificate,
        hash=version.certificate_hash,
        key=version.sealed_key,
        value=version.validity.value,
        type=version.validity.type,
        tags=msgspec.json.encode(version.tags).decode(),
        shared=msgspec.json.encode(version.shared_with).decode(),
        created_at=version.created_at,
        ends_at=version.ends_at,
        needs_plugin=int(version.needs_plugin),
    )


def find(tx: Transaction, name: ProfileName) -> ProfileVersion | None:
    """The current version of a profile."""
    row = tx.one(
        f"SELECT {_VERSION} FROM signing_profile"
        " WHERE account = :account AND region = :region AND name = :name AND is_current = 1",
        **_named(name),
    )
    return _version(row) if row else None


def find_version(tx: Transaction, arn: str) -> ProfileVersion | None:
    """The version with this ARN."""
    row = tx.one(f"SELECT {_VERSION} FROM signing_profile WHERE id = :id", id=arn)
    return _version(row) if row else None


def find_certified(tx: Transaction, certificate_hash: str) -> ProfileVersion | None:
    """The version whose certificate has this hash."""
    row = tx.one(f"SELECT {_VERSION} FROM signing_profile WHERE certificate_hash = :hash", hash=certificate_hash)
    return _version(row) if row else None


def versions_of(tx: Transaction, name: ProfileName, limit: int) -> list[ProfileVersion]:
    """At most `limit` versions of a profile, the newest first."""
    rows = tx.all(
        f"SELECT {_VERSION} FROM signing_profile WHERE account = :account AND region = :region AND name = :name"
        " ORDER BY created_at DESC, version LIMIT :limit",
        **_named(name),
        limit=limit,
    )
    return [_version(row) for row in rows]


def page(tx: Transaction, registry: Registry, after: str, limit: int, statuses: Sequence[str]) -> list[ProfileVersion]:
    """The current versions of at most `limit` profiles with one of these statuses, by name."""
    rows = tx.all(
        f"SELECT {_VERSION} FROM signing_profile WHERE account = :account AND region = :region AND is_current = 1"
        " AND name > :after AND status = ANY(:statuses) ORDER BY name LIMIT :limit",
        account=registry.account,
        region=registry.region,
        after=after,
        statuses=list(statuses),
        limit=limit,
    )
    return [_version(row) for row in rows]


def current_of_account(tx: Transaction, account: str, after: tuple[str, str], limit: int) -> list[ProfileVersion]:
    """The current versions of at most `limit` profiles of all Regions, by Region and name."""
    rows = tx.all(
        f"SELECT {_VERSION} FROM signing_profile WHERE account = :account AND is_current = 1"
        " AND (region, name) > (:region, :name) ORDER BY region, name LIMIT :limit",
        account=account,
        region=after[0],
        name=after[1],
        limit=limit,
    )
    return [_version(row) for row in rows]


def cancel(tx: Transaction, version: ProfileVersion, status: str, reason: str | None) -> None:
    """Set the status of a version that must sign nothing any more. Its key is forgotten."""
    tx.run(
        "UPDATE signing_profile SET status = :status, status_reason = :reason, sealed_key = NULL WHERE id = :id",
        status=status,
        reason=reason,
        id=version.arn,
    )


def revoke(tx: Transaction, version: ProfileVersion, status: str, reason: str, revocation: Revocation) -> None:
    """`cancel`, and record from when on the signatures of the version are not valid."""
    cancel(tx, version, status, reason)
    tx.run(
        "UPDATE signing_profile SET revoked_at = :at, revoked_from = :since, revoked_by = :by WHERE id = :id",
        at=revocation.at,
        since=revocation.since,
        by=revocation.by,
        id=version.arn,
    )


def set_tags(tx: Transaction, name: ProfileName, tags: Mapping[str, str]) -> None:
    """Set the resource tags of a profile."""
    tx.run(
        "UPDATE signing_profile SET tags = :tags"
        " WHERE account = :account AND region = :region AND name = :name AND is_current = 1",
        tags=msgspec.json.encode(tags).decode(),
        **_named(name),
    )


def share(tx: Transaction, name: ProfileName, accounts: Sequence[str]) -> None:
    """Set the other accounts that may sign with a profile."""
    tx.run(
        "UPDATE signing_profile SET shared_with = :accounts"
        " WHERE account = :account AND region = :region AND name = :name AND is_current = 1",
        accounts=msgspec.json.encode(accounts).decode(),
        **_named(name),
    )


def _named(name: ProfileName) -> dict[str, str]:
    return {"account": name.registry.account, "region": name.registry.region, "name": name.name}


def _version(row: tuple[Any, ...]) -> ProfileVersion:
    revocation = None if row[17] is None else Revocation(row[17], row[18], row[19])
    return ProfileVersion(
        profile=ProfileName(Registry(row[0], row[1]), row[2]),
        version=row[3],
        is_current=bool(row[4]),
        status=row[5],
        status_reason=row[6],
        root_id=row[7],
        certificate=bytes(row[8]),
        certificate_hash=row[9],
        sealed_key=None if row[10] is None else bytes(row[10]),
        validity=Validity(row[11], row[12]),
        tags=msgspec.json.decode(row[13], type=dict[str, str]),
        shared_with=msgspec.json.decode(row[14], type=tuple[str, ...]),
        created_at=row[15],
        ends_at=row[16],
        needs_plugin=bool(row[20]),
        revocation=revocation,
    )
