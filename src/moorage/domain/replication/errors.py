"""Refusals of replication."""

from __future__ import annotations

from moorage.domain.errors import Refusal


class ReplicationBackfillNotFound(Refusal):
    """No text was captured; worded as in the API reference."""

    template = "The replication backfill with id '{backfill}' could not be found in the registry with id '{registry}'"


class ReplicationBackfillInProgress(Refusal):
    """No text was captured; worded as in the API reference."""

    template = "A replication backfill is already in progress for the destination Region '{region}'"


class ReplicationBackfillInvalidStatus(Refusal):
    """No text was captured; worded as in the API reference."""

    template = "The replication backfill with id '{backfill}' cannot be stopped because its status is {status}"
