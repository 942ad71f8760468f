"""Refusals of signing. Those of profiles and jobs are named as in AWS Signer, whose API is REST, not ECR's."""

from __future__ import annotations

from moorage.domain.errors import ContentRefusal, Refusal


class SigningConfigurationNotFound(Refusal):
    """The text was not captured; it is by analogy with the registry policy."""

    template = "Signing configuration does not exist in the registry with id '{registry}'"


class ImageNotSigned(ContentRefusal):
    """A repository requires signatures (`moorage signing require`), and the image has no valid one."""

    template = (
        "The image with digest '{digest}' in the repository with name '{repository}' cannot be pulled: the repository"
        " requires a signature by {trusted}, and {reason}"
    )


class SigningError(Exception):
    """A request about a signing profile or a signature failed. The text is for the caller.

    `code` is the error of AWS Signer (API reference, "Errors" of each operation).
    """

    code = "ValidationException"


class ProfileNotFound(SigningError):
    code = "ResourceNotFoundException"


class SignatureJobNotFound(SigningError):
    code = "ResourceNotFoundException"


class ProfileUnusable(SigningError):
    """The profile was canceled or revoked, or its root certificate has ended."""


class SigningDenied(SigningError):
    code = "AccessDeniedException"
