"""KMS as a service of the API endpoint: the permissions of its calls, and what replaces the operations it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from moorage.api.call import ApiCall, HandlerOf
from moorage.api.service import AwsService, advice_by_name
from moorage.aws.service_model import MODELS, Operation
from moorage.domain.identity.further_actions import TARGETS, FurtherTarget
from moorage.domain.registry.encryption import UnknownKey, claimed_arn

_NAME: Final = "kms"

_BY_IDENTITY: Final = "`moorage user put-policy` and `moorage role put-policy` allow or deny `kms:` actions."

_ADVICE: Final = {
    "Alias": "The aliases of keys are a setting of the server: `moorage serve --kms-key alias/NAME=ARN`.",
    "CreateKey": "The keys are a setting of the server: `moorage serve --kms-key ARN`.",
    "ReplicateKey": "The keys are a setting of the server: `moorage serve --kms-key ARN`.",
    "Rotat": "Moorage does not use the keys of KMS. Its own master key is changed by `moorage master-key rotate`.",
    "Polic": f"Keys have no policies: {_BY_IDENTITY}",
    "Grant": f"Keys have no grants: {_BY_IDENTITY}",
    "Tag": "Keys have no tags: repositories have (`moorage ecr tag-resource`).",
}
"""By a part of an operation's name: the command that does the job, or why there is none."""

_ANY_ADVICE: Final = (
    "Moorage does not encrypt with the keys of KMS. They are names that repositories and secrets may use, "
    "and a setting of the server: `moorage serve --kms-key ARN`."
)


def service(handlers: Mapping[str, HandlerOf[ApiCall]]) -> AwsService[ApiCall]:
    """The service with these operations."""
    return AwsService(
        model=MODELS[_NAME],
        handlers=handlers,
        call=ApiCall,
        authorize=_authorize,
        fault_code="KMSInternalException",
        advice=advice_by_name(_ADVICE, _ANY_ADVICE),
    )


async def _authorize(call: ApiCall, operation: Operation, members: dict[str, Any]) -> None:
    """Raises AccessDenied. A caller without permission does not learn which keys and aliases exist.

    Every account may use the keys of the setting, so the owner of a key does not matter.
    """
    action = f"{_NAME}:{operation.name}"
    if TARGETS[_NAME][operation.name] is FurtherTarget.ANY:
        await call.authorize(call.access_to(action))
        return
    name = members["KeyId"]
    claimed = call.access_to(action, claimed_arn(call.registry, name))
    try:
        existing = call.access_to(action, call.services.limits.kms_keys.find(call.registry, name).arn)
    except UnknownKey:
        existing = None
    await call.authorize_without_revealing(claimed, existing)
