"""GetAuthorizationToken."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

from moorage.domain.names import Registry
from moorage.ecr import shapes
from moorage.ecr.call import Call, Handler, seconds


async def get_authorization_token(
    call: Call, request: shapes.GetAuthorizationTokenRequest
) -> shapes.GetAuthorizationTokenResponse:
    """One entry, or one for each of the deprecated `registryIds`; what the caller may do there is asked at each use."""
    accounts = request.get("registryIds") or [call.caller.account]
    return {"authorizationData": [_data(call, Registry(account, call.caller.region)) for account in accounts]}


def _data(call: Call, registry: Registry) -> shapes.AuthorizationData:
    token, expires = call.services.access.issue_docker_token(call.caller, registry, call.credentials.expires)
    return {
        "authorizationToken": base64.b64encode(f"AWS:{token}".encode()).decode(),
        "expiresAt": seconds(expires),
        "proxyEndpoint": call.services.addresses.proxy_endpoint(registry),
    }


OPERATIONS: Final[Mapping[str, Handler]] = {"GetAuthorizationToken": get_authorization_token}
