"""Refusals that many operations share, word for word."""

from __future__ import annotations

from tests.api.ecr.wire import ACCOUNT, Refusal


def invalid(parameter: str, constraint: str) -> Refusal:
    """A member of a request that breaks a rule."""
    message = f"Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'"
    return Refusal(400, "InvalidParameterException", message)


def no_repository(name: str) -> Refusal:
    """A repository that the registry does not have."""
    message = f"The repository with name '{name}' does not exist in the registry with id '{ACCOUNT}'"
    return Refusal(400, "RepositoryNotFoundException", message)


def no_upload(upload: str, repository: str) -> Refusal:
    """An upload that the repository does not have, or that is somebody else's."""
    message = (
        f"Upload with id '{upload}' could not be found for the repository with name '{repository}' "
        f"in the registry with id '{ACCOUNT}'"
    )
    return Refusal(400, "UploadNotFoundException", message)


def unrecognized() -> Refusal:
    """A key or a session token that proves nothing."""
    message = "The security token included in the request is invalid."
    return Refusal(400, "UnrecognizedClientException", message)
