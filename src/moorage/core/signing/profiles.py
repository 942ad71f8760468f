"""Signing profiles: create, cancel, revoke and renew them; and the roots of accounts, which certify their keys.

Functions over a `Transaction` that raise SigningError. The commands and the operations of AWS Signer call them.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from moorage.domain.names import Registry
from moorage.domain.signing import certificates
from moorage.domain.signing.errors import ProfileNotFound, ProfileUnusable, SigningDenied, SigningError
from moorage.domain.signing.keys import SigningKeys
from moorage.domain.signing.profiles import (
    ACTIVE,
    CANCELED,
    DEFAULT_VALIDITY,
    REVOKED,
    ProfileName,
    Validity,
)
from moorage.domain.units import SECOND
from moorage.metadata.database import Transaction
from moorage.metadata.signing import profiles as rows
from moorage.metadata.signing.profiles import ProfileVersion, Revocation, Root

PROFILE_LIMIT: Final = 1000
"""Profiles of an account in a Region, canceled ones included."""

VERSIONS_SHOWN: Final = 100

TAG_LIMIT: Final = 200
"""Resource tags of a profile (Signer API reference, TagMap)."""

_PAGE: Final = 100
_VERSION_CHARACTERS: Final = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class NewProfile:
    """A profile to create, or whose next version to create. What is not given stays as it is: tags and the plugin."""

    name: ProfileName
    validity: Validity = DEFAULT_VALIDITY
    tags: Mapping[str, str] = field(default_factory=dict)
    needs_plugin: bool | None = None


# --- Profiles ---------------------------------------------------------------------------------------------------


def put(tx: Transaction, keys: SigningKeys, new: NewProfile, now: int) -> ProfileVersion:
    """Create a profile, or a new version of it with a new key. Raises SigningError."""
    new.validity.check()
    check_tags(new.tags)
    before = rows.find(tx, new.name)
    registry = new.name.registry
    if before is None and len(rows.page(tx, registry, "", PROFILE_LIMIT, STATUSES)) == PROFILE_LIMIT:
        raise SigningError(f"an account has at most {PROFILE_LIMIT} signing profiles in a Region")
    tags = new.tags or (before.tags if before else {})
    shared = before.shared_with if before else ()
    needs_plugin = new.needs_plugin if new.needs_plugin is not None else (before is not None and before.needs_plugin)
    return _certified(tx, keys, replace(new, tags=tags, needs_plugin=needs_plugin), shared, now)


def get(tx: Transaction, name: ProfileName) -> ProfileVersion:
    """The current version of a profile. Raises ProfileNotFound."""
    found = rows.find(tx, name)
    if found is None:
        raise ProfileNotFound(f"there is no signing profile {name.arn}")
    return found


def get_version(tx: Transaction, name: ProfileName, version: str) -> ProfileVersion:
    """Raises ProfileNotFound."""
    found = rows.find_version(tx, name.version_arn(version))
    if found is None:
        raise ProfileNotFound(f"there is no signing profile version {name.version_arn(version[:32])}")
    return found


def page(tx: Transaction, registry: Registry, after: str, limit: int, statuses: Sequence[str]) -> list[ProfileVersion]:
    """The current versions of at most `limit` profiles with these statuses, with names after `after`."""
    return rows.page(tx, registry, after, limit, list(statuses))


def versions(tx: Transaction, name: ProfileName) -> list[ProfileVersion]:
    """The newest versions of a profile. Raises ProfileNotFound."""
    return rows.versions_of(tx, get(tx, name).profile, VERSIONS_SHOWN)


def cancel(tx: Transaction, name: ProfileName) -> None:
    """Stop signing with a profile. Its signatures stay valid. Raises ProfileNotFound, ProfileUnusable."""
    version = get(tx, name)
    if version.status == REVOKED:
        raise ProfileUnusable(f"the signing profile {name.arn} is revoked")
    rows.cancel(tx, version, CANCELED, None)


def revoke(tx: Transaction, version: ProfileVersion, reason: str, by: str, since: int, now: int) -> None:
    """Declare signatures of a version invalid that were made at `since` or later. It signs nothing any more.

    A version is revoked once, as in AWS Signer. Raises ProfileUnusable.
    """
    if version.revocation is not None:
        raise ProfileUnusable(f"the signing profile version {version.arn} is revoked already")
    rows.revoke(tx, version, REVOKED, reason, Revocation(now, since, by))


def set_tags(tx: Transaction, name: ProfileName, tags: Mapping[str, str]) -> None:
    """Add and replace resource tags of a profile. Raises SigningError."""
    merged = {**get(tx, name).tags, **tags}
    check_tags(merged)
    rows.set_tags(tx, name, merged)


def remove_tags(tx: Transaction, name: ProfileName, tag_keys: Iterable[str]) -> None:
    """Remove resource tags of a profile. Raises ProfileNotFound."""
    removed = set(tag_keys)
    kept = {key: value for key, value in get(tx, name).tags.items() if key not in removed}
    rows.set_tags(tx, name, kept)


def share(tx: Transaction, name: ProfileName, accounts: Iterable[str]) -> None:
    """Let other accounts sign with a profile: these, and no others. Raises ProfileNotFound."""
    rows.share(tx, get(tx, name).profile, sorted(set(accounts)))


def check_shared(version: ProfileVersion, account: str) -> None:
    """Raises SigningDenied unless an account may use a profile: its owner, and those it is shared with."""
    if account not in (version.profile.registry.account, *version.shared_with):
        raise SigningDenied(f"account {account} may not sign with {version.profile.arn}: its owner has not shared it")


def check_tags(tags: Mapping[str, str]) -> None:
    """Raises SigningError."""
    if len(tags) > TAG_LIMIT:
        raise SigningError(f"a signing profile has at most {TAG_LIMIT} tags")
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or len(value) > 256 or key.lower().startswith("aws:"):
            raise SigningError("a tag has a key of 1 to 128 characters, not aws:, and a value of at most 256")


# --- Keys and certificates --------------------------------------------------------------------------------------


def usable(tx: Transaction, name: ProfileName) -> ProfileVersion:
    """The current version of a profile, if it may sign. Raises ProfileNotFound, ProfileUnusable."""
    version = get(tx, name)
    if version.status != ACTIVE:
        raise ProfileUnusable(f"the signing profile {name.arn} is {version.status.lower()}")
    return version


def needs_renewal(version: ProfileVersion, now: int) -> bool:
    """Whether the certificate of a version ends soon, so that a new version must sign."""
    return version.ends_at - now < int(certificates.RENEWAL_BEFORE_END.total_seconds()) * SECOND


def renew(tx: Transaction, keys: SigningKeys, version: ProfileVersion, now: int) -> ProfileVersion:
    """A new version of a profile, with a new key. Raises ProfileUnusable if its root ends too soon for that."""
    current = get(tx, version.profile)
    if not needs_renewal(current, now):
        return current  # Another job was faster.
    new = _replacement(tx, keys, current, now)
    if needs_renewal(new, now):
        raise ProfileUnusable(
            f"the root certificate of account {version.profile.registry.account} ends too soon:"
            " replace it with `moorage signing-profile rotate-root`"
        )
    return new


def chain_of(tx: Transaction, version: ProfileVersion) -> list[x509.Certificate]:
    """The certificate of a version and its root."""
    root = rows.root_of(tx, version)
    return [x509.load_der_x509_certificate(one) for one in (version.certificate, root.certificate)]


def root(tx: Transaction, keys: SigningKeys, account: str, now: int) -> Root:
    """The root of an account; the first call creates it."""
    return rows.current_root(tx, account) or _new_root(tx, keys, account, now)


def rotate_root(tx: Transaction, keys: SigningKeys, account: str, now: int) -> tuple[Root, int]:
    """A new root, and a new version of each active profile; returns how many.

    Signatures under the old root stay valid for as long as verifiers trust it.
    """
    return _new_root(tx, keys, account, now), _replace_versions(tx, keys, account, now)


def export_root(tx: Transaction, keys: SigningKeys, account: str) -> bytes:
    """The certificate and the private key of an account's current root, in PEM. Raises SigningError."""
    found = rows.current_root(tx, account)
    if found is None:
        raise SigningError(f"account {account} has no signing root yet: create a signing profile")
    return pem_of(found) + keys.export(found.key)


