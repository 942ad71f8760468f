"""The refusals of the operating API."""

from __future__ import annotations

from moorage.domain.errors import Refusal


class ResourceNotFound(Refusal):
    template = "{reason}"
