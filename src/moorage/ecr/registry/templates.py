"""Operations on creation templates: create, describe, update and delete them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import seconds
from moorage.core.registry import templates
from moorage.domain.errors import Validation
from moorage.domain.registry.errors import InvalidTagParameter
from moorage.ecr import views
from moorage.ecr.call import Call, Handler
from moorage.ecr.pages import cut, page_of, refuse_paging_with
from moorage.metadata.registry import templates as rows
from moorage.metadata.registry.templates import Template

if TYPE_CHECKING:
    from moorage.ecr import shapes


async def create_repository_creation_template(
    call: Call, request: shapes.CreateRepositoryCreationTemplateRequest
) -> shapes.CreateRepositoryCreationTemplateResponse:
    now = call.services.now()
    template = Template(prefix=request["prefix"], created_at=now, updated_at=now, **_fields(request))
    created = await call.write(lambda tx: templates.create(tx, call.registry, template, call.services.limits))
    return {"registryId": call.registry.account, "repositoryCreationTemplate": _view(created)}


async def describe_repository_creation_templates(
    call: Call, request: shapes.DescribeRepositoryCreationTemplatesRequest
) -> shapes.DescribeRepositoryCreationTemplatesResponse:
    prefixes = request.get("prefixes")
    if prefixes is not None:
        refuse_paging_with(request, "prefixes")
        found = await call.read(lambda tx: templates.find_by_prefixes(tx, call.registry, prefixes))
        return {"registryId": call.registry.account, "repositoryCreationTemplates": [_view(row) for row in found]}
    page = page_of(call, request, "DescribeRepositoryCreationTemplates", ("",))
    found = await call.read(lambda tx: rows.page(tx, call.registry, *page.after, page.fetch))
    on_page, next_token = cut(page, found, lambda row: (row.key,))
    return {
        "registryId": call.registry.account,
        "repositoryCreationTemplates": [_view(row) for row in on_page],
        **next_token,
    }


async def update_repository_creation_template(
    call: Call, request: shapes.UpdateRepositoryCreationTemplateRequest
) -> shapes.UpdateRepositoryCreationTemplateResponse:
    """Omitted members keep their values."""
    changes = {**_fields(request), "updated_at": call.services.now()}
    template = await call.write(
        lambda tx: templates.update(tx, call.registry, request["prefix"], changes, call.services.limits)
    )
    return {"registryId": call.registry.account, "repositoryCreationTemplate": _view(template)}


async def delete_repository_creation_template(
    call: Call, request: shapes.DeleteRepositoryCreationTemplateRequest
) -> shapes.DeleteRepositoryCreationTemplateResponse:
    deleted = await call.write(lambda tx: templates.delete(tx, call.registry, request["prefix"]))
    return {"registryId": call.registry.account, "repositoryCreationTemplate": _view(deleted)}


_FIELDS: Final = {
    "description": "description",
    "imageTagMutability": "tag_mutability",
    "repositoryPolicy": "repository_policy",
    "lifecyclePolicy": "lifecycle_policy",
    "customRoleArn": "role",
}
"""String members, and the fields of a template that store them. An empty string deletes the value."""


def _fields(request: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a template that a request sets. Raises Validation for duplicate tag keys."""
    fields = {field: request[member] or None for member, field in _FIELDS.items() if member in request}
    if "appliedFor" in request:
        fields["applied_for"] = tuple(dict.fromkeys(request["appliedFor"]))
    if "imageTagMutabilityExclusionFilters" in request:
        fields["exclusion_filters"] = views.filters_of(request["imageTagMutabilityExclusionFilters"])
    if "encryptionConfiguration" in request:
        encryption = request["encryptionConfiguration"]
        fields["encryption_type"], fields["kms_key"] = encryption["encryptionType"], encryption.get("kmsKey") or None
    if "resourceTags" in request:
        try:
            fields["resource_tags"] = views.tags_of(request["resourceTags"])
        except InvalidTagParameter as refusal:
            raise Validation(reason=str(refusal)) from None
    return fields


def _view(template: Template) -> shapes.RepositoryCreationTemplate:
    """A template without the members that have no value. Members that ECR fills in are always there."""
    view: dict[str, Any] = {
        "prefix": template.prefix,
        "appliedFor": list(template.applied_for),
        "encryptionConfiguration": views.encryption(template.encryption_type, template.kms_key),
        "imageTagMutability": template.tag_mutability,
        "createdAt": seconds(template.created_at),
        "updatedAt": seconds(template.updated_at),
    }
    texts = {member: getattr(template, field) for member, field in _FIELDS.items()}
    view |= {member: text for member, text in texts.items() if text is not None}
    if template.exclusion_filters:
        view["imageTagMutabilityExclusionFilters"] = views.exclusion_filters(template.exclusion_filters)
    if template.resource_tags:
        view["resourceTags"] = views.tags(template.resource_tags)
    return view  # type: ignore[return-value]  # members of RepositoryCreationTemplate, by the names of its fields


OPERATIONS: Final[Mapping[str, Handler]] = {
    "CreateRepositoryCreationTemplate": create_repository_creation_template,
    "DescribeRepositoryCreationTemplates": describe_repository_creation_templates,
    "UpdateRepositoryCreationTemplate": update_repository_creation_template,
    "DeleteRepositoryCreationTemplate": delete_repository_creation_template,
}
