"""Moorage: a container registry that implements Amazon ECR's API and the OCI distribution protocol."""

from __future__ import annotations

__version__ = "0.1.0"
