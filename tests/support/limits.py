"""The limits of a server with default settings, and ids of uploads, for tests that call the core without a server."""

from __future__ import annotations

import hashlib
from typing import Final

from moorage.core.limits import Limits
from moorage.domain.regions import Regions
from moorage.domain.registry.encryption import KmsKeys
from moorage.domain.registry.quotas import Quotas
from moorage.domain.registry.upload_ids import UploadIds
from moorage.domain.units import DAY, SECOND

LIMITS: Final = Limits(
    quotas=Quotas(),
    regions=Regions([]),
    kms_keys=KmsKeys(),
    sparse_manifests=False,
    lifecycle_delay=60 * SECOND,
    grace_period=DAY,
    require_space=lambda: None,
    require_reserve=lambda: None,
)

IDS: Final = UploadIds(lambda text: hashlib.sha256(b"test" + text).digest())
