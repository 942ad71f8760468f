"""All supported operations of Secrets Manager, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from moorage.api.call import HandlerOf
from moorage.secretsmanager import secrets, values

OPERATIONS: Final[Mapping[str, HandlerOf[Any]]] = {**secrets.OPERATIONS, **values.OPERATIONS}
