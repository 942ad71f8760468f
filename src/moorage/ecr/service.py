"""ECR as a service of the API endpoint: the permissions of its calls, their registries and the sizes of bodies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from moorage.api.service import AwsService, Members
from moorage.aws.service_model import ECR_API, MODELS, Operation
from moorage.core.events.audit import SERVER_FAULT
from moorage.core.identity.authorization import AccessRequest
from moorage.core.registry import templates
from moorage.domain.identity import actions
from moorage.domain.identity.actions import Permission, PermissionTarget
from moorage.domain.identity.callers import Caller
from moorage.domain.identity.policies.request import ResourceSet
from moorage.domain.names import Registry, parse_repository_arn
from moorage.ecr.call import Call, Handler

# A part of 20 MiB is 28 MiB of base64. In JSON, escapes can double a manifest of 4 MiB.
_BODY_LIMITS: Final = {"UploadLayerPart": (28 << 20) + 4096, "PutImage": (8 << 20) + 65536}


def service(handlers: Mapping[str, Handler]) -> AwsService[Call]:
    """The service with these operations; the service model has all of them."""
    return AwsService(
        model=MODELS[ECR_API],
        handlers=handlers,
        call=Call,
        authorize=_authorize,
        tags_of=_tags,
        tag_keys_of=_tag_keys,
        fault_code=SERVER_FAULT,
        registry_of=_registry,
        body_limits=_BODY_LIMITS,
        is_published=True,
    )


async def _authorize(call: Call, operation: Operation, members: dict[str, Any]) -> None:
    """Raises AccessDenied if the caller may not make this call."""
    await call.authorize(*_access_requests(call, operation, members))


def _access_requests(call: Call, operation: Operation, members: dict[str, Any]) -> list[AccessRequest]:
    """The access requests of a call, one for each permission and resource (`domain/identity/actions.py`)."""
    return [
        access_request
        for permission in actions.permissions_of(operation.name, members)
        for access_request in _on_targets(call, permission, members)
    ]


def _on_targets(call: Call, permission: Permission, members: dict[str, Any]) -> list[AccessRequest]:
    action = permission.action
    match permission.target:
        case PermissionTarget.REGISTRY:
            return [call.access_request(action)]
        case PermissionTarget.REPOSITORIES:
            names = members.get("repositoryNames") or [actions.EVERY_REPOSITORY]
            return [call.access_request(action, name) for name in names]
        case PermissionTarget.RESOURCE:
            return [call.access_request(action, parse_repository_arn(members["resourceArn"])[1])]
        case PermissionTarget.REPOSITORY:
            return [call.access_request(action, members["repositoryName"])]
        case PermissionTarget.PREFIX:
            names_below = call.registry.repository_arn(templates.names_below(members["prefix"]))
            return [call.access_request(action)._replace(arn=ResourceSet(names_below))]


def _registry(caller: Caller, members: dict[str, Any]) -> Registry:
    """The registry of a request: from an ARN or `registryId`, otherwise the caller's own."""
    if "resourceArn" in members:
        return parse_repository_arn(members["resourceArn"])[0]
    return Registry(members.get("registryId") or caller.account, caller.region)


def _tags(members: Members) -> Mapping[str, str]:
    return {tag["Key"]: tag["Value"] for tag in members.get("tags") or members.get("resourceTags") or ()}


def _tag_keys(members: Members) -> Iterable[str]:
    keys: Iterable[str] = members.get("tagKeys", ())
    return keys
