"""Refusals of Secrets Manager, with its names and texts (API reference; moto's recorded responses)."""

from __future__ import annotations

from moorage.domain.errors import Refusal


class SecretRefusal(Refusal):
    """A refusal that only operations on secrets return; ECR and Docker clients never get one."""


class ResourceNotFound(SecretRefusal):
    """Two texts: one for the secret, and one for the version of it."""

    template = "{reason}"

    @classmethod
    def secret(cls) -> ResourceNotFound:
        return cls(reason="Secrets Manager can't find the specified secret.")

    @classmethod
    def version(cls, label: str) -> ResourceNotFound:
        """`label` is what the request named: `staging label: AWSCURRENT`, or `VersionId: ID`."""
        return cls(reason=f"Secrets Manager can't find the specified secret value for {label}")


class ResourceExists(SecretRefusal):
    template = "{reason}"

    @classmethod
    def secret(cls, name: str) -> ResourceExists:
        return cls(reason=f"The operation failed because the secret {name} already exists.")

    @classmethod
    def version(cls, version: str) -> ResourceExists:
        reason = f"The operation failed because the version {version} already exists with another secret value."
        return cls(reason=reason)


class InvalidRequest(SecretRefusal):
    template = "{reason}"

    @classmethod
    def deleted(cls) -> InvalidRequest:
        text = "You can't perform this operation on the secret because it was marked for deletion."
        return cls(reason=text)

    @classmethod
    def name_of_deleted(cls) -> InvalidRequest:
        text = "You can't create this secret because a secret with this name is already scheduled for deletion."
        return cls(reason=text)


class InvalidSecretParameter(SecretRefusal):
    """Secrets Manager calls this InvalidParameterException, like ECR, but with texts of its own."""

    template = "{reason}"

    @classmethod
    def code(cls) -> str:
        return "InvalidParameterException"


class EncryptionFailure(SecretRefusal):
    """Secrets Manager names it without "Exception"."""

    template = (
        "Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check that the KMS key is "
        "available, enabled, and not in an invalid state."
    )

    @classmethod
    def code(cls) -> str:
        return "EncryptionFailure"


class InvalidNextToken(SecretRefusal):
    """The text was not captured."""

    template = "The NextToken value is invalid."
