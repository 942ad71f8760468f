"""`moorage bench`: a load generator for registries, cheap enough to run on the machine of the server."""

from __future__ import annotations
