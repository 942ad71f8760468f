"""IAM as a service of the API endpoint: the permissions of its calls, and what replaces the operations it lacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from moorage.api.call import ApiCall, HandlerOf
from moorage.api.service import AwsService, Members, advice_by_name
from moorage.aws.service_model import MODELS, Operation
from moorage.core.identity.authorization import AccessRequest
from moorage.domain.identity.further_actions import FURTHER
from moorage.domain.names import Registry
from moorage.iam.refusals import translated
from moorage.iam.targets import Target, owner_of, renamed, target_of

_NAME: Final = "iam"

_ADVICE: Final = {
    "Group": "Moorage has no groups: attach policies to users and roles (`moorage user attach`).",
    "LoginProfile": "Users have no passwords: create an access key (`moorage key create`).",
    "Password": "Users have no passwords: rotate access keys (`moorage key rotate`).",
    "AccountAlias": "Accounts have no aliases: see `moorage account list`.",
    "InstanceProfile": "Moorage has no instances: let them assume a role (`moorage role create`).",
    "SAML": "Moorage accepts tokens of OpenID Connect only (`moorage oidc put`).",
    "PermissionsBoundary": "Moorage has no permissions boundaries: deny actions in a policy (`moorage policy create`).",
    "MFADevice": "Moorage has no devices for several factors.",
    "ServerCertificate": "The server has its own certificate (`moorage tls`).",
    "ServiceLastAccessed": "To see when keys were last used, run `moorage key list`.",
    "ContextKeys": "To see how a request is decided, run `moorage explain`.",
    "AccountAuthorizationDetails": "To see users, roles and policies, run `moorage user list`, `moorage role list` and "
    "`moorage policy list`.",
    "CredentialReport": "To see the access keys of a user, run `moorage key list`.",
}
"""By a part of an operation's name: the command that does the job, or why there is none."""

_ANY_ADVICE: Final = (
    "The commands for identities are `moorage user`, `moorage key`, `moorage role`, `moorage policy`, `moorage oidc` "
    "and `moorage account`."
)


def service(handlers: Mapping[str, HandlerOf[ApiCall]]) -> AwsService[ApiCall]:
    """The service with these operations."""
    return AwsService(
        model=MODELS[_NAME],
        handlers=handlers,
        call=ApiCall,
        authorize=translated(_authorize),
        tags_of=_tags,
        tag_keys_of=_tag_keys,
        fault_code="ServiceFailure",
        advice=advice_by_name(_ADVICE, _ANY_ADVICE),
    )


async def _authorize(call: ApiCall, operation: Operation, members: dict[str, Any]) -> None:
    """Raises AccessDenied. A caller without permission does not learn which users, roles and policies exist."""
    action = f"{_NAME}:{operation.name}"
    target = await call.read(lambda tx: target_of(tx, call, operation, members))
    further = FURTHER.get(action, {})
    for needed in (action, *(further[member] for member in further if members.get(member))):
        await _authorize_on(call, needed, target, members)
    new_arn = renamed(call, target, members)
    if new_arn is not None:  # "you must have appropriate permissions on both the source and the target object"
        await call.authorize(call.access_to(action, new_arn))


async def _authorize_on(call: ApiCall, action: str, target: Target, members: Members) -> None:
    owner = Registry(owner_of(call, target), call.registry.region)
    claimed = _with_policy(call, call.access_to(action, target.claimed, owner=owner), members)
    existing = None
    if target.tags is not None:
        existing = _with_policy(call, call.access_to(action, target.arn, target.tags, owner), members)
    await call.authorize_without_revealing(claimed, existing)


def _with_policy(call: ApiCall, access_request: AccessRequest, members: Members) -> AccessRequest:
    """The request with the condition key `iam:PolicyARN`, if it attaches or detaches a policy."""
    if "PolicyArn" not in members or access_request.arn == members["PolicyArn"]:
        return access_request
    request_context = replace(call.request_context, extra={"iam:policyarn": (members["PolicyArn"],)})
    return access_request._replace(request_context=lambda: request_context)


def _tags(members: Members) -> Mapping[str, str]:
    return {tag["Key"]: tag["Value"] for tag in members.get("Tags", ())}


def _tag_keys(members: Members) -> Iterable[str]:
    keys: Iterable[str] = members.get("TagKeys", ())
    return keys
