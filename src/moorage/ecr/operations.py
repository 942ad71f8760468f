"""All supported operations of ECR, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from moorage.ecr import lifecycle, pull_through, replication, signing
from moorage.ecr.call import Handler
from moorage.ecr.registry import images, layers, policies, repositories, settings, templates
from moorage.ecr.scanning import configurations, scans

OPERATIONS: Final[Mapping[str, Handler]] = {
    **repositories.OPERATIONS,
    **layers.OPERATIONS,
    **images.OPERATIONS,
    **lifecycle.OPERATIONS,
    **settings.OPERATIONS,
    **replication.OPERATIONS,
    **signing.OPERATIONS,
    **templates.OPERATIONS,
    **policies.OPERATIONS,
    **configurations.OPERATIONS,
    **scans.OPERATIONS,
    **pull_through.OPERATIONS,
}
