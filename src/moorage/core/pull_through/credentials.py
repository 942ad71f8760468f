"""Credentials for upstream registries: secrets with `{"username": …, "accessToken": …}` (user guide, "Secret format").

ECR reads a secret with a role of its own, so callers need no permission for it. It accepts secrets of the rule's own
account and Region only, and only those that Secrets Manager encrypts with its own key.
"""

from __future__ import annotations

import msgspec

from moorage.core.secrets import lookups
from moorage.core.vault import Forged, Vault
from moorage.domain import strict_json
from moorage.domain.names import Registry
from moorage.domain.pull_through.errors import SecretNotFound, UnableToAccessSecret, UnableToDecryptSecretValue
from moorage.domain.remote_registries import UserCredentials
from moorage.domain.secrets.errors import ResourceNotFound
from moorage.domain.secrets.names import parse_arn
from moorage.metadata.database import Transaction
from moorage.metadata.secrets import Secret


class SecretMalformed(Exception):
    """The value of a secret is not that of credentials. The text is for the caller, without the value."""


class _Content(msgspec.Struct, frozen=True, rename="camel"):
    username: str
    access_token: str


def secret_of(tx: Transaction, registry: Registry, arn: str, now: int) -> Secret:
    """The secret of a rule. Raises SecretNotFound, UnableToAccessSecret, UnableToDecryptSecretValue."""
    parsed = parse_arn(arn)
    if parsed is None or parsed.registry != registry:
        reason = (
            "Please verify the secret exists in the same region and account that the pullthrough cache rule will be "
            "created in"
        )
        raise UnableToAccessSecret(reason=reason)
    found = lookups.find(tx, registry, arn, now)
    if found is None:
        raise SecretNotFound
    if found.delete_at is not None:
        raise UnableToAccessSecret(reason="It is marked for deletion. Restore it and try again.")
    if found.kms_key is not None:
        reason = "ECR can only decrypt secrets that are encrypted with the key aws/secretsmanager."
        raise UnableToDecryptSecretValue(reason=reason)
    return found


def read(tx: Transaction, vault: Vault, registry: Registry, arn: str, now: int) -> UserCredentials:
    """The credentials in the secret of a rule. Raises the errors of `secret_of`, and SecretMalformed."""
    secret = secret_of(tx, registry, arn, now)
    try:
        value = lookups.value(tx, vault, secret)
    except ResourceNotFound:
        raise SecretMalformed("The secret has no value.") from None
    except Forged:
        raise UnableToDecryptSecretValue(reason="It was encrypted with another master key.") from None
    return _parsed(value)


def _parsed(value: lookups.Value) -> UserCredentials:
    try:
        content = strict_json.read_as(_Content, "" if value.version.is_binary else value.text)
    except strict_json.BadJson:
        content = None
    if content is None or not content.username or ":" in content.username:
        expected = '{"username": "NAME", "accessToken": "TOKEN"}'
        raise SecretMalformed(f"The value of the secret must be a JSON object of the form {expected}.")
    return UserCredentials(content.username, content.access_token)