def import_root(tx: Transaction, keys: SigningKeys, account: str, text: bytes, now: int) -> tuple[Root, int]:
    """Make a root of another place the account's: its certificate and private key, as `export_root` returns them.

    Each active profile gets a new version; returns how many. Raises SigningError.
    """
    certificate, key = certificates.read_root(text, certificates.time_of(now))
    root_id = "root-" + secrets.token_hex(8)
    made = Root(root_id, account, certificate.public_bytes(Encoding.DER), keys.keep(root_id, key).sealed, True, now)
    rows.insert_root(tx, made)
    return made, _replace_versions(tx, keys, account, now)


def pem_of(found: Root) -> bytes:
    """The certificate of a root in PEM."""
    return x509.load_der_x509_certificate(found.certificate).public_bytes(Encoding.PEM)


def _current_versions(tx: Transaction, account: str) -> Iterator[ProfileVersion]:
    after = ("", "")
    while batch := rows.current_of_account(tx, account, after, _PAGE):
        yield from batch
        after = (batch[-1].profile.registry.region, batch[-1].profile.name)


def _replace_versions(tx: Transaction, keys: SigningKeys, account: str, now: int) -> int:
    """A new version of each active profile, under the current root; returns how many."""
    active = [version for version in _current_versions(tx, account) if version.status == ACTIVE]
    for version in active:
        _replacement(tx, keys, version, now)
    return len(active)


