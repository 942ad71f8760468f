"""Seeds: declarations with more accounts, access keys and images, so that tests begin with what they need.

A seed is checked as a whole, with the bytes of its images, before it changes anything. Then its declarations are
applied in one transaction, and its images are pushed as clients push them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec

from moorage.config.documents import BadDocument, at_line
from moorage.config.lines import Place
from moorage.core.attachments import OWNER
from moorage.core.declared.apply import apply
from moorage.core.declared.changes import Conditions
from moorage.core.declared.document import Declaration, DeclarationRefused, shape
from moorage.core.identity import accounts
from moorage.core.identity.accounts import NewKey
from moorage.core.registry.images import Push
from moorage.core.registry.open_uploads import UploadScope
from moorage.core.services import Services
from moorage.core.vault import Vault
from moorage.declarations import files
from moorage.domain.errors import Refusal
from moorage.domain.identity.errors import AccountError
from moorage.domain.identity.root_keys import weakness_of
from moorage.domain.names import Registry, RepositoryName, Tag, is_account
from moorage.domain.ports import CHUNK_BYTES
from moorage.domain.registry.errors import ImageAlreadyExists, LayerAlreadyExists
from moorage.lab import layouts
from moorage.lab.layouts import BadLayout, LayoutImage
from moorage.metadata.database import Transaction
from moorage.metadata.registry import repositories


class SeededKey(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An access key of a user."""

    id: Annotated[str, msgspec.Meta(pattern="^(?!ASIA)[A-Za-z0-9_]{1,128}$")]
    secret: Annotated[str, msgspec.Meta(pattern="^[!-~]{1,256}$")]


class SeededImage(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An image of an OCI layout. `layout` is a folder, relative to the file; `reference` chooses one of its images."""

    repository: Annotated[str, shape("RepositoryName")]
    layout: str
    reference: str | None = None
    region: Annotated[str, shape("Region")] | None = None
    tags: list[str] = []


class AccountSeed(Declaration, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What one account begins with. Its declaration has identities, registries and repositories."""

    keys: dict[str, SeededKey] = msgspec.field(default_factory=dict)
    images: list[SeededImage] = msgspec.field(default_factory=list)


class Seed(AccountSeed, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """The whole file: the first account, and further ones by their ids."""

    accounts: dict[str, AccountSeed] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """An image whose bytes have been checked, with its place in the file."""

    place: Place
    registry: Registry
    repository: RepositoryName
    tags: tuple[Tag, ...]
    images: list[LayoutImage]


@dataclass(frozen=True, slots=True)
class PreparedSeed:
    """A seed that was checked."""

    accounts: dict[str, tuple[Place, AccountSeed]]
    images: list[PreparedImage] = field(default_factory=list)
    refuse: Any = None


@dataclass(frozen=True, slots=True)
class SeedRules:
    """The first account and its Region, and whether other machines can reach the server, so keys must be strong."""

    account: str
    region: str
    is_reachable: bool


def read(file: Path, rules: SeedRules) -> PreparedSeed:
    """Read and check a seed. Raises BadDocument with the line of what is wrong, OSError."""
    seed, lines = files.read(file, Seed)

    def refuse(place: Place, reason: object) -> BadDocument:
        return BadDocument(at_line(lines.of(place), f"{files.named(place)}: {reason}"))

    all_accounts: dict[str, tuple[Place, AccountSeed]] = {seed.account or rules.account: ((), seed)}
    for account, further in seed.accounts.items():
        if not is_account(account) or account in all_accounts:
            raise refuse(("accounts", account), "is not an account id of 12 digits, or occurs twice")
        all_accounts[account] = (("accounts", account), further)
    prepared = PreparedSeed(all_accounts, refuse=refuse)
    for account, (place, one) in all_accounts.items():
        for user, key in one.keys.items():
            weakness = weakness_of(key.secret) if rules.is_reachable else None
            if weakness is not None:
                raise refuse((*place, "keys", user), f"the secret is too weak for a server in reach: {weakness}")
        for number, image in enumerate(one.images):
            here = (*place, "images", number)
            prepared.images.append(
                _prepared(file.parent, image, here, Registry(account, image.region or rules.region), refuse)
            )
    return prepared


def _prepared(folder: Path, image: SeededImage, place: Place, registry: Registry, refuse: Any) -> PreparedImage:
    try:
        name = RepositoryName.parse(image.repository)
        tags = tuple(Tag.parse(tag) for tag in image.tags)
        found = layouts.read(folder / image.layout, image.reference)
    except (BadLayout, Refusal, OSError) as error:
        raise refuse(place, error) from None
    return PreparedImage(place, registry, name, tags, found)


async def sow(seed: PreparedSeed, services: Services, vault: Vault, conditions: Conditions) -> int:
    """Apply a seed; returns the number of its changes and images. Raises BadDocument, Unavailable, OSError."""

    def declare(tx: Transaction) -> int:
        return sum(_declared(tx, vault, account, seed, conditions) for account in seed.accounts)

    changes = await services.database.write(declare)
    for image in seed.images:
        try:
            for number, one in enumerate(image.images, start=1):
                is_last = number == len(image.images)
                await _push(services, image, one, image.tags if is_last else ())
        except Refusal as error:
            raise seed.refuse(image.place, error) from None
    return changes + len(seed.images)


def _declared(tx: Transaction, vault: Vault, account: str, seed: PreparedSeed, conditions: Conditions) -> int:
    """Raises BadDocument."""
    place, declared = seed.accounts[account]
    accounts.root_key(tx, vault, account, conditions.now)
    try:
        changes = list(apply(tx, account, declared, conditions))
    except DeclarationRefused as refused:
        raise seed.refuse((*place, *refused.place), refused) from None
    except AccountError as error:
        raise seed.refuse(place, error) from None
    for user, key in declared.keys.items():
        try:
            owner = accounts.get_user(tx, account, user)
            accounts.put_key(tx, vault, owner, NewKey(key.id, key.secret), conditions.now)
        except AccountError as error:
            raise seed.refuse((*place, "keys", user), error) from None
    return len(changes)


async def _push(services: Services, image: PreparedImage, one: LayoutImage, tags: tuple[Tag, ...]) -> None:
    """Push an image as a client does. Raises Refusal, Unavailable, OSError."""
    scope = UploadScope(image.registry, image.repository, OWNER)
    for digest, file in one.blobs.items():
        upload = await services.layers.append(scope, await services.layers.start(scope), 0, _chunks(file))
        with suppress(LayerAlreadyExists):
            await services.layers.complete(scope, upload, [digest], strict=False)
    push = Push(body=one.body, manifest=one.manifest, tags=tags, digest=None, sparse=False)
    with suppress(ImageAlreadyExists):
        await services.database.write(partial(_put, services=services, image=image, push=push))


def _put(tx: Transaction, services: Services, image: PreparedImage, push: Push) -> None:
    found = repositories.find(tx, image.registry, image.repository)
    if found is not None:  # The upload of its layers found it.
        services.images.put(tx, found, push, services.now())


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    for chunk in _pieces(file):
        yield chunk


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as content:
        while chunk := content.read(CHUNK_BYTES):
            yield chunk
