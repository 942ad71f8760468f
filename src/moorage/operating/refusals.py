"""The refusals of the operating API."""

from __future__ import annotations

from moorage.domain.errors import Refusal


class ResourceNotFound(Refusal):
    template = "{reason}"


class Conflict(Refusal):
    """What a request names is in a state that does not allow the operation."""

    template = "{reason}"
