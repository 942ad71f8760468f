"""Secrets Manager as a service of the API endpoint: the permissions of its calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from moorage.api.call import ApiCall, HandlerOf
from moorage.api.service import AwsService, Members, advice_by_name
from moorage.aws.service_model import MODELS, Operation
from moorage.core.secrets import lookups
from moorage.domain.identity.further_actions import FURTHER, TARGETS, FurtherTarget
from moorage.domain.names import Registry
from moorage.domain.secrets.names import arn_of, parse_arn

_NAME = "secretsmanager"
_ANY_SUFFIX = "??????"
"""Stands for the random characters of an ARN in access requests for a name. Policies have these wildcards, too."""

_ADVICE: Final = {
    "Rotat": "Secrets are not rotated: `moorage secret put` stores a new value.",
    "Replica": "A secret is in one Region: `moorage secret put --region REGION` stores it in another one.",
    "ResourcePolic": "Secrets have no policies: `moorage user put-policy` and `moorage role put-policy` allow or deny "
    "`secretsmanager:` actions.",
    "BatchGet": "Call GetSecretValue for each secret.",
}
"""By a part of an operation's name: what to do instead."""

_ANY_ADVICE: Final = "The commands for secrets are `moorage secret put`, `list`, `delete` and `restore`."


def service(handlers: Mapping[str, HandlerOf[ApiCall]]) -> AwsService[ApiCall]:
    """The service with these operations."""
    return AwsService(
        model=MODELS[_NAME],
        handlers=handlers,
        call=ApiCall,
        authorize=_authorize,
        tags_of=_tags,
        tag_keys_of=_tag_keys,
        fault_code="InternalServiceError",
        advice=advice_by_name(_ADVICE, _ANY_ADVICE),
    )


async def _authorize(call: ApiCall, operation: Operation, members: dict[str, Any]) -> None:
    """Raises AccessDenied. A caller without permission does not learn which secrets exist.

    So the reason is always the one for a secret without tags, and the resource has no random characters unless the
    caller knows them.
    """
    action = f"{_NAME}:{operation.name}"
    if TARGETS[_NAME][operation.name] is FurtherTarget.ANY:
        await call.authorize(call.access_to(action))
        return
    further = FURTHER.get(action, {})
    secret_id = members["Name"] if operation.name == "CreateSecret" else members["SecretId"]
    for needed in (action, *(further[member] for member in further if members.get(member))):
        await _authorize_on(call, needed, secret_id)


async def _authorize_on(call: ApiCall, action: str, secret_id: str) -> None:
    arn = parse_arn(secret_id)
    owner: Registry = call.registry if arn is None else arn.registry
    claimed = call.access_to(action, secret_id if arn else arn_of(owner, secret_id, _ANY_SUFFIX), owner=owner)
    found = await call.read(lambda tx: lookups.find(tx, call.registry, secret_id, call.services.now()))
    existing = None if found is None else call.access_to(action, found.arn, found.tags)
    await call.authorize_without_revealing(claimed, existing)


def _tags(members: Members) -> Mapping[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in members.get("Tags", ()) if "Key" in tag}


def _tag_keys(members: Members) -> Iterable[str]:
    keys: Iterable[str] = members.get("TagKeys", ())
    return keys
