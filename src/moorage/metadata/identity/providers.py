"""Rows of identity providers: the OpenID Connect issuers that an account trusts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from moorage.metadata.database import Transaction
from moorage.metadata.identity.tags import tags_of, text_of


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """An OpenID Connect provider. `issuer` is an https URL, `key_set` the JSON text of its JWK set.

    `thumbprints` are those that clients of IAM set. Nothing depends on them.
    """

    account: str
    issuer: str
    audiences: tuple[str, ...]
    key_set: str
    created_at: int
    thumbprints: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The issuer without its scheme, as policies name it."""
        return issuer_name(self.issuer)

    @property
    def arn(self) -> str:
        return provider_arn(self.account, self.issuer)


def issuer_name(issuer: str) -> str:
    """An issuer as policies name it: without its scheme."""
    return issuer.partition("://")[2]


def provider_arn(account: str, issuer: str) -> str:
    return f"arn:aws:iam::{account}:oidc-provider/{issuer_name(issuer)}"


_PUT: Final = """
INSERT INTO identity_provider (account, issuer, audiences, key_set, created_at, thumbprints, tags)
VALUES (:account, :issuer, :audiences, :key_set, :now, :thumbprints, :tags)
ON CONFLICT (account, issuer) DO UPDATE SET audiences = excluded.audiences, key_set = excluded.key_set,
    thumbprints = excluded.thumbprints, tags = excluded.tags
"""
_PROVIDERS: Final = (
    "SELECT account, issuer, audiences, key_set, created_at, thumbprints, tags FROM identity_provider"
    " WHERE account = :account"
)


def put_provider(tx: Transaction, provider: IdentityProvider) -> None:
    tx.run(
        _PUT,
        account=provider.account,
        issuer=provider.issuer,
        audiences=_texts(provider.audiences),
        key_set=provider.key_set,
        now=provider.created_at,
        thumbprints=_texts(provider.thumbprints),
        tags=text_of(provider.tags),
    )


def find_provider(tx: Transaction, account: str, issuer: str) -> IdentityProvider | None:
    row = tx.one(f"{_PROVIDERS} AND issuer = :issuer", account=account, issuer=issuer)
    return _provider(row) if row else None


def list_providers(tx: Transaction, account: str) -> list[IdentityProvider]:
    return [_provider(row) for row in tx.all(f"{_PROVIDERS} ORDER BY issuer", account=account)]


def delete_provider(tx: Transaction, account: str, issuer: str) -> bool:
    """Delete a provider; False when it does not exist."""
    statement = "DELETE FROM identity_provider WHERE account = :account AND issuer = :issuer"
    return bool(tx.run(statement, account=account, issuer=issuer))


def _provider(row: tuple[Any, ...]) -> IdentityProvider:
    account, issuer, audiences, key_set, created_at, thumbprints, tags = row
    return IdentityProvider(
        account, issuer, _listed(audiences), key_set, created_at, _listed(thumbprints), tags_of(tags)
    )


def _texts(texts: Sequence[str]) -> str:
    return msgspec.json.encode(texts).decode()


def _listed(text: str) -> tuple[str, ...]:
    return msgspec.json.decode(text, type=tuple[str, ...])
