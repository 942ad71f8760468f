"""Refusals: their base classes, and those of requests, callers and content. Other topics have modules of their own.

    Refusal                     the registry rejects a request; each endpoint translates it in one place
      ├ (direct subclasses)     exceptions of the ECR service model: same name + "Exception"
      ├ FrontDoorRefusal        errors of AWS's front door, which no service model lists (signature, access, syntax)
      └ ContentRefusal          refusals of requests that only OCI clients can send (ranges, digests, lengths)

One class for each refusal, named as in ECR without "Exception". Messages are ECR's own where its response was
captured; a class whose text was not captured says so. `registry/errors.py`, `lifecycle/errors.py` and
`identity/session_errors.py` have the refusals of their topics.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from moorage.bounds import MESSAGE_LIMIT, shortened


class Refusal(Exception):
    """The registry rejects a request. `facts` fill the message; `members` are further members of ECR's error shape.

    Messages often quote what the client sent, so long ones are shortened here.
    """

    template: ClassVar[str]

    def __init__(self, *, members: Mapping[str, Any] | None = None, **facts: object) -> None:
        super().__init__(shortened(self.template.format(**facts), MESSAGE_LIMIT))
        self.members: Mapping[str, Any] = members or {}

    @classmethod
    def code(cls) -> str:
        """The name of the error in AWS JSON (`__type`)."""
        return cls.__name__ + "Exception"


class FrontDoorRefusal(Refusal):
    """A refusal before the operation is reached; AWS returns these for every service."""


class ContentRefusal(Refusal):
    """A refusal without a name in ECR's API, because only the OCI distribution protocol can express the request."""


# --- The request itself -----------------------------------------------------------------------------------------


class InvalidParameter(Refusal):
    """A member of the request breaks a rule of the service model, or a rule between members."""

    template = "Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'"


class ManifestInvalid(InvalidParameter):
    """A manifest is not JSON or not of an accepted kind. ECR has one text for all cases; `reason` has the details."""

    def __init__(self, reason: str) -> None:
        super().__init__(parameter="ImageManifest", constraint="Invalid JSON syntax")
        self.reason = shortened(reason, MESSAGE_LIMIT)

    @classmethod
    def code(cls) -> str:
        return InvalidParameter.code()


class Validation(Refusal):
    """Returned by newer operations instead of InvalidParameter."""

    template = "{reason}"


class UnsupportedOperation(FrontDoorRefusal):
    """An operation that Moorage does not support yet. `advice` says what to do instead."""

    template = "The operation {operation} is not supported by this version of Moorage yet{advice}"

    def __init__(self, operation: str, advice: str = "") -> None:
        super().__init__(operation=operation, advice=f". {advice}" if advice else "")


class UnknownOperation(FrontDoorRefusal):
    """X-Amz-Target is missing or does not name an operation; AWS sends no message."""

    template = ""


class Serialization(FrontDoorRefusal):
    """The body is not JSON, or a member has the wrong JSON type."""

    template = "{reason}"


class RequestEntityTooLarge(FrontDoorRefusal):
    """The body is longer than any valid request of its kind."""

    template = "Request body is larger than the maximum of {limit} bytes"


class LimitExceeded(Refusal):
    template = "{reason}"


# --- The caller -------------------------------------------------------------------------------------------------


class MissingAuthenticationToken(FrontDoorRefusal):
    template = "Missing Authentication Token"


class IncompleteSignature(FrontDoorRefusal):
    template = "{reason}"


class InvalidSignature(FrontDoorRefusal):
    template = "{reason}"


class Throttling(FrontDoorRefusal):
    template = "Rate exceeded{detail}"


class UnrecognizedClient(FrontDoorRefusal):
    template = "The security token included in the request is invalid."


class ExpiredToken(FrontDoorRefusal):
    template = "The security token included in the request is expired"


class NotAuthenticated(FrontDoorRefusal):
    """The registry endpoint's 401: no credentials, or invalid ones."""

    template = "Not Authorized"


class AuthorizationTokenExpired(FrontDoorRefusal):
    """The registry endpoint's 403 for a token that has expired."""

    template = "Your authorization token has expired. Reauthenticate and try again."


class AccessDenied(FrontDoorRefusal):
    template = "User: {principal} is not authorized to perform: {action} on resource: {resource} {reason}"


# --- Content, at the registry endpoint only ---------------------------------------------------------------------


class DigestInvalid(ContentRefusal):
    template = "'{digest}' is not a digest of a supported algorithm (sha256, sha512)"


class RepositoryNameInvalid(ContentRefusal):
    template = "'{repository}' is not a repository name"


class TagInvalid(ContentRefusal):
    template = "'{tag}' is not a tag"


class BlobNotFound(ContentRefusal):
    template = "The layer with digest {digest} does not exist within the repository with name '{repository}'"


class LayerInUse(ContentRefusal):
    """Only the registry endpoint can delete layers; an image never loses a layer."""

    template = "The layer with digest {digest} is referenced by images of the repository with name '{repository}'"


class ManifestNotFound(ContentRefusal):
    template = "Requested image not found"


class PreconditionFailed(ContentRefusal):
    template = "The image does not meet the condition of If-Match or If-None-Match"


class RangeNotSatisfiable(ContentRefusal):
    """`members` contain `size`: of the content that the range is for, or the received size of an upload."""

    template = "{reason}"


class BodyTimeout(ContentRefusal):
    template = "The request body stopped arriving"


class MalformedBody(ContentRefusal):
    template = "The framing of the request body is malformed: {reason}"


class BodyLengthDiffers(ContentRefusal):
    template = "{reason}"


class ManifestTooLarge(ContentRefusal):
    template = "A manifest must not be larger than {limit} bytes"


class LayerTooLarge(ContentRefusal):
    template = "A layer must not be larger than {limit} bytes"


class Unsupported(ContentRefusal):
    template = "{reason}"


class Unavailable(ContentRefusal):
    """A temporary problem, such as a full disk or a store that does not respond."""

    template = "{reason}"
