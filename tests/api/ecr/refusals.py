"""Refusals that many operations share, word for word."""

from __future__ import annotations

from tests.api.ecr.wire import ACCOUNT, Refusal


def invalid(parameter: str, constraint: str) -> Refusal:
    """The refusal of a member that breaks a rule."""
    message = f"Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'"
    return Refusal(400, "InvalidParameterException", message)


def no_repository(name: str) -> Refusal:
    """The refusal for a repository that the registry does not have."""
    message = f"The repository with name '{name}' does not exist in the registry with id '{ACCOUNT}'"
    return Refusal(400, "RepositoryNotFoundException", message)


def no_upload(upload: str, repository: str) -> Refusal:
    """The refusal for an upload that does not exist in the repository or belongs to another user."""
    message = (
        f"Upload with id '{upload}' could not be found for the repository with name '{repository}' "
        f"in the registry with id '{ACCOUNT}'"
    )
    return Refusal(400, "UploadNotFoundException", message)


def unrecognized() -> Refusal:
    """The refusal for an unknown access key or session token."""
    message = "The security token included in the request is invalid."
    return Refusal(400, "UnrecognizedClientException", message)
