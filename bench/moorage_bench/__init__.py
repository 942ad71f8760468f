"""`moorage bench`: a load program for registries that costs so little that it may share the machine with the server."""

from __future__ import annotations