def _replacement(tx: Transaction, keys: SigningKeys, version: ProfileVersion, now: int) -> ProfileVersion:
    new = NewProfile(version.profile, version.validity, version.tags, version.needs_plugin)
    return _certified(tx, keys, new, version.shared_with, now)


def _certified(
    tx: Transaction, keys: SigningKeys, new: NewProfile, shared_with: tuple[str, ...], now: int
) -> ProfileVersion:
    """Store a new version with a new key, certified by the account's root."""
    issuer = root(tx, keys, new.name.registry.account, now)
    authority = x509.load_der_x509_certificate(issuer.certificate)
    version = "".join(secrets.choice(_VERSION_CHARACTERS) for _ in range(10))
    key, public = keys.create(new.name.version_arn(version))
    builder = certificates.leaf_builder(new.name, public, authority, certificates.time_of(now))
    certificate = keys.certify(issuer.key, builder)
    made = ProfileVersion(
        profile=new.name,
        version=version,
        is_current=True,
        status=ACTIVE,
        status_reason=None,
        root_id=issuer.id,
        certificate=certificate.public_bytes(Encoding.DER),
        certificate_hash=certificates.chain_hashes([certificate, authority])[0],
        sealed_key=key.sealed,
        validity=new.validity,
        tags=dict(new.tags),
        shared_with=shared_with,
        created_at=now,
        ends_at=int(certificate.not_valid_after_utc.timestamp()) * SECOND,
        needs_plugin=bool(new.needs_plugin),
    )
    rows.insert_version(tx, made)
    return made


def _new_root(tx: Transaction, keys: SigningKeys, account: str, now: int) -> Root:
    root_id = "root-" + secrets.token_hex(8)
    key, public = keys.create(root_id)
    certificate = keys.certify(key, certificates.root_builder(account, public, certificates.time_of(now)))
    made = Root(root_id, account, certificate.public_bytes(Encoding.DER), key.sealed, True, now)
    rows.insert_root(tx, made)
    return made


STATUSES: Final = (ACTIVE, CANCELED, REVOKED)
