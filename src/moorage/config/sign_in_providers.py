"""The file of `sign_in_providers`: issuers of OpenID Connect that people sign in with at the console."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec

from moorage.config.documents import BadDocument, read_as
from moorage.config.table import InvalidSetting
from moorage.domain.identity.sign_in import RoleRule, SignInProvider

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)


class _Role(msgspec.Struct, forbid_unknown_fields=True):
    role: str
    claim: str = ""
    value: str = ""


class _Provider(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    issuer: str
    client_id: str
    roles: list[_Role]
    label: str = ""
    client_secret_file: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    name_claim: str = "email"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    provider: list[_Provider]


def read(path: Path | None) -> tuple[SignInProvider, ...]:
    """The providers of a file; none without a file. Raises InvalidSetting."""
    if path is None:
        return ()
    try:
        given = read_as(_File, path).provider
        providers = tuple(_provider(each, path.parent) for each in given)
    except BadDocument as error:
        raise InvalidSetting(f"MOORAGE_SIGN_IN_PROVIDERS: {path}: {error}") from None
    except OSError as error:
        raise InvalidSetting(f"MOORAGE_SIGN_IN_PROVIDERS: {error.filename}: {error.strerror}.") from None
    if len({each.id for each in providers}) < len(providers):
        raise InvalidSetting(f"MOORAGE_SIGN_IN_PROVIDERS: {path}: two providers have the same id.")
    return providers


def _provider(given: _Provider, folder: Path) -> SignInProvider:
    if _ID.fullmatch(given.id) is None:
        raise BadDocument(f"the id {given.id[:50]!r} must have lower-case letters, digits and hyphens only.")
    if "openid" not in given.scopes:
        raise BadDocument(f"the scopes of {given.id} lack openid.")
    if not given.roles:
        raise BadDocument(f"{given.id} has no roles, so nobody could sign in.")
    secret = (folder / given.client_secret_file).read_text().strip() if given.client_secret_file else ""
    return SignInProvider(
        given.id,
        given.label or given.id,
        given.issuer,
        given.client_id,
        secret,
        given.scopes,
        given.name_claim,
        tuple(RoleRule(each.role, each.claim, each.value) for each in given.roles),
    )
