"""Rates as Amazon ECR's: token buckets with the published numbers of calls per second, for each operation and Region.

A bucket holds the calls of one second, because AWS publishes no burst (Service Quotas, "Amazon ECR"). All accounts of
a lab share the buckets. Operations without a published rate are not throttled.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from moorage.domain.names import registry_of_host
from moorage.http.messages import Request
from moorage.lab.operations import is_of_docker, operation_of

AWS: Final = {
    "GetAuthorizationToken": 500,
    "BatchCheckLayerAvailability": 1_000,
    "InitiateLayerUpload": 100,
    "CompleteLayerUpload": 100,
    "UploadLayerPart": 500,
    "PutImage": 10,
    "BatchGetImage": 2_000,
    "GetDownloadUrlForLayer": 3_000,
}
"""Calls per second of an account in a Region."""

_MOST_BUCKETS: Final = 1_000


class Rates:
    """The buckets of a lab, without limits unless `as_aws`."""

    def __init__(self, *, as_aws: bool, region: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._initially_as_aws = as_aws
        self.as_aws = as_aws
        self._region = region
        self._clock = clock
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def reset(self) -> None:
        """As the server began."""
        self.limit(as_aws=self._initially_as_aws)

    def limit(self, *, as_aws: bool) -> None:
        self.as_aws = as_aws
        self._buckets.clear()

    def allow(self, request: Request) -> bool:
        """Whether the request is within its rate; counts it."""
        if not self.as_aws:
            return True
        operation = operation_of(request)
        rate = AWS.get(operation)
        if rate is None:
            return True
        bucket, now = (operation, self._region_of(request)), self._clock()
        if len(self._buckets) >= _MOST_BUCKETS:
            self._buckets.clear()
        left, since = self._buckets.get(bucket, (float(rate), now))
        left = min(float(rate), left + (now - since) * rate)
        self._buckets[bucket] = (left - 1 if left >= 1 else left, now)
        return left >= 1

    def _region_of(self, request: Request) -> str:
        """The Region of the host for Docker clients, of the signature for AWS clients."""
        if is_of_docker(request):
            registry = registry_of_host(request.header(b"host") or "")
            return self._region if registry is None else registry.region
        scope = (request.header(b"authorization") or "").partition("Credential=")[2].split("/")
        return scope[2] if len(scope) > 2 else self._region
