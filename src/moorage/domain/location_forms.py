"""The forms that Location headers can have, by their names in the settings."""

from __future__ import annotations

from typing import Final

AUTO: Final = "auto"
"""Whole URLs where the client's scheme and host are certain, paths elsewhere."""

ABSOLUTE: Final = "absolute"
RELATIVE: Final = "relative"
