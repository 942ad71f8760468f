"""Moorage: a container registry that is Amazon ECR to its API clients and an OCI registry to docker."""

from __future__ import annotations

__version__ = "0.1.0"
