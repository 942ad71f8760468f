"""Account settings, which ECR keeps per Region: their names, values and defaults.

ECR's own default for BLOB_MOUNTING is DISABLED (user guide, "Blob mounting"). Here it is ENABLED, because clients know
mounts from other registries: a client whose mount is rejected uploads bytes that the registry already has.
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
    """The value of a setting that was never put."""
    return VALUES[name][0]
