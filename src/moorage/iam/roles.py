"""The operations on roles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import ApiCall, HandlerOf, seconds
from moorage.core.identity import policies, roles
from moorage.core.identity.assume_role import DEFAULT_SECONDS
from moorage.iam.entities import encoded, listed, page_for, refuse, tag_list, tags_of
from moorage.iam.refusals import all_translated
from moorage.metadata.database import Transaction
from moorage.metadata.identity import roles as rows
from moorage.metadata.identity.roles import Role

if TYPE_CHECKING:
    from moorage.iam import shapes


async def create_role(call: ApiCall, request: shapes.CreateRoleRequest) -> Mapping[str, Any]:
    refuse(request, "PermissionsBoundary")
    new = Role(
        "",
        call.registry.account,
        request["RoleName"],
        request.get("Path", "/"),
        request["AssumeRolePolicyDocument"],
        request.get("MaxSessionDuration", DEFAULT_SECONDS),
        call.services.now(),
        request.get("Description", ""),
        tags_of(request),
    )
    return {"Role": role_view(await call.write(lambda tx: roles.create_role(tx, new)))}


async def get_role(call: ApiCall, request: shapes.GetRoleRequest) -> Mapping[str, Any]:
    role = await call.read(lambda tx: _role_of(tx, call, request["RoleName"]))
    return {"Role": role_view(role) | {"RoleLastUsed": {}}}


async def list_roles(call: ApiCall, request: shapes.ListRolesRequest) -> Mapping[str, Any]:
    prefix = request.get("PathPrefix", "/")
    page = page_for(call, f"Roles:{prefix}", request)
    account, after = call.registry.account, page.after[0]
    found = await call.read(lambda tx: rows.page_of_roles(tx, account, prefix, after, page.fetch))
    return listed("Roles", page, found, lambda role: (role.name,), lambda role: role_view(role) | {"Tags": None})


async def update_role(call: ApiCall, request: shapes.UpdateRoleRequest) -> Mapping[str, Any]:
    """Change a role. "If you do not specify a value for this setting, the default value of one hour is applied."""
    limit = request.get("MaxSessionDuration", DEFAULT_SECONDS)

    def work(tx: Transaction) -> None:
        role = _role_of(tx, call, request["RoleName"])
        description = request.get("Description", role.description)
        roles.change_role(tx, replace(role, max_session_seconds=limit, description=description))

    await call.write(work)
    return {}


async def update_role_description(call: ApiCall, request: shapes.UpdateRoleDescriptionRequest) -> Mapping[str, Any]:
    def work(tx: Transaction) -> Role:
        role = replace(_role_of(tx, call, request["RoleName"]), description=request["Description"])
        roles.change_role(tx, role)
        return role

    return {"Role": role_view(await call.write(work))}


async def update_assume_role_policy(call: ApiCall, request: shapes.UpdateAssumeRolePolicyRequest) -> Mapping[str, Any]:
    def work(tx: Transaction) -> None:
        role = _role_of(tx, call, request["RoleName"])
        roles.change_role(tx, replace(role, trust_policy=request["PolicyDocument"]))

    await call.write(work)
    return {}


async def delete_role(call: ApiCall, request: shapes.DeleteRoleRequest) -> Mapping[str, Any]:
    def work(tx: Transaction) -> None:
        role = _role_of(tx, call, request["RoleName"])
        policies.require_none(tx, role)
        roles.delete_role(tx, role.account, role.name)

    await call.write(work)
    return {}


def role_view(role: Role) -> dict[str, Any]:
    """A role in responses."""
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": seconds(role.created_at),
        "AssumeRolePolicyDocument": encoded(role.trust_policy),
        "Description": role.description or None,
        "MaxSessionDuration": role.max_session_seconds,
        "Tags": tag_list(role.tags) or None,
    }


def _role_of(tx: Transaction, call: ApiCall, name: str) -> Role:
    return roles.get_role(tx, call.registry.account, name)


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = all_translated(
    {
        "CreateRole": create_role,
        "GetRole": get_role,
        "ListRoles": list_roles,
        "UpdateRole": update_role,
        "UpdateRoleDescription": update_role_description,
        "UpdateAssumeRolePolicy": update_assume_role_policy,
        "DeleteRole": delete_role,
    }
)
