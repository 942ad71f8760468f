"""Identity providers: the OpenID Connect issuers whose tokens can assume roles of an account."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from moorage.core.identity.accounts import require_account
from moorage.domain.identity.errors import AccountError, EntityAlreadyExists, NoSuchEntity
from moorage.domain.identity.names import check_tags
from moorage.first_use import at_first_use
from moorage.metadata.database import Transaction
from moorage.metadata.identity import providers
from moorage.metadata.identity.providers import IdentityProvider

if TYPE_CHECKING:
    from moorage.core.identity import oidc_tokens
else:
    oidc_tokens = at_first_use("moorage.core.identity.oidc_tokens")

WITHOUT_KEYS: Final = '{"keys": []}'
"""The JWK set of a provider that IAM created: its requests cannot carry keys."""

_AUDIENCE_LIMIT: Final = 100
_THUMBPRINT_LIMIT: Final = 5
"""IAM quotas: thumbprints of an identity provider."""

_THUMBPRINT: Final = re.compile(r"[0-9a-fA-F]{40}")
_SCHEME: Final = "https://"


def put_provider(tx: Transaction, provider: IdentityProvider) -> None:
    """Trust an issuer's tokens, or replace its keys and audiences. Raises AccountError."""
    require_account(tx, provider.account)
    _check_issuer(provider.issuer)
    _check_audiences(provider.audiences)
    try:
        oidc_tokens.read_key_set(provider.key_set)
    except oidc_tokens.BadKeySet as error:
        raise AccountError(f"the keys of {provider.issuer}: {error}") from None
    existing = providers.find_provider(tx, provider.account, provider.issuer)
    if existing is not None:
        provider = replace(provider, thumbprints=existing.thumbprints, tags=existing.tags)
    providers.put_provider(tx, provider)


def create_provider(tx: Transaction, provider: IdentityProvider) -> None:
    """Add an issuer without keys: its tokens are rejected until `moorage oidc put` sets them. Raises AccountError."""
    require_account(tx, provider.account)
    _check_issuer(provider.issuer)
    if providers.find_provider(tx, provider.account, provider.issuer) is not None:
        raise EntityAlreadyExists(
            f"identity provider {provider.issuer!r} already exists",
            f"Provider with url {provider.issuer} already exists.",
        )
    if provider.audiences:  # IAM accepts none, and then no token is accepted.
        _check_audiences(provider.audiences)
    _check_thumbprints(provider.thumbprints)
    check_tags(provider.tags)
    providers.put_provider(tx, replace(provider, key_set=WITHOUT_KEYS))


def get_provider(tx: Transaction, account: str, issuer: str) -> IdentityProvider:
    """Raises NoSuchEntity, and AccountError for an unknown account."""
    require_account(tx, account)
    provider = providers.find_provider(tx, account, issuer)
    if provider is None:
        arn = f"arn:aws:iam::{account}:oidc-provider/{issuer.removeprefix(_SCHEME)}"
        raise NoSuchEntity(
            f"there is no identity provider {issuer[:255]!r}: see `moorage oidc list`",
            f"OpenIDConnect Provider not found for arn {arn}",
        )
    return provider


def issuer_of(name: str) -> str:
    """The issuer of a provider whose ARN ends with this name."""
    return f"{_SCHEME}{name}"


def set_audiences(tx: Transaction, provider: IdentityProvider, audiences: Sequence[str]) -> None:
    """Raises AccountError."""
    if audiences:
        _check_audiences(audiences)
    providers.put_provider(tx, replace(provider, audiences=tuple(audiences)))


def set_thumbprints(tx: Transaction, provider: IdentityProvider, thumbprints: Sequence[str]) -> None:
    """Store thumbprints for clients that read them. The server fetches nothing, so none is used.

    Raises AccountError.
    """
    _check_thumbprints(thumbprints)
    providers.put_provider(tx, replace(provider, thumbprints=tuple(thumbprints)))


def delete_provider(tx: Transaction, account: str, issuer: str) -> None:
    """Stop trusting an issuer. Raises AccountError."""
    providers.delete_provider(tx, account, get_provider(tx, account, issuer).issuer)


def _check_issuer(issuer: str) -> None:
    parts = urlsplit(issuer)
    if parts.scheme != "https" or not parts.netloc or parts.query or parts.fragment or len(issuer) > 255:
        raise AccountError(f"{issuer[:255]!r} is not an issuer: use an https URL without a query")


def _check_audiences(audiences: Sequence[str]) -> None:
    if not 0 < len(audiences) <= _AUDIENCE_LIMIT:
        raise AccountError(f"an identity provider has 1 to {_AUDIENCE_LIMIT} audiences")
    if not all(0 < len(audience) <= 255 for audience in audiences):
        raise AccountError("an audience has 1 to 255 characters")


def _check_thumbprints(thumbprints: Sequence[str]) -> None:
    if len(thumbprints) > _THUMBPRINT_LIMIT:
        raise AccountError(f"an identity provider has at most {_THUMBPRINT_LIMIT} thumbprints")
    if not all(map(_THUMBPRINT.fullmatch, thumbprints)):
        raise AccountError("a thumbprint has 40 hexadecimal digits")
