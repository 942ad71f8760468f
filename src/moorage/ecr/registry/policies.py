"""Operations on policies: Set-, Get- and DeleteRepositoryPolicy; Put-, Get- and DeleteRegistryPolicy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from moorage.core.registry import policies, repositories
from moorage.ecr.call import Call, Handler
from moorage.metadata.database import Transaction

if TYPE_CHECKING:
    from moorage.ecr import shapes


async def set_repository_policy(
    call: Call, request: shapes.SetRepositoryPolicyRequest
) -> shapes.SetRepositoryPolicyResponse:
    name, forced = request["repositoryName"], request.get("force", False)

    def put(tx: Transaction) -> str:
        text = policies.set_repository_policy(tx, repositories.get(tx, call.registry, name), request["policyText"])
        if not forced:
            policies.refuse_lock_out(tx, call.access_request("ecr:SetRepositoryPolicy", name))
        return text

    return {"registryId": call.registry.account, "repositoryName": name, "policyText": await call.write(put)}


async def get_repository_policy(
    call: Call, request: shapes.GetRepositoryPolicyRequest
) -> shapes.GetRepositoryPolicyResponse:
    name = request["repositoryName"]
    text = await call.read(lambda tx: policies.repository_policy(tx, repositories.get(tx, call.registry, name)))
    return {"registryId": call.registry.account, "repositoryName": name, "policyText": text}


async def delete_repository_policy(
    call: Call, request: shapes.DeleteRepositoryPolicyRequest
) -> shapes.DeleteRepositoryPolicyResponse:
    name = request["repositoryName"]
    text = await call.write(lambda tx: policies.delete_repository_policy(tx, repositories.get(tx, call.registry, name)))
    return {"registryId": call.registry.account, "repositoryName": name, "policyText": text}


async def put_registry_policy(call: Call, request: shapes.PutRegistryPolicyRequest) -> shapes.PutRegistryPolicyResponse:
    text = await call.write(lambda tx: policies.put_registry_policy(tx, call.registry, request["policyText"]))
    return {"registryId": call.registry.account, "policyText": text}


async def get_registry_policy(
    call: Call, _request: shapes.GetRegistryPolicyRequest
) -> shapes.GetRegistryPolicyResponse:
    text = await call.read(lambda tx: policies.registry_policy(tx, call.registry))
    return {"registryId": call.registry.account, "policyText": text}


async def delete_registry_policy(
    call: Call, _request: shapes.DeleteRegistryPolicyRequest
) -> shapes.DeleteRegistryPolicyResponse:
    text = await call.write(lambda tx: policies.delete_registry_policy(tx, call.registry))
    return {"registryId": call.registry.account, "policyText": text}


OPERATIONS: Final[Mapping[str, Handler]] = {
    "SetRepositoryPolicy": set_repository_policy,
    "GetRepositoryPolicy": get_repository_policy,
    "DeleteRepositoryPolicy": delete_repository_policy,
    "PutRegistryPolicy": put_registry_policy,
    "GetRegistryPolicy": get_registry_policy,
    "DeleteRegistryPolicy": delete_registry_policy,
}
"""The topic of both kinds of policies."""
