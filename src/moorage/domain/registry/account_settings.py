"""What ECR calls account settings, although each region has its own: names, values, and what holds until one is put.

ECR's own default for BLOB_MOUNTING is DISABLED (user guide, "Blob mounting"). Here mounts are on, as clients know them
of other registries: one whose mount is refused sends bytes that the registry has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BASIC_SCAN_TYPE_VERSION: Final = "BASIC_SCAN_TYPE_VERSION"
REGISTRY_POLICY_SCOPE: Final = "REGISTRY_POLICY_SCOPE"
BLOB_MOUNTING: Final = "BLOB_MOUNTING"

VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    BASIC_SCAN_TYPE_VERSION: ("AWS_NATIVE",),
    REGISTRY_POLICY_SCOPE: ("V2", "V1"),
    BLOB_MOUNTING: ("ENABLED", "DISABLED"),
}
"""Values by name, the default first. CLAIR, the former basic scanner, was retired (user guide, "Basic scanning")."""


def default_of(name: str) -> str:
    """What a setting is until somebody puts it."""
    return VALUES[name][0]
