"""All supported operations of Signer, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from moorage.api.call import HandlerOf
from moorage.signer import profiles, signatures

OPERATIONS: Final[Mapping[str, HandlerOf[Any]]] = {**profiles.OPERATIONS, **signatures.OPERATIONS}
