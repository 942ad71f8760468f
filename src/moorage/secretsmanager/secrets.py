"""The operations for secrets themselves: create, describe, list, change, tag, delete and restore."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

from moorage.api.call import ApiCall, HandlerOf, seconds
from moorage.api.pages import DEFAULT_PAGE, page_of
from moorage.core.secrets import lookups
from moorage.core.secrets.changes import RECOVERY_DAYS, NewSecret
from moorage.domain.secrets.errors import InvalidNextToken, InvalidSecretParameter
from moorage.domain.secrets.names import parse_arn, partial_arn_of
from moorage.metadata import secrets as rows
from moorage.metadata.database import Transaction
from moorage.metadata.secrets import Secret, Version
from moorage.secretsmanager.filters import check, matches
from moorage.secretsmanager.requests import refuse_unsupported, tags_of
from moorage.secretsmanager.values import value_of

if TYPE_CHECKING:
    from moorage.secretsmanager import shapes

_NO_REPLICAS: Final = ("AddReplicaRegions", "ForceOverwriteReplicaSecret", "Type", "CrossAccountPrimaryARN")


async def create_secret(call: ApiCall, request: shapes.CreateSecretRequest) -> shapes.CreateSecretResponse:
    refuse_unsupported(request, *_NO_REPLICAS)
    new = NewSecret(
        call.registry,
        request["Name"],
        value_of(request),
        request.get("Description", ""),
        request.get("KmsKeyId"),
        tags_of(request.get("Tags")),
    )
    secret, version = await call.write(lambda tx: call.services.secrets.create_secret(tx, new, call.services.now()))
    response: shapes.CreateSecretResponse = {"ARN": secret.arn, "Name": secret.name}
    if version is not None:
        response["VersionId"] = version.version
    return response


async def update_secret(call: ApiCall, request: shapes.UpdateSecretRequest) -> shapes.UpdateSecretResponse:
    refuse_unsupported(request, "Type")
    value = value_of(request)
    members = {"Description": "description", "KmsKeyId": "kms_key"}
    changes = {members[name]: item for name, item in request.items() if name in members}

    def work(tx: Transaction) -> tuple[Secret, Version | None]:
        secrets, now = call.services.secrets, call.services.now()
        secret = lookups.get(tx, call.registry, request["SecretId"], now)
        if changes:
            secret = secrets.update_secret(tx, secret, changes, now)
        return secret, None if value is None else secrets.put_value(tx, secret, value, now)

    secret, version = await call.write(work)
    response: shapes.UpdateSecretResponse = {"ARN": secret.arn, "Name": secret.name}
    if version is not None:
        response["VersionId"] = version.version
    return response


async def describe_secret(call: ApiCall, request: shapes.DescribeSecretRequest) -> shapes.DescribeSecretResponse:
    secret, versions = await call.read(lambda tx: _with_versions(tx, call, request["SecretId"]))
    response: dict[str, Any] = {**_view(secret), "VersionIdsToStages": _stages(versions)}
    return cast("shapes.DescribeSecretResponse", response)


async def get_resource_policy(
    call: ApiCall, request: shapes.GetResourcePolicyRequest
) -> shapes.GetResourcePolicyResponse:
    """No secret has a policy: identity policies alone decide who may use it."""
    now = call.services.now()
    secret = await call.read(lambda tx: lookups.describe(tx, call.registry, request["SecretId"], now))
    return {"ARN": secret.arn, "Name": secret.name}


async def delete_secret(call: ApiCall, request: shapes.DeleteSecretRequest) -> shapes.DeleteSecretResponse:
    is_forced = request.get("ForceDeleteWithoutRecovery", False)
    days = request.get("RecoveryWindowInDays")
    if is_forced and days is not None:
        reason = "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."
        raise InvalidSecretParameter(reason=reason)
    secret_id, now = request["SecretId"], call.services.now()

    def work(tx: Transaction) -> Secret | None:
        if not is_forced:
            secret = lookups.get(tx, call.registry, secret_id, now)
            return call.services.secrets.delete_secret(tx, secret, max(RECOVERY_DAYS) if days is None else days, now)
        found = lookups.find(tx, call.registry, secret_id, now)
        return None if found is None else call.services.secrets.delete_secret(tx, found, None, now)

    secret = await call.write(work)
    if secret is None:
        # API reference, ForceDeleteWithoutRecovery: a secret that does not exist is not an error.
        arn = secret_id if parse_arn(secret_id) else partial_arn_of(call.registry, secret_id)
        return {"ARN": arn, "Name": secret_id, "DeletionDate": seconds(now)}
    return {"ARN": secret.arn, "Name": secret.name, "DeletionDate": seconds(secret.delete_at or now)}


async def restore_secret(call: ApiCall, request: shapes.RestoreSecretRequest) -> shapes.RestoreSecretResponse:
    def work(tx: Transaction) -> Secret:
        secret = lookups.describe(tx, call.registry, request["SecretId"], call.services.now())
        return call.services.secrets.restore_secret(tx, secret)

    secret = await call.write(work)
    return {"ARN": secret.arn, "Name": secret.name}


async def tag_resource(call: ApiCall, request: shapes.TagResourceRequest) -> Mapping[str, Any]:
    added = tags_of(request["Tags"])
    return await _change_tags(call, request["SecretId"], lambda tags: {**tags, **added})


async def untag_resource(call: ApiCall, request: shapes.UntagResourceRequest) -> Mapping[str, Any]:
    removed = set(request["TagKeys"])

    def without(tags: Mapping[str, str]) -> dict[str, str]:
        return {key: value for key, value in tags.items() if key not in removed}

    return await _change_tags(call, request["SecretId"], without)


async def list_secrets(call: ApiCall, request: shapes.ListSecretsRequest) -> shapes.ListSecretsResponse:
    """The secrets by name. Those that are marked for deletion are listed on request."""
    filters = request.get("Filters", [])
    check(filters)
    if request.get("SortBy", "name") != "name" or request.get("SortOrder") == "desc":
        raise InvalidSecretParameter(reason="Moorage lists secrets by name, in ascending order.")
    deleted_too = request.get("IncludePlannedDeletion", False)
    limit = request.get("MaxResults") or DEFAULT_PAGE
    page = page_of(call, "ListSecrets", request.get("NextToken"), ("",), limit, InvalidNextToken())

    def work(tx: Transaction) -> list[tuple[Secret, list[Version]]]:
        found = lookups.listed(tx, call.registry, page.after[0], call.services.now(), deleted_too=deleted_too)
        matching = islice((secret for secret in found if matches(secret, filters)), page.fetch)
        return [(secret, rows.versions(tx, secret)) for secret in matching]

    on_page, token = page.cut(await call.read(work), lambda entry: (entry[0].name,))
    entries = [_view(secret) for secret, _ in on_page]
    for entry, (_, versions) in zip(entries, on_page, strict=True):
        entry["SecretVersionsToStages"] = _stages(versions)
    return {"SecretList": entries} if token is None else {"SecretList": entries, "NextToken": token}


def _view(secret: Secret) -> shapes.SecretListEntry:
    view: shapes.SecretListEntry = {
        "ARN": secret.arn,
        "Name": secret.name,
        "LastChangedDate": seconds(secret.changed_at),
        "CreatedDate": seconds(secret.created_at),
    }
    if secret.description:
        view["Description"] = secret.description
    if secret.kms_key is not None:
        view["KmsKeyId"] = secret.kms_key
    if secret.delete_at is not None:
        view["DeletedDate"] = seconds(secret.delete_at)
    if secret.tags:
        view["Tags"] = [{"Key": key, "Value": value} for key, value in secret.tags.items()]
    return view


def _stages(versions: list[Version]) -> dict[str, list[str]]:
    return {version.version: list(version.stages) for version in versions if version.stages}


def _with_versions(tx: Transaction, call: ApiCall, secret_id: str) -> tuple[Secret, list[Version]]:
    secret = lookups.describe(tx, call.registry, secret_id, call.services.now())
    return secret, rows.versions(tx, secret)


async def _change_tags(
    call: ApiCall, secret_id: str, changed: Callable[[Mapping[str, str]], dict[str, str]]
) -> Mapping[str, Any]:
    def work(tx: Transaction) -> None:
        now = call.services.now()
        secret = lookups.get(tx, call.registry, secret_id, now)
        call.services.secrets.update_secret(tx, secret, {"tags": changed(secret.tags)}, now)

    await call.write(work)
    return {}


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = {
    "CreateSecret": create_secret,
    "UpdateSecret": update_secret,
    "DescribeSecret": describe_secret,
    "GetResourcePolicy": get_resource_policy,
    "DeleteSecret": delete_secret,
    "RestoreSecret": restore_secret,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListSecrets": list_secrets,
}
