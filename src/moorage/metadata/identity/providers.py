"""Rows of identity providers: the OpenID Connect issuers that an account trusts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from moorage.metadata.database import Transaction


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """An OpenID Connect provider. `issuer` is an https URL, `key_set` the JSON text of its JWK set."""

    account: str
    issuer: str
    audiences: tuple[str, ...]
    key_set: str
    created_at: int

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


_PUT = """
INSERT INTO identity_provider (account, issuer, audiences, key_set, created_at)
VALUES (:account, :issuer, :audiences, :key_set, :now)
ON CONFLICT (account, issuer) DO UPDATE SET audiences = excluded.audiences, key_set = excluded.key_set
"""
_FIND = """
SELECT account, issuer, audiences, key_set, created_at
FROM identity_provider WHERE account = :account AND issuer = :issuer
"""
_OF_ACCOUNT = """
SELECT account, issuer, audiences, key_set, created_at
FROM identity_provider WHERE account = :account ORDER BY issuer
"""


def put_provider(tx: Transaction, provider: IdentityProvider) -> None:
    tx.run(
        _PUT,
        account=provider.account,
        issuer=provider.issuer,
        audiences=msgspec.json.encode(provider.audiences).decode(),
        key_set=provider.key_set,
        now=provider.created_at,
    )


def find_provider(tx: Transaction, account: str, issuer: str) -> IdentityProvider | None:
    row = tx.one(_FIND, account=account, issuer=issuer)
    return _provider(row) if row else None


def list_providers(tx: Transaction, account: str) -> list[IdentityProvider]:
    return [_provider(row) for row in tx.all(_OF_ACCOUNT, account=account)]


def delete_provider(tx: Transaction, account: str, issuer: str) -> bool:
    """Delete a provider; False when it does not exist."""
    statement = "DELETE FROM identity_provider WHERE account = :account AND issuer = :issuer"
    return bool(tx.run(statement, account=account, issuer=issuer))


def _provider(row: tuple[Any, ...]) -> IdentityProvider:
    account, issuer, audiences, key_set, created_at = row
    return IdentityProvider(account, issuer, msgspec.json.decode(audiences, type=tuple[str, ...]), key_set, created_at)
