"""Create, change and delete roles and identity providers, for the commands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from moorage.core.identity import principals
from moorage.core.identity.accounts import IAM_NAME, AccountError, require_account
from moorage.core.identity.key_ids import new_id
from moorage.core.identity.policies import check_document
from moorage.domain.identity.policies.document import PolicyKind, parse_policy
from moorage.first_use import at_first_use
from moorage.metadata.database import Transaction
from moorage.metadata.identity import providers as identity_providers
from moorage.metadata.identity import roles
from moorage.metadata.identity.providers import IdentityProvider
from moorage.metadata.identity.roles import Role

if TYPE_CHECKING:
    from moorage.core.identity import oidc_tokens
else:
    oidc_tokens = at_first_use("moorage.core.identity.oidc_tokens")

SESSION_SECONDS: Final = range(3600, 43_201)
"""IAM, CreateRole: MaxSessionDuration is 1 to 12 hours."""

TRUSTING_NOBODY: Final = """{
  "Version": "2012-10-17",
  "Statement": [{"Effect": "Allow", "Principal": {"Service": "nobody"}, "Action": "sts:*"}]
}"""
"""A trust policy that allows no caller."""

_PATH: Final = re.compile(r"/(?:[!-.0-~]+/)*", re.ASCII)
_PATH_LIMIT: Final = 512
_AUDIENCE_LIMIT: Final = 100


def create_role(tx: Transaction, role: Role) -> Role:
    """Create a role; returns it with its new id. Raises AccountError."""
    require_account(tx, role.account)
    if IAM_NAME.fullmatch(role.name) is None:
        raise AccountError(f"{role.name[:64]!r} is not a role name: use 1 to 64 letters, digits and +=,.@_-")
    if len(role.path) > _PATH_LIMIT or _PATH.fullmatch(role.path) is None:
        raise AccountError(f"{role.path[:64]!r} is not a path: it must begin and end with /")
    if roles.find_role(tx, role.account, role.name) is not None:
        raise AccountError(f"role {role.name!r} already exists")
    _check_duration(role)
    created = replace(_with_checked_trust(tx, role), id=new_id("AROA"))
    principals.created(tx, created)
    roles.insert_role(tx, created)
    return created


def get_role(tx: Transaction, account: str, name: str) -> Role:
    """Raises AccountError."""
    require_account(tx, account)
    role = roles.find_role(tx, account, name)
    if role is None:
        raise AccountError(f"there is no role {name[:64]!r}: see `moorage role list`")
    return role


def change_role(tx: Transaction, role: Role) -> None:
    """Set a role's trust policy and maximum session duration to those of `role`. Raises AccountError.

    A trust policy that stays may name principals that were deleted.
    """
    _check_duration(role)
    current = roles.find_role_by_id(tx, role.id)
    if current is None or current.trust_policy != role.trust_policy:
        role = _with_checked_trust(tx, role)
    roles.update_role(tx, role)


def delete_role(tx: Transaction, account: str, name: str) -> None:
    """Delete a role; its sessions stop working at once. Raises AccountError."""
    role = get_role(tx, account, name)
    principals.deleted(tx, role)
    roles.delete_role(tx, role)


def put_provider(tx: Transaction, provider: IdentityProvider) -> None:
    """Trust an issuer's tokens, or replace its keys and audiences. Raises AccountError."""
    require_account(tx, provider.account)
    parts = urlsplit(provider.issuer)
    if parts.scheme != "https" or not parts.netloc or parts.query or parts.fragment or len(provider.issuer) > 255:
        raise AccountError(f"{provider.issuer[:255]!r} is not an issuer: use an https URL without a query")
    _check_audiences(provider.audiences)
    try:
        oidc_tokens.read_key_set(provider.key_set)
    except oidc_tokens.BadKeySet as error:
        raise AccountError(f"the keys of {provider.issuer}: {error}") from None
    identity_providers.put_provider(tx, provider)


def get_provider(tx: Transaction, account: str, issuer: str) -> IdentityProvider:
    """Raises AccountError."""
    require_account(tx, account)
    provider = identity_providers.find_provider(tx, account, issuer)
    if provider is None:
        raise AccountError(f"there is no identity provider {issuer[:255]!r}: see `moorage oidc list`")
    return provider


def delete_provider(tx: Transaction, account: str, issuer: str) -> None:
    """Stop trusting an issuer. Raises AccountError."""
    identity_providers.delete_provider(tx, account, get_provider(tx, account, issuer).issuer)


def _with_checked_trust(tx: Transaction, role: Role) -> Role:
    """The role with its trust policy as it is stored. Raises AccountError."""
    check_document(role.trust_policy, role.name, PolicyKind.TRUST)
    missing = principals.missing(tx, parse_policy(role.trust_policy, PolicyKind.TRUST, role.name))
    if missing:
        raise AccountError(f"trust policy {role.name!r}: there is no principal {', '.join(missing)}")
    return replace(role, trust_policy=principals.with_arns(tx, role.trust_policy))


def _check_duration(role: Role) -> None:
    if role.max_session_seconds not in SESSION_SECONDS:
        limits = f"{SESSION_SECONDS.start} to {SESSION_SECONDS.stop - 1} seconds"
        raise AccountError(f"the maximum session duration of role {role.name!r} must be {limits}")


def _check_audiences(audiences: Sequence[str]) -> None:
    if not 0 < len(audiences) <= _AUDIENCE_LIMIT:
        raise AccountError(f"an identity provider has 1 to {_AUDIENCE_LIMIT} audiences")
    if not all(0 < len(audience) <= 255 for audience in audiences):
        raise AccountError("an audience has 1 to 255 characters")
