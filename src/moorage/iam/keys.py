"""The operations on access keys. A request without a user is about the keys of its caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import ApiCall, HandlerOf, seconds
from moorage.core.identity import accounts
from moorage.core.identity.accounts import NewKey
from moorage.domain.identity.errors import AccountError
from moorage.iam.entities import listed, short_list, user_of
from moorage.iam.refusals import all_translated
from moorage.iam.targets import user_of_key
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts as rows
from moorage.metadata.identity.accounts import KeySummary, User

if TYPE_CHECKING:
    from moorage.iam import shapes

_UNKNOWN: Final = "N/A"
"""What IAM returns for a key that was never used. Moorage records when a key is used, and not for what."""


async def create_access_key(call: ApiCall, request: shapes.CreateAccessKeyRequest) -> Mapping[str, Any]:
    def work(tx: Transaction) -> tuple[User, NewKey, KeySummary]:
        user = user_of(tx, call, request)
        made = call.services.authenticator.create_key(tx, user)
        return user, made, accounts.get_key(tx, user, made.id)

    user, made, key = await call.write(work)
    view = _key_view(user, key)
    return {"AccessKey": view | {"SecretAccessKey": made.secret}}


async def list_access_keys(call: ApiCall, request: shapes.ListAccessKeysRequest) -> Mapping[str, Any]:
    def work(tx: Transaction) -> tuple[User, list[KeySummary]]:
        user = user_of(tx, call, request)
        return user, rows.keys_of(tx, user)

    user, keys = await call.read(work)
    page, found = short_list(call, "AccessKeyMetadata", request, keys, lambda key: key.id)
    return listed("AccessKeyMetadata", page, found, lambda key: (key.id,), lambda key: _key_view(user, key))


async def update_access_key(call: ApiCall, request: shapes.UpdateAccessKeyRequest) -> Mapping[str, Any]:
    status = request["Status"]
    if status == "Expired":
        raise AccountError("an access key can be set to Active or Inactive only")

    def work(tx: Transaction) -> None:
        key = accounts.get_key(tx, user_of(tx, call, request), request["AccessKeyId"])
        accounts.set_key_active(tx, key.id, active=status == "Active")

    await call.write(work)
    return {}


async def delete_access_key(call: ApiCall, request: shapes.DeleteAccessKeyRequest) -> Mapping[str, Any]:
    def work(tx: Transaction) -> None:
        accounts.delete_key(tx, accounts.get_key(tx, user_of(tx, call, request), request["AccessKeyId"]).id)

    await call.write(work)
    return {}


async def get_access_key_last_used(call: ApiCall, request: shapes.GetAccessKeyLastUsedRequest) -> Mapping[str, Any]:
    def work(tx: Transaction) -> tuple[User, KeySummary]:
        user = user_of_key(tx, call, request["AccessKeyId"])
        return user, accounts.get_key(tx, user, request["AccessKeyId"])

    user, key = await call.read(work)
    last_used: dict[str, Any] = {"ServiceName": _UNKNOWN, "Region": _UNKNOWN}
    if key.last_used_at is not None:
        last_used["LastUsedDate"] = seconds(key.last_used_at)
    return {"UserName": user.name, "AccessKeyLastUsed": last_used}


def _key_view(user: User, key: KeySummary) -> dict[str, Any]:
    return {
        "UserName": user.name,
        "AccessKeyId": key.id,
        "Status": "Active" if key.active else "Inactive",
        "CreateDate": seconds(key.created_at),
    }


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = all_translated(
    {
        "CreateAccessKey": create_access_key,
        "ListAccessKeys": list_access_keys,
        "UpdateAccessKey": update_access_key,
        "DeleteAccessKey": delete_access_key,
        "GetAccessKeyLastUsed": get_access_key_last_used,
    }
)
