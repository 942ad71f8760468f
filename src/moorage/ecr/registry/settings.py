"""Operations on a registry: GetAuthorizationToken, account settings, and pull time update exclusions."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from moorage.api.call import seconds
from moorage.core.registry import account_settings as settings
from moorage.core.registry import pulls
from moorage.domain.names import Registry
from moorage.ecr.call import Call, Handler
from moorage.ecr.pages import cut, page_of
from moorage.metadata.registry import settings as rows

if TYPE_CHECKING:
    from moorage.ecr import shapes


async def get_authorization_token(
    call: Call, request: shapes.GetAuthorizationTokenRequest
) -> shapes.GetAuthorizationTokenResponse:
    """One entry, or one for each of the deprecated `registryIds`. Access is decided whenever the token is used."""
    accounts = request.get("registryIds") or [call.caller.account]
    return {"authorizationData": [_data(call, Registry(account, call.caller.region)) for account in accounts]}


def _data(call: Call, registry: Registry) -> shapes.AuthorizationData:
    token, expires = call.services.authenticator.issue_docker_token(call.credentials, registry)
    return {
        "authorizationToken": base64.b64encode(f"AWS:{token}".encode()).decode(),
        "expiresAt": seconds(expires),
        "proxyEndpoint": call.services.addresses.proxy_endpoint(registry),
    }


async def get_account_setting(call: Call, request: shapes.GetAccountSettingRequest) -> shapes.GetAccountSettingResponse:
    """A setting that was never put has its default value."""
    name = request["name"]
    return {"name": name, "value": await call.read(lambda tx: settings.account_setting(tx, call.registry, name))}


async def put_account_setting(call: Call, request: shapes.PutAccountSettingRequest) -> shapes.PutAccountSettingResponse:
    name, value = request["name"], request["value"]
    await call.write(lambda tx: settings.put_account_setting(tx, call.registry, name, value))
    return {"name": name, "value": value}


async def register_pull_time_update_exclusion(
    call: Call, request: shapes.RegisterPullTimeUpdateExclusionRequest
) -> shapes.RegisterPullTimeUpdateExclusionResponse:
    principal, now = request["principalArn"], call.services.now()
    await call.write(lambda tx: pulls.exclude(tx, call.registry, principal, call.services.limits, now))
    return {"principalArn": principal, "createdAt": seconds(now)}


async def deregister_pull_time_update_exclusion(
    call: Call, request: shapes.DeregisterPullTimeUpdateExclusionRequest
) -> shapes.DeregisterPullTimeUpdateExclusionResponse:
    principal = request["principalArn"]
    await call.write(lambda tx: pulls.include(tx, call.registry, principal))
    return {"principalArn": principal}


async def list_pull_time_update_exclusions(
    call: Call, request: shapes.ListPullTimeUpdateExclusionsRequest
) -> shapes.ListPullTimeUpdateExclusionsResponse:
    page = page_of(call, request, "ListPullTimeUpdateExclusions", ("",))
    found = await call.read(lambda tx: rows.pull_time_exclusions(tx, call.registry, *page.after, page.fetch))
    on_page, next_token = cut(page, found, lambda principal: (principal,))
    return {"pullTimeUpdateExclusions": on_page, **next_token}


OPERATIONS: Final[Mapping[str, Handler]] = {
    "GetAuthorizationToken": get_authorization_token,
    "GetAccountSetting": get_account_setting,
    "PutAccountSetting": put_account_setting,
    "RegisterPullTimeUpdateExclusion": register_pull_time_update_exclusion,
    "DeregisterPullTimeUpdateExclusion": deregister_pull_time_update_exclusion,
    "ListPullTimeUpdateExclusions": list_pull_time_update_exclusions,
}
