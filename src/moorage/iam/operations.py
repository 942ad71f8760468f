"""The supported operations of IAM, by topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from moorage.api.call import ApiCall, HandlerOf
from moorage.iam import account, attachments, keys, policies, providers, roles, simulation, tags, users

OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = {
    **users.OPERATIONS,
    **keys.OPERATIONS,
    **roles.OPERATIONS,
    **policies.OPERATIONS,
    **attachments.OPERATIONS,
    **tags.OPERATIONS,
    **providers.OPERATIONS,
    **simulation.OPERATIONS,
    **account.OPERATIONS,
}
