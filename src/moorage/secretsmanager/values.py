"""The operations for the values of secrets, their versions and stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import pybase64

from moorage.api.call import ApiCall, HandlerOf, seconds
from moorage.api.pages import DEFAULT_PAGE, page_of
from moorage.core.secrets import lookups
from moorage.core.secrets.changes import NewValue
from moorage.core.secrets.lookups import CURRENT, Value
from moorage.domain.secrets.errors import InvalidNextToken, InvalidRequest, InvalidSecretParameter
from moorage.metadata import secrets as rows
from moorage.metadata.database import Transaction
from moorage.metadata.secrets import Secret, Version
from moorage.secretsmanager.requests import refuse_unsupported

if TYPE_CHECKING:
    from moorage.secretsmanager import shapes


async def put_secret_value(call: ApiCall, request: shapes.PutSecretValueRequest) -> shapes.PutSecretValueResponse:
    refuse_unsupported(request, "RotationToken")
    value = required_value(request)
    stages = tuple(request.get("VersionStages") or (CURRENT,))

    def work(tx: Transaction) -> tuple[Secret, Version]:
        now = call.services.now()
        secret = lookups.get(tx, call.registry, request["SecretId"], now)
        return secret, call.services.secrets.put_value(tx, secret, value, now, stages)

    secret, version = await call.write(work)
    response: shapes.PutSecretValueResponse = {
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": version.version,
    }
    if version.stages:
        response["VersionStages"] = list(version.stages)
    return response


async def get_secret_value(call: ApiCall, request: shapes.GetSecretValueRequest) -> shapes.GetSecretValueResponse:
    def work(tx: Transaction) -> tuple[Secret, Value]:
        secret = lookups.get(tx, call.registry, request["SecretId"], call.services.now())
        found = call.services.secrets.secret_value(tx, secret, request.get("VersionId"), request.get("VersionStage"))
        return secret, found

    secret, value = await call.read(work)
    version = value.version
    response: shapes.GetSecretValueResponse = {
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": version.version,
        "CreatedDate": seconds(version.created_at),
    }
    if version.stages:
        response["VersionStages"] = list(version.stages)
    if version.is_binary:
        response["SecretBinary"] = pybase64.b64decode(value.text)
    else:
        response["SecretString"] = value.text
    return response


async def update_secret_version_stage(
    call: ApiCall, request: shapes.UpdateSecretVersionStageRequest
) -> shapes.UpdateSecretVersionStageResponse:
    origin, target = request.get("RemoveFromVersionId"), request.get("MoveToVersionId")

    def work(tx: Transaction) -> Secret:
        secret = lookups.get(tx, call.registry, request["SecretId"], call.services.now())
        call.services.secrets.move_stage(tx, secret, request["VersionStage"], origin, target)
        return secret

    secret = await call.write(work)
    return {"ARN": secret.arn, "Name": secret.name}


async def list_secret_version_ids(
    call: ApiCall, request: shapes.ListSecretVersionIdsRequest
) -> shapes.ListSecretVersionIdsResponse:
    """The versions with a stage, oldest first; with IncludeDeprecated also the others that are kept."""
    secret_id, everything = request["SecretId"], request.get("IncludeDeprecated", False)
    page = page_of(
        call,
        f"ListSecretVersionIds:{secret_id}:{everything}",
        request.get("NextToken"),
        (0, ""),
        request.get("MaxResults") or DEFAULT_PAGE,
        InvalidNextToken(),
    )

    def work(tx: Transaction) -> tuple[Secret, list[Version]]:
        secret = lookups.describe(tx, call.registry, secret_id, call.services.now())
        return secret, rows.versions(tx, secret)

    secret, versions = await call.read(work)
    listed = [
        version
        for version in versions
        if (everything or version.stages) and (version.created_at, version.version) > page.after
    ]
    on_page, token = page.cut(listed, lambda version: (version.created_at, version.version))
    response: shapes.ListSecretVersionIdsResponse = {
        "ARN": secret.arn,
        "Name": secret.name,
        "Versions": [_view(version) for version in on_page],
    }
    return response if token is None else {**response, "NextToken": token}


def _view(version: Version) -> shapes.SecretVersionsListEntry:
    view: shapes.SecretVersionsListEntry = {
        "VersionId": version.version,
        "CreatedDate": seconds(version.created_at),
    }
    if version.stages:
        view["VersionStages"] = list(version.stages)
    return view


def required_value(request: Mapping[str, Any]) -> NewValue:
    """The value in a request. Raises InvalidRequest, InvalidSecretParameter."""
    value = value_of(request)
    if value is None:
        raise InvalidRequest(reason="You must provide either SecretString or SecretBinary.")
    return value


def value_of(request: Mapping[str, Any]) -> NewValue | None:
    """The value in a request, if it has one. Raises InvalidSecretParameter."""
    text, content, token = (request.get(name) for name in ("SecretString", "SecretBinary", "ClientRequestToken"))
    if text is not None and content is not None:
        reason = "You can't specify both a binary secret value and a string secret value in the same secret."
        raise InvalidSecretParameter(reason=reason)
    if content is not None:
        return NewValue(pybase64.b64encode(content).decode(), is_binary=True, token=token)
    return None if text is None else NewValue(text, token=token)


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = {
    "PutSecretValue": put_secret_value,
    "GetSecretValue": get_secret_value,
    "UpdateSecretVersionStage": update_secret_version_stage,
    "ListSecretVersionIds": list_secret_version_ids,
}
