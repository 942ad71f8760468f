"""The operations that describe keys and list them with their aliases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from moorage.api.call import ApiCall, HandlerOf
from moorage.api.pages import page_of
from moorage.domain.errors import Refusal
from moorage.domain.registry.encryption import KmsKey, UnknownKey

if TYPE_CHECKING:
    from moorage.kms import shapes

T = TypeVar("T")

_KEYS_ON_PAGE: Final = 100
_ALIASES_ON_PAGE: Final = 50
_FOR_ECR: Final = "Default key that protects my ECR data when no other key is defined"


class NotFound(Refusal):
    template = "{reason}"


class InvalidMarker(Refusal):
    template = "Could not deserialize marker"


async def describe_key(call: ApiCall, request: shapes.DescribeKeyRequest) -> shapes.DescribeKeyResponse:
    """Describe a key as far as the setting does: nobody knows when it was created."""
    key = _find(call, request["KeyId"])
    return {
        "KeyMetadata": {
            "AWSAccountId": key.owner.account,
            "KeyId": key.id,
            "Arn": key.arn,
            "Enabled": True,
            "Description": _FOR_ECR if key.is_managed_by_aws else "",
            "KeyUsage": "ENCRYPT_DECRYPT",
            "KeyState": "Enabled",
            "Origin": "AWS_KMS",
            "KeyManager": "AWS" if key.is_managed_by_aws else "CUSTOMER",
            "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
            "KeySpec": "SYMMETRIC_DEFAULT",
            "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
            "MultiRegion": key.id.startswith("mrk-"),
        }
    }


async def list_keys(call: ApiCall, request: shapes.ListKeysRequest) -> Mapping[str, Any]:
    keys = call.services.limits.kms_keys.of(call.registry)
    listed: list[shapes.KeyListEntry] = [{"KeyId": key.id, "KeyArn": key.arn} for key in keys]
    return _page(call, request, ("Keys", _KEYS_ON_PAGE), listed, lambda entry: entry["KeyArn"])


async def list_aliases(call: ApiCall, request: shapes.ListAliasesRequest) -> Mapping[str, Any]:
    keys = [_find(call, request["KeyId"])] if request.get("KeyId") else call.services.limits.kms_keys.of(call.registry)
    listed: list[shapes.AliasListEntry] = [
        {"AliasName": alias, "AliasArn": f"{key.arn.rpartition(':')[0]}:{alias}", "TargetKeyId": key.id}
        for key in keys
        for alias in key.aliases
    ]
    listed.sort(key=lambda entry: entry["AliasArn"])
    return _page(call, request, ("Aliases", _ALIASES_ON_PAGE), listed, lambda entry: entry["AliasArn"])


def _find(call: ApiCall, name: str) -> KmsKey:
    """Raises NotFound."""
    try:
        return call.services.limits.kms_keys.find(call.registry, name)
    except UnknownKey as error:
        raise NotFound(reason=str(error)) from None


def _page(
    call: ApiCall,
    request: Mapping[str, Any],
    member: tuple[str, int],
    sorted_items: Sequence[T],
    position: Callable[[T], str],
) -> Mapping[str, Any]:
    """One page of a list. Raises InvalidMarker."""
    name, usual = member
    limit = request.get("Limit", usual)
    scope = f"{name}:{request.get('KeyId', '')}"
    page = page_of(call, scope, request.get("Marker"), ("",), limit, InvalidMarker())
    rest = [item for item in sorted_items if position(item) > page.after[0]]
    on_page, marker = page.cut(rest, lambda item: (position(item),))
    more = {"Truncated": False} if marker is None else {"Truncated": True, "NextMarker": marker}
    return {name: on_page, **more}


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = {
    "DescribeKey": describe_key,
    "ListAliases": list_aliases,
    "ListKeys": list_keys,
}
