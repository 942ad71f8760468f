"""Refusals of lifecycle policies, previews and storage classes."""

from __future__ import annotations

from moorage.domain.errors import Refusal


class LifecyclePolicyNotFound(Refusal):
    template = (
        "Lifecycle policy does not exist for the repository with name '{repository}' "
        "in the registry with id '{registry}'"
    )


class LifecyclePolicyPreviewNotFound(Refusal):
    """No text was captured; worded by analogy."""

    template = (
        "Lifecycle policy preview does not exist for the repository with name '{repository}' "
        "in the registry with id '{registry}'"
    )


class LifecyclePolicyPreviewInProgress(Refusal):
    """No text was captured; worded as in the API reference."""

    template = "The previous lifecycle policy preview request has not completed. Wait and try again."


class ImageStorageClassUpdateNotSupported(Refusal):
    """No text was captured."""

    template = (
        "The storage class of the image with digest '{digest}' in the repository with name '{repository}' "
        "in the registry with id '{registry}' cannot be updated: {reason}"
    )
