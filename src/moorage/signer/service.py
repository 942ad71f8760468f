"""AWS Signer as a service of the API endpoint: the permissions of its calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from moorage.api.call import ApiCall, HandlerOf
from moorage.api.service import AwsService, Members, advice_by_name
from moorage.aws.service_model import MODELS, Operation
from moorage.core.identity.authorization import AccessRequest
from moorage.core.signing import profiles
from moorage.domain.identity.further_actions import TARGETS, FurtherTarget
from moorage.domain.names import Registry
from moorage.domain.signing.errors import ProfileNotFound, SigningError
from moorage.domain.signing.profiles import PLATFORM, ProfileName, job_arn
from moorage.metadata.database import Transaction
from moorage.metadata.signing.profiles import ProfileVersion
from moorage.signer.refusals import BadRequest

_NAME: Final = "signer"
_FOR_OTHER_ACCOUNTS: Final = frozenset({"signer:GetSigningProfile", "signer:SignPayload"})
"""What other accounts may do if the owner of a profile shares it. The handlers check that."""

_ADVICE: Final = {
    "Permission": "To share a profile with other accounts, run `moorage signing-profile share`.",
    "SigningJob": "Moorage signs at once and keeps no jobs: a signing configuration signs pushed images "
    "(`moorage ecr put-signing-configuration`), and SignPayload signs anything else.",
}
"""By a part of an operation's name: what to do instead."""

_ANY_ADVICE: Final = f"The only platform is {PLATFORM}. To create a profile, run `moorage signing-profile create`."


def service(handlers: Mapping[str, HandlerOf[ApiCall]]) -> AwsService[ApiCall]:
    """The service with these operations."""
    return AwsService(
        model=MODELS[_NAME],
        handlers=handlers,
        call=ApiCall,
        authorize=_authorize,
        tags_of=_tags,
        tag_keys_of=_tag_keys,
        fault_code="InternalServiceErrorException",
        advice=advice_by_name(_ADVICE, _ANY_ADVICE),
    )


async def _authorize(call: ApiCall, operation: Operation, members: dict[str, Any]) -> None:
    """Raises AccessDenied, and BadRequest for an ARN that is not one of a profile."""
    action = f"{_NAME}:{operation.name}"
    match TARGETS[_NAME][operation.name]:
        case FurtherTarget.ANY:
            await call.authorize(call.access_to(action))
        case FurtherTarget.JOB:
            owner = Registry(members.get("jobOwner") or call.registry.account, call.registry.region)
            await call.authorize(call.access_to(action, job_arn(owner, members["jobId"]), owner=owner))
        case _ if operation.name == "GetRevocationStatus":
            arns = (members["jobArn"], members["profileVersionArn"])
            await call.authorize(*(call.access_to(action, arn) for arn in arns))
        case _:
            await _authorize_on_profile(call, action, members)


async def _authorize_on_profile(call: ApiCall, action: str, members: Members) -> None:
    name = profile_of(call, members)
    owner = call.registry if action in _FOR_OTHER_ACCOUNTS else name.registry
    version = await call.read(lambda tx: _find(tx, name))
    claimed = call.access_to(action, name.arn, owner=owner)
    existing = None
    if version is not None:
        existing = _with_version(call, call.access_to(action, name.arn, version.tags, owner), version)
    await call.authorize_without_revealing(claimed, existing)


def profile_of(call: ApiCall, members: Members) -> ProfileName:
    """The profile that a request names. Raises BadRequest."""
    if "resourceArn" in members:
        return _profile_of_arn(call, members["resourceArn"])
    owner = Registry(members.get("profileOwner") or call.registry.account, call.registry.region)
    return ProfileName(owner, members["profileName"])


def _profile_of_arn(call: ApiCall, arn: str) -> ProfileName:
    try:
        name = ProfileName.of_arn(arn)
    except SigningError as error:
        raise BadRequest(reason=str(error)) from None
    if name.registry.region != call.registry.region:
        raise BadRequest(reason=f"{name.arn} is not in {call.registry.region}, the Region of the request")
    return name


def _find(tx: Transaction, name: ProfileName) -> ProfileVersion | None:
    try:
        return profiles.get(tx, name)
    except ProfileNotFound:
        return None


def _with_version(call: ApiCall, access_request: AccessRequest, version: ProfileVersion) -> AccessRequest:
    """The request with the condition key `signer:ProfileVersion`."""
    request_context = replace(call.request_context, extra={"signer:profileversion": (version.version,)})
    return access_request._replace(request_context=lambda: request_context)


def _tags(members: Members) -> Mapping[str, str]:
    tags: Mapping[str, str] = members.get("tags", {})
    return tags


def _tag_keys(members: Members) -> Iterable[str]:
    keys: Iterable[str] = members.get("tagKeys", ())
    return keys
