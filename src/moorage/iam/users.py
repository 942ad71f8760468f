"""The operations on users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import ApiCall, HandlerOf, seconds
from moorage.core.identity import accounts, policies
from moorage.domain.identity.callers import ROOT
from moorage.iam.entities import listed, page_for, refuse, tag_list, tags_of, user_of
from moorage.iam.refusals import all_translated
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts as rows
from moorage.metadata.identity.accounts import User

if TYPE_CHECKING:
    from moorage.iam import shapes


async def create_user(call: ApiCall, request: shapes.CreateUserRequest) -> Mapping[str, Any]:
    refuse(request, "PermissionsBoundary")
    name, path, tags = request["UserName"], request.get("Path", "/"), tags_of(request)
    now, account = call.services.now(), call.registry.account
    user = await call.write(lambda tx: accounts.create_user(tx, account, name, now, path, tags))
    return {"User": _with_tags(user)}


async def get_user(call: ApiCall, request: shapes.GetUserRequest) -> Mapping[str, Any]:
    return {"User": _with_tags(await call.read(lambda tx: user_of(tx, call, request)))}


async def list_users(call: ApiCall, request: shapes.ListUsersRequest) -> Mapping[str, Any]:
    prefix = request.get("PathPrefix", "/")
    page = page_for(call, f"Users:{prefix}", request)
    account, after = call.registry.account, page.after[0]
    found = await call.read(lambda tx: rows.page_of_users(tx, account, prefix, after, page.fetch))
    return listed("Users", page, found, lambda user: (user.name,), user_view)


async def update_user(call: ApiCall, request: shapes.UpdateUserRequest) -> Mapping[str, Any]:
    def work(tx: Transaction) -> None:
        user = accounts.get_iam_user(tx, call.registry.account, request["UserName"])
        accounts.rename_user(tx, user, request.get("NewUserName", user.name), request.get("NewPath", user.path))

    await call.write(work)
    return {}


async def delete_user(call: ApiCall, request: shapes.DeleteUserRequest) -> Mapping[str, Any]:
    def work(tx: Transaction) -> None:
        user = accounts.get_iam_user(tx, call.registry.account, request["UserName"])
        accounts.require_no_keys(tx, user)
        policies.require_none(tx, user)
        accounts.delete_user(tx, user.account, user.name)

    await call.write(work)
    return {}


def user_view(user: User) -> dict[str, Any]:
    """A user in responses. The root user has its account's id, as everywhere in AWS."""
    return {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.account if user.name == ROOT else user.id,
        "Arn": user.arn,
        "CreateDate": seconds(user.created_at),
    }


def _with_tags(user: User) -> dict[str, Any]:
    return user_view(user) | {"Tags": tag_list(user.tags) or None}


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = all_translated(
    {
        "CreateUser": create_user,
        "GetUser": get_user,
        "ListUsers": list_users,
        "UpdateUser": update_user,
        "DeleteUser": delete_user,
    }
)
