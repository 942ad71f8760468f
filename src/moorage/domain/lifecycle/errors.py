"""What lifecycle policies, their previews and storage classes refuse."""

from __future__ import annotations

from moorage.domain.errors import Refusal


class LifecyclePolicyNotFound(Refusal):
    template = (
        "Lifecycle policy does not exist for the repository with name '{repository}' "
        "in the registry with id '{registry}'"
    )


class LifecyclePolicyPreviewNotFound(Refusal):
    """By analogy: no text was captured."""

    template = (
        "Lifecycle policy preview does not exist for the repository with name '{repository}' "
        "in the registry with id '{registry}'"
    )


class LifecyclePolicyPreviewInProgress(Refusal):
    """The words of the API reference: no text was captured."""

    template = "The previous lifecycle policy preview request has not completed. Wait and try again."


class ImageStorageClassUpdateNotSupported(Refusal):
    """No text was captured."""

    template = (
        "The storage class of the image with digest '{digest}' in the repository with name '{repository}' "
        "in the registry with id '{registry}' cannot be updated: {reason}"
    )
