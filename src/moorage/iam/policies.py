"""The operations on managed policies and their versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import ApiCall, HandlerOf, seconds
from moorage.core.identity import policies
from moorage.iam.entities import encoded, listed, page_for, short_list, tag_list, tags_of
from moorage.iam.refusals import all_translated
from moorage.metadata.database import Transaction
from moorage.metadata.identity import policies as rows
from moorage.metadata.identity.policies import Attachment, ManagedPolicy, PolicyFilter, PolicyName
from moorage.metadata.identity.policy_versions import PolicyVersion

if TYPE_CHECKING:
    from moorage.iam import shapes

_BOUNDARY: Final = "PermissionsBoundary"
"""A use of policies that Moorage does not have: lists of such policies are empty."""


async def create_policy(call: ApiCall, request: shapes.CreatePolicyRequest) -> Mapping[str, Any]:
    now = call.services.now()
    new = ManagedPolicy(
        name=PolicyName(call.registry.account, request["PolicyName"], request.get("Path", "/")),
        document=request["PolicyDocument"],
        created_at=now,
        updated_at=now,
        description=request.get("Description", ""),
        tags=tags_of(request),
    )
    await call.write(lambda tx: policies.create_policy(tx, new))
    return {"Policy": _with_details(new)}


async def get_policy(call: ApiCall, request: shapes.GetPolicyRequest) -> Mapping[str, Any]:
    return {"Policy": _with_details(await call.read(lambda tx: policy_of(tx, call, request)))}


async def list_policies(call: ApiCall, request: shapes.ListPoliciesRequest) -> Mapping[str, Any]:
    """List the policies of AWS, then those of the account."""
    scope = request.get("Scope", "All")
    selected = PolicyFilter(request.get("PathPrefix", "/"), request.get("OnlyAttached", False))
    usage = request.get("PolicyUsageFilter", "")
    page = page_for(call, f"Policies:{scope}:{selected}:{usage}", request, ("", ""))

    def work(tx: Transaction) -> list[ManagedPolicy]:
        account, (owner, after) = call.registry.account, page.after
        found: list[ManagedPolicy] = []
        if scope != "Local" and owner != account:
            found = [
                policy
                for policy in policies.of_aws(tx, account)
                if policy.name.name > after
                and policy.name.path.startswith(selected.path_prefix)
                and (policy.attachments or not selected.only_attached)
            ]
        if scope != "AWS":
            name = after if owner == account else ""
            found += rows.page_of_policies(tx, account, selected, name, page.fetch)
        return found[: page.fetch]

    found = [] if usage == _BOUNDARY else await call.read(work)
    return listed("Policies", page, found, lambda policy: (policy.name.account, policy.name.name), _policy_view)


async def delete_policy(call: ApiCall, request: shapes.DeletePolicyRequest) -> Mapping[str, Any]:
    def work(tx: Transaction) -> None:
        policy = policy_of(tx, call, request)
        policies.require_one_version(tx, policy)
        policies.delete_policy(tx, policy.name)

    await call.write(work)
    return {}


async def create_policy_version(call: ApiCall, request: shapes.CreatePolicyVersionRequest) -> Mapping[str, Any]:
    is_default = request.get("SetAsDefault", False)

    def work(tx: Transaction) -> PolicyVersion:
        policy = policies.own(policy_of(tx, call, request))
        return policies.add_version(tx, policy, request["PolicyDocument"], call.services.now(), is_default=is_default)

    version = await call.write(work)
    return {"PolicyVersion": _version_view(version, is_default=is_default)}


async def get_policy_version(call: ApiCall, request: shapes.GetPolicyVersionRequest) -> Mapping[str, Any]:
    def work(tx: Transaction) -> tuple[PolicyVersion, bool]:
        policy = policy_of(tx, call, request)
        version = policies.get_version(tx, policy, request["VersionId"])
        return version, version.number == policy.version

    version, is_default = await call.read(work)
    view = _version_view(version, is_default=is_default)
    return {"PolicyVersion": view | {"Document": encoded(version.document)}}


async def list_policy_versions(call: ApiCall, request: shapes.ListPolicyVersionsRequest) -> Mapping[str, Any]:
    def work(tx: Transaction) -> tuple[ManagedPolicy, list[PolicyVersion]]:
        policy = policy_of(tx, call, request)
        return policy, policies.versions_of(tx, policy)

    policy, versions = await call.read(work)
    page, found = short_list(call, "Versions", request, versions, _age)
    return listed(
        "Versions",
        page,
        found,
        lambda version: (_age(version),),
        lambda version: _version_view(version, is_default=version.number == policy.version),
    )


async def set_default_policy_version(
    call: ApiCall, request: shapes.SetDefaultPolicyVersionRequest
) -> Mapping[str, Any]:
    def work(tx: Transaction) -> None:
        policies.set_default_version(tx, policies.own(policy_of(tx, call, request)), request["VersionId"])

    await call.write(work)
    return {}


async def delete_policy_version(call: ApiCall, request: shapes.DeletePolicyVersionRequest) -> Mapping[str, Any]:
    def work(tx: Transaction) -> None:
        policies.delete_version(tx, policies.own(policy_of(tx, call, request)), request["VersionId"])

    await call.write(work)
    return {}


async def list_entities_for_policy(call: ApiCall, request: shapes.ListEntitiesForPolicyRequest) -> Mapping[str, Any]:
    kind = request.get("EntityFilter", "")
    prefix, usage = request.get("PathPrefix", "/"), request.get("PolicyUsageFilter", "")
    page = page_for(call, f"Entities:{request['PolicyArn']}:{kind}:{prefix}:{usage}", request)

    def work(tx: Transaction) -> list[Attachment]:
        policy = policy_of(tx, call, request)
        return rows.attachments_of(tx, policy.name, call.registry.account, page.after[0], page.fetch)

    attached, marker = page.cut(await call.read(work), lambda each: (each.id,))
    selected = [
        each
        for each in attached
        if usage != _BOUNDARY and each.path.startswith(prefix) and kind in ("", each.kind.capitalize())
    ]
    return {
        "PolicyGroups": [],
        "PolicyUsers": [{"UserName": each.name, "UserId": each.id} for each in selected if each.kind == "user"],
        "PolicyRoles": [{"RoleName": each.name, "RoleId": each.id} for each in selected if each.kind == "role"],
        "IsTruncated": marker is not None,
        "Marker": marker,
    }


def policy_of(tx: Transaction, call: ApiCall, request: Mapping[str, Any]) -> ManagedPolicy:
    """The policy whose ARN a request has. Raises AccountError."""
    return policies.get_managed(tx, call.registry.account, request["PolicyArn"])


def _policy_view(policy: ManagedPolicy) -> dict[str, Any]:
    return {
        "PolicyName": policy.name.name,
        "PolicyId": policies.policy_id(policy),
        "Arn": policy.name.arn,
        "Path": policy.name.path,
        "DefaultVersionId": f"v{policy.version}",
        "AttachmentCount": policy.attachments,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "CreateDate": seconds(policy.created_at),
        "UpdateDate": seconds(policy.updated_at),
    }


def _with_details(policy: ManagedPolicy) -> dict[str, Any]:
    """A policy as only operations on one policy return it."""
    return _policy_view(policy) | {"Description": policy.description or None, "Tags": tag_list(policy.tags) or None}


def _version_view(version: PolicyVersion, *, is_default: bool) -> dict[str, Any]:
    return {"VersionId": version.id, "IsDefaultVersion": is_default, "CreateDate": seconds(version.created_at)}


def _age(version: PolicyVersion) -> str:
    """A key that sorts the newest version first."""
    return f"{10**15 - version.number:016}"


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = all_translated(
    {
        "CreatePolicy": create_policy,
        "GetPolicy": get_policy,
        "ListPolicies": list_policies,
        "DeletePolicy": delete_policy,
        "CreatePolicyVersion": create_policy_version,
        "GetPolicyVersion": get_policy_version,
        "ListPolicyVersions": list_policy_versions,
        "SetDefaultPolicyVersion": set_default_policy_version,
        "DeletePolicyVersion": delete_policy_version,
        "ListEntitiesForPolicy": list_entities_for_policy,
    }
)
