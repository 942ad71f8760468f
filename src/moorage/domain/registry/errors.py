"""Refusals of repositories, registry settings, layers and images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moorage.domain.errors import ContentRefusal, LimitExceeded, Refusal

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


class UploadsExceeded(LimitExceeded):
    """A caller has too many open uploads, or too many bytes in them. It can push again once some have ended.

    ECR names the error LimitExceededException, and the distribution-spec TOOMANYREQUESTS ("Error Codes").
    """

    @classmethod
    def code(cls) -> str:
        return LimitExceeded.code()


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
    """No text was captured. Two texts: no image of the repository references the layer, or only archived ones do."""

    template = (
        "The layer with digest {digest} in the repository with name '{repository}' in the registry "
        "with id '{registry}' is {reason}"
    )

    @classmethod
    def without_image(cls, digest: str, repository: str, registry: str) -> LayerInaccessible:
        return cls(digest=digest, repository=repository, registry=registry, reason="not referenced by any image")

    @classmethod
    def archived(cls, digest: str, repository: str, registry: str) -> LayerInaccessible:
        reason = "archived: only archived images reference it"
        return cls(digest=digest, repository=repository, registry=registry, reason=reason)


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
