"""Operations on repositories: create, describe and delete them, and set tag mutability, scanning and resource tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from moorage.core.registry import repositories
from moorage.core.registry.encryption import key_of
from moorage.core.registry.repositories import NewRepository
from moorage.domain.names import RepositoryName, parse_repository_arn
from moorage.domain.registry.encryption import AES256
from moorage.ecr import views
from moorage.ecr.call import Call, Handler
from moorage.ecr.pages import page_of, refuse_paging_with
from moorage.metadata.database import Transaction
from moorage.metadata.registry import repositories as rows
from moorage.metadata.registry.repositories import Repository, RepositorySettings

if TYPE_CHECKING:
    from moorage.ecr import shapes


async def create_repository(call: Call, request: shapes.CreateRepositoryRequest) -> shapes.CreateRepositoryResponse:
    encryption = request.get("encryptionConfiguration", {"encryptionType": AES256})
    kind, key = encryption["encryptionType"], encryption.get("kmsKey")
    settings = RepositorySettings(
        tag_mutability=request.get("imageTagMutability", "MUTABLE"),
        exclusion_filters=views.filters_of(request.get("imageTagMutabilityExclusionFilters")),
        scan_on_push=request.get("imageScanningConfiguration", {}).get("scanOnPush", False),
        encryption_type=kind,
        kms_key=key_of(call.services.limits.kms_keys, call.registry, kind, key),
    )
    name, tags = RepositoryName(request["repositoryName"]), views.tags_of(request.get("tags", []))
    new_repository, now = NewRepository(call.registry, name, settings, tags), call.services.now()
    created = await call.write(lambda tx: repositories.create(tx, new_repository, call.services.limits, now))
    return {"repository": views.repository(call.services, created)}


async def describe_repositories(
    call: Call, request: shapes.DescribeRepositoriesRequest
) -> shapes.DescribeRepositoriesResponse:
    """Without names, repositories that the caller may not describe are omitted."""
    names = request.get("repositoryNames")
    if names is not None:
        refuse_paging_with(request, "repositoryNames")
        found = await call.read(lambda tx: [repositories.get(tx, call.registry, name) for name in names])
        return {"repositories": [views.repository(call.services, row) for row in found]}
    page = page_of(call, request, "DescribeRepositories", ("",))
    access_request = call.access_request("ecr:DescribeRepositories")
    visible = await repositories.list_visible(call.services.database, access_request, *page.after, page.limit)
    response: shapes.DescribeRepositoriesResponse = {
        "repositories": [views.repository(call.services, row) for row in visible.repositories]
    }
    if visible.end is not None:
        response["nextToken"] = page.token((visible.end,))
    return response


async def delete_repository(call: Call, request: shapes.DeleteRepositoryRequest) -> shapes.DeleteRepositoryResponse:
    def delete(tx: Transaction) -> Repository:
        found = repositories.get(tx, call.registry, request["repositoryName"])
        repositories.delete(tx, found, call.services.now(), force=request.get("force", False))
        return found

    return {"repository": views.repository(call.services, await call.write(delete))}


async def put_image_tag_mutability(
    call: Call, request: shapes.PutImageTagMutabilityRequest
) -> shapes.PutImageTagMutabilityResponse:
    mutability = request["imageTagMutability"]
    filters = views.filters_of(request.get("imageTagMutabilityExclusionFilters"))

    def put(tx: Transaction) -> None:
        found = repositories.get(tx, call.registry, request["repositoryName"])
        repositories.set_tag_mutability(tx, found, mutability, filters)

    await call.write(put)
    response: shapes.PutImageTagMutabilityResponse = {
        "registryId": call.registry.account,
        "repositoryName": request["repositoryName"],
        "imageTagMutability": mutability,
    }
    if filters:
        response["imageTagMutabilityExclusionFilters"] = views.exclusion_filters(filters)
    return response


async def put_image_scanning_configuration(
    call: Call, request: shapes.PutImageScanningConfigurationRequest
) -> shapes.PutImageScanningConfigurationResponse:
    scan_on_push = request["imageScanningConfiguration"].get("scanOnPush", False)

    def put(tx: Transaction) -> None:
        found = repositories.get(tx, call.registry, request["repositoryName"])
        repositories.set_scan_on_push(tx, found, scan_on_push=scan_on_push)

    await call.write(put)
    return {
        "registryId": call.registry.account,
        "repositoryName": request["repositoryName"],
        "imageScanningConfiguration": {"scanOnPush": scan_on_push},
    }


async def tag_resource(call: Call, request: shapes.TagResourceRequest) -> shapes.TagResourceResponse:
    tags = views.tags_of(request["tags"])
    await call.write(lambda tx: repositories.add_tags(tx, _by_arn(tx, request["resourceArn"]), tags))
    return {}


async def untag_resource(call: Call, request: shapes.UntagResourceRequest) -> shapes.UntagResourceResponse:
    keys = request["tagKeys"]
    await call.write(lambda tx: repositories.remove_tags(tx, _by_arn(tx, request["resourceArn"]), keys))
    return {}


async def list_tags_for_resource(
    call: Call, request: shapes.ListTagsForResourceRequest
) -> shapes.ListTagsForResourceResponse:
    tags = await call.read(lambda tx: rows.resource_tags(tx, _by_arn(tx, request["resourceArn"])))
    return {"tags": views.tags(tags)}


def _by_arn(tx: Transaction, arn: str) -> Repository:
    registry, name = parse_repository_arn(arn)
    return repositories.get(tx, registry, name)


OPERATIONS: Final[Mapping[str, Handler]] = {
    "CreateRepository": create_repository,
    "DescribeRepositories": describe_repositories,
    "DeleteRepository": delete_repository,
    "PutImageTagMutability": put_image_tag_mutability,
    "PutImageScanningConfiguration": put_image_scanning_configuration,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTagsForResource": list_tags_for_resource,
}
