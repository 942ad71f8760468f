"""DescribeRegistry. Replication is not supported yet, so a registry has no rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from moorage.ecr import shapes
from moorage.ecr.call import Call, Handler


async def describe_registry(call: Call, _request: shapes.DescribeRegistryRequest) -> shapes.DescribeRegistryResponse:
    return {"registryId": call.registry.account, "replicationConfiguration": {"rules": []}}


OPERATIONS: Final[Mapping[str, Handler]] = {"DescribeRegistry": describe_registry}
