"""Refusals of pulls because of the upstream registry.

At the registry endpoint, the status of each says whether clients should try again. The ECR API has a code for each, as
the failure of one image, and an exception for each operation. Their texts are by analogy: no response of ECR with them
was captured.
"""

from __future__ import annotations

from typing import ClassVar

from moorage.domain.errors import ContentRefusal, Refusal


class UpstreamRefusal(ContentRefusal):
    """The upstream registry did not return the image or layer. `failure_code` is that of BatchGetImage.

    `detail` is for the log only, because it can have addresses in the operator's network.
    """

    template = "{reason}"
    failure_code: ClassVar[str] = "UpstreamUnavailable"
    detail = ""


class UpstreamUnavailable(UpstreamRefusal):
    """The upstream registry does not answer, or reports an error of its own."""


class UpstreamInvalid(UpstreamRefusal):
    """The answer of the upstream registry is wrong: a retry may help only after somebody has mended it."""


class UpstreamAccessDenied(UpstreamRefusal):
    failure_code = "UpstreamAccessDenied"


class UpstreamTooManyRequests(UpstreamRefusal):
    """`members` contain `retry_after`, in seconds."""

    failure_code = "UpstreamTooManyRequests"


class UnableToGetUpstreamImage(Refusal):
    template = "{reason}"


class UnableToGetUpstreamLayer(Refusal):
    template = "{reason}"


class UnableToListUpstreamImageReferrers(Refusal):
    template = "{reason}"
