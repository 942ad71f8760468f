"""All refusals of the registry, one class each, named as in ECR without "Exception"; `lifecycle` has its own.

    Refusal                     the registry rejects a request; each endpoint translates it in one place
      ├ (direct subclasses)     exceptions of the ECR service model: same name + "Exception"
      ├ FrontDoorRefusal        errors of AWS's front door, which no service model lists (signature, access, syntax)
      └ ContentRefusal          refusals of requests that only OCI clients can send (ranges, digests, lengths)

Messages are ECR's own where its response was captured; a class whose text was not captured says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class Refusal(Exception):
    """The registry rejects a request. `facts` fill the message; `members` are further members of ECR's error shape."""

    template: ClassVar[str]

    def __init__(self, *, members: Mapping[str, Any] | None = None, **facts: object) -> None:
        super().__init__(self.template.format(**facts))
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
        self.reason = reason

    @classmethod
    def code(cls) -> str:
        return InvalidParameter.code()


class Validation(Refusal):
    """Returned by newer operations instead of InvalidParameter."""

    template = "{reason}"


class UnsupportedOperation(FrontDoorRefusal):
    """An ECR operation that Moorage does not support yet."""

    template = "The operation {operation} is not supported by this version of Moorage yet"


class UnknownOperation(FrontDoorRefusal):
    """X-Amz-Target is missing or does not name an operation; AWS sends no message."""

    template = ""


class Serialization(FrontDoorRefusal):
    """The body is not JSON, or a member has the wrong JSON type."""

    template = "{reason}"


class RequestEntityTooLarge(FrontDoorRefusal):
    """The body is longer than any valid request of its kind."""

    template = "Request body is larger than the maximum of {limit} bytes"


# --- The caller -------------------------------------------------------------------------------------------------


class MissingAuthenticationToken(FrontDoorRefusal):
    template = "Missing Authentication Token"


class IncompleteSignature(FrontDoorRefusal):
    template = "{reason}"


class InvalidSignature(FrontDoorRefusal):
    template = "{reason}"


class Throttling(FrontDoorRefusal):
    template = "Rate exceeded: too many failed logins from this address"


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


# --- Repositories -----------------------------------------------------------------------------------------------


class RepositoryNotFound(Refusal):
    template = "The repository with name '{repository}' does not exist in the registry with id '{registry}'"


class RepositoryAlreadyExists(Refusal):
    template = "The repository with name '{repository}' already exists in the registry with id '{registry}'"


class RepositoryNotEmpty(Refusal):
    template = (
        "The repository with name '{repository}' in registry with id '{registry}' "
        "cannot be deleted because it still contains images"
    )


class RepositoryPolicyNotFound(Refusal):
    template = (
        "Repository policy does not exist for the repository with name '{repository}' "
        "in the registry with id '{registry}'"
    )


class RegistryPolicyNotFound(Refusal):
    template = "Registry policy does not exist in the registry with id '{registry}'"


class TooManyTags(Refusal):
    """No text was captured; the limit is ECR's: 50 tags per resource."""

    template = "The resource already has the maximum number of tags: {limit}"


class InvalidTagParameter(Refusal):
    """No text was captured for most of its causes."""

    template = "{reason}"


class LimitExceeded(Refusal):
    template = "{reason}"


class Kms(Refusal):
    template = "{reason}"


# --- Registry settings ------------------------------------------------------------------------------------------


class TemplateAlreadyExists(Refusal):
    """No text was captured."""

    template = (
        "The repository creation template with prefix '{prefix}' already exists in the registry with id '{registry}'"
    )


class TemplateNotFound(Refusal):
    """No text was captured."""

    template = (
        "The repository creation template with prefix '{prefix}' does not exist in the registry with id '{registry}'"
    )


class ExclusionAlreadyExists(Refusal):
    """No text was captured."""

    template = "The pull time update exclusion for '{principal}' already exists in the registry with id '{registry}'"


class ExclusionNotFound(Refusal):
    """No text was captured."""

    template = "The pull time update exclusion for '{principal}' does not exist in the registry with id '{registry}'"


# --- Layers -----------------------------------------------------------------------------------------------------


class UploadNotFound(Refusal):
    template = (
        "Upload with id '{upload}' could not be found for the repository with name '{repository}' "
        "in the registry with id '{registry}'"
    )


class InvalidLayerPart(Refusal):
    """`members` contain registryId, repositoryName, uploadId and lastValidByteReceived, so that the client can resume.

    `received` is the number of bytes that were received; for an empty upload, lastValidByteReceived cannot express it.
    """

    template = "{reason}"

    def __init__(self, *, received: int, members: Mapping[str, Any], reason: str) -> None:
        super().__init__(members=members, reason=reason)
        self.received = received


class LayerPartTooSmall(Refusal):
    template = "All layer parts except the last part should be at least 5MB"


class EmptyUpload(Refusal):
    template = (
        "The upload with id '{upload}' in the repository with name '{repository}' in registry with id '{registry}' "
        "cannot be completed because it does not have any parts"
    )


class InvalidLayer(Refusal):
    template = "None of the provided layer digests match the calculated layer digest"


class LayerAlreadyExists(Refusal):
    template = (
        "The layer with digest '{digest}' already exists in the repository with name '{repository}' "
        "in registry with id '{registry}'"
    )


class LayersNotFound(Refusal):
    """Two texts: one names the requested layer, one the layers that an image needs."""

    template = "{reason}"

    @classmethod
    def for_download(cls, digest: str, repository: str, registry: str) -> LayersNotFound:
        return cls(
            reason=f"The layer with digest {digest} does not exist within the repository "
            f"with name '{repository}' in the registry with id '{registry}'"
        )

    @classmethod
    def for_image(cls, digests: list[str], repository: str, registry: str) -> LayersNotFound:
        return cls(
            reason=f"Layers with digests '[{', '.join(digests)}]' required for pushing image into repository "
            f"with name '{repository}' in the registry with id '{registry}' do not exist"
        )


class LayerInaccessible(Refusal):
    """No text was captured: the layer exists, but no image of the repository references it."""

    template = (
        "The layer with digest {digest} in the repository with name '{repository}' in the registry "
        "with id '{registry}' is not referenced by any image"
    )


# --- Images -----------------------------------------------------------------------------------------------------


class ImageNotFound(Refusal):
    """ECR prints both members of the identifier, a missing one as 'null'."""

    template = (
        "The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist within the repository "
        "with name '{repository}' in the registry with id '{registry}'"
    )


class ImageAlreadyExists(Refusal):
    template = (
        "Image with digest '{digest}' and tag '{tag}' already exists in the repository "
        "with name '{repository}' in registry with id '{registry}'"
    )


class ImageTagAlreadyExists(Refusal):
    template = (
        "The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten "
        "because the tag is immutable."
    )


class ImageDigestDoesNotMatch(Refusal):
    template = (
        "The image with digest '{digest}' in repository '{repository}' and registry ID '{registry}' "
        "does not match the image digest that Amazon ECR has calculated."
    )


class ReferencedImagesNotFound(Refusal):
    template = (
        "Images with digests '[{digests}]' required for pushing image into repository "
        "with name '{repository}' in the registry with id '{registry}' do not exist"
    )


class ImageReferencedByIndex(ContentRefusal):
    """The API reports this per image as ImageReferencedByManifestList; the registry endpoint rejects the DELETE."""

    template = "Requested image referenced by manifest list: [{parents}]"


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
