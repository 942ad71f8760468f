"""Limits: the restrictions that come from this server's settings, beyond the rules of ECR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from moorage.domain.regions import Regions
from moorage.domain.registry.encryption import KmsKeys
from moorage.domain.registry.quotas import Quotas


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All limits in one value. No field has a default, so no caller can forget one. Times are microseconds.

    Registries exist in `regions`. `kms_keys` are the keys that repositories may name. With `sparse_manifests`, Docker
    clients may push manifests whose layers or images the repository does not have. A lifecycle policy is applied
    `lifecycle_delay` after a push.
    `grace_period` is how long unreferenced layers and deleted images stay. `require_space` raises Unavailable while the
    file system of the database has less free space than its reserve. `require_reserve` raises Unavailable while the
    reserve is being used up, by small changes or by audit records: half of it is for what frees space.
    """

    quotas: Quotas
    regions: Regions
    kms_keys: KmsKeys
    sparse_manifests: bool
    lifecycle_delay: int
    grace_period: int
    require_space: Callable[[], None]
    require_reserve: Callable[[], None]
