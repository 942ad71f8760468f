"""Refusals of scanning."""

from __future__ import annotations

from moorage.domain.errors import InvalidParameter, Refusal


class ScanFrequencyInvalid(InvalidParameter):
    """A rule has a frequency that its scan type does not have. The text is ECR's (badmintoncryer/cdk-preflight)."""

    template = "Invalid parameter failed to satisfy constraint: '{reason}'"

    def __init__(self, scan_type: str, frequency: str) -> None:
        super().__init__(reason=f"Invalid scan frequency for scanType {scan_type}: {frequency}")

    @classmethod
    def code(cls) -> str:
        return InvalidParameter.code()


class ScanNotFound(Refusal):
    template = (
        "Image scan does not exist for the image with '{{imageDigest:'{digest}', imageTag:'{tag}'}}' "
        "in the repository with name '{repository}' in the registry with id '{registry}'"
    )


class UnsupportedImageType(Refusal):
    """No text was captured."""

    template = (
        "The image with digest '{digest}' in the repository with name '{repository}' in the registry "
        "with id '{registry}' cannot be scanned: {reason}"
    )


class ImageArchived(Refusal):
    """ECR's text is that of the service model; no response was captured."""

    template = "The specified image is archived and cannot be scanned."
