"""Operations of managed signing: the signing configuration of a registry, and the signing status of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from moorage.core.registry import image_ids, repositories
from moorage.core.registry.image_ids import ImageId
from moorage.core.signing import on_push
from moorage.domain.signing.rules import SigningRule
from moorage.ecr.call import Call, Handler
from moorage.metadata.database import Transaction
from moorage.metadata.signing.signatures import SigningStatus

if TYPE_CHECKING:
    from moorage.ecr import shapes


async def put_signing_configuration(
    call: Call, request: shapes.PutSigningConfigurationRequest
) -> shapes.PutSigningConfigurationResponse:
    configuration = request["signingConfiguration"]
    rules = [
        SigningRule(rule["signingProfileArn"], tuple(each["filter"] for each in rule.get("repositoryFilters", [])))
        for rule in configuration["rules"]
    ]
    await call.write(lambda tx: on_push.put(tx, call.registry, rules))
    return {"signingConfiguration": _configuration(rules)}


async def get_signing_configuration(
    call: Call, _request: shapes.GetSigningConfigurationRequest
) -> shapes.GetSigningConfigurationResponse:
    rules = await call.read(lambda tx: on_push.get(tx, call.registry))
    return {"registryId": call.registry.account, "signingConfiguration": _configuration(rules)}


async def delete_signing_configuration(
    call: Call, _request: shapes.DeleteSigningConfigurationRequest
) -> shapes.DeleteSigningConfigurationResponse:
    rules = await call.write(lambda tx: on_push.delete(tx, call.registry))
    return {"registryId": call.registry.account, "signingConfiguration": _configuration(rules)}


async def describe_image_signing_status(
    call: Call, request: shapes.DescribeImageSigningStatusRequest
) -> shapes.DescribeImageSigningStatusResponse:
    identifier = request["imageId"]

    def read(tx: Transaction) -> list[SigningStatus]:
        repository = repositories.get(tx, call.registry, request["repositoryName"])
        image_id = ImageId(identifier.get("imageDigest"), identifier.get("imageTag"))
        return on_push.statuses(tx, image_ids.get(tx, repository, image_id))

    found = await call.read(read)
    return {
        "repositoryName": request["repositoryName"],
        "imageId": identifier,
        "registryId": call.registry.account,
        "signingStatuses": [_status(status) for status in found],
    }


def _configuration(rules: Sequence[SigningRule]) -> shapes.SigningConfiguration:
    return {"rules": [_rule(rule) for rule in rules]}


def _rule(rule: SigningRule) -> shapes.SigningRule:
    view: shapes.SigningRule = {"signingProfileArn": rule.profile}
    if rule.filters:
        view["repositoryFilters"] = [{"filter": text, "filterType": "WILDCARD_MATCH"} for text in rule.filters]
    return view


def _status(status: SigningStatus) -> shapes.ImageSigningStatus:
    view: shapes.ImageSigningStatus = {"signingProfileArn": status.profile, "status": status.status}
    if status.failure_code is not None and status.failure_reason is not None:
        view["failureCode"] = status.failure_code
        view["failureReason"] = status.failure_reason
    return view


OPERATIONS: Final[Mapping[str, Handler]] = {
    "PutSigningConfiguration": put_signing_configuration,
    "GetSigningConfiguration": get_signing_configuration,
    "DeleteSigningConfiguration": delete_signing_configuration,
    "DescribeImageSigningStatus": describe_image_signing_status,
}
