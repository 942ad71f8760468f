"""The permissions for the operations of the operating API: the action is `moorage:` and the operation's name.

They have no resources, so policies name `*`. What is about the whole server is for callers of the operator's account
only, whose policies must allow it, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final


class Scope(Enum):
    """What an operation is about. VISIBLE: repositories, about which their own permissions decide."""

    VISIBLE = "visible"
    ACCOUNT = "account"
    SERVER = "server"


SERVICE: Final = "moorage"

_OF_ACCOUNT: Final = "EndConsoleSession ListConsoleSessions ListUsage SearchAuditRecords"

_OF_SERVER: Final = """
DropJob GetServerStatus ListFailedEvents ListGarbage ListJobs ListVerificationFindings ListWebhooks ReplayFailedEvents
RetryJob StartCollection
"""

_SCOPES: Final[Mapping[str, Scope]] = {
    "ListDeletedImages": Scope.VISIBLE,
    "ListRetentionReasons": Scope.VISIBLE,
    "SearchRepositories": Scope.VISIBLE,
    "UndeleteImage": Scope.VISIBLE,
    **dict.fromkeys(_OF_ACCOUNT.split(), Scope.ACCOUNT),
    **dict.fromkeys(_OF_SERVER.split(), Scope.SERVER),
}

ACTIONS: Final = tuple(name for name, scope in _SCOPES.items() if scope is not Scope.VISIBLE)
"""The operations that need an action of their own."""


def scope_of(operation: str, members: Mapping[str, Any]) -> Scope:
    """What a request is about. Some operations are about the account, unless their `scope` is the server."""
    return Scope.SERVER if members.get("scope") == "SERVER" else _SCOPES[operation]
