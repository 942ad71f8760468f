"""The operations on the account as a whole, and lists of what Moorage does not have: they are empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import ApiCall, HandlerOf
from moorage.core.identity.accounts import KEY_LIMIT, get_iam_user
from moorage.core.identity.policies import ATTACHED_LIMIT, VERSION_LIMIT
from moorage.core.identity.roles import get_role
from moorage.domain.identity.errors import NoSuchEntity
from moorage.domain.identity.policies.document import GRAMMARS, PolicyKind
from moorage.iam.refusals import all_translated
from moorage.metadata.database import Transaction
from moorage.metadata.identity import entities as rows

if TYPE_CHECKING:
    from moorage.iam import shapes

_QUOTAS: Final = {
    "AccessKeysPerUserQuota": KEY_LIMIT,
    "AttachedPoliciesPerRoleQuota": ATTACHED_LIMIT,
    "AttachedPoliciesPerUserQuota": ATTACHED_LIMIT,
    "PolicySizeQuota": GRAMMARS[PolicyKind.IDENTITY].length,
    "AssumeRolePolicySizeQuota": GRAMMARS[PolicyKind.TRUST].length,
    "VersionsPerPolicyQuota": VERSION_LIMIT,
}
_NONE: Final = {"Groups": 0, "InstanceProfiles": 0, "MFADevices": 0, "ServerCertificates": 0}


async def get_account_summary(call: ApiCall, _request: shapes.GetAccountSummaryRequest) -> Mapping[str, Any]:
    counts = await call.read(lambda tx: rows.count(tx, call.registry.account))
    summary = {
        "Users": counts.users,
        "Roles": counts.roles,
        "Policies": counts.policies,
        "Providers": counts.providers,
        "AccountAccessKeysPresent": counts.root_keys,
    }
    return {"SummaryMap": {**summary, **_QUOTAS, **_NONE}}


async def no_login_profile(call: ApiCall, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Raises NoSuchEntity, also for a user that exists: no user has a password."""
    name = request.get("UserName", call.caller.user_name)
    raise NoSuchEntity(f"user {name!r} has no password", f"Login Profile for User {name} cannot be found.")


def _empty(member: str, of: str = "") -> HandlerOf[ApiCall]:
    """A list without elements, of a user (`UserName`) or role (`RoleName`) that exists, or of the account."""

    async def empty_list(call: ApiCall, request: Mapping[str, Any]) -> Mapping[str, Any]:
        def work(tx: Transaction) -> None:
            if of in request:
                (get_iam_user if of == "UserName" else get_role)(tx, call.registry.account, request[of])

        await call.read(work)
        return {member: [], "IsTruncated": False}

    return empty_list


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = all_translated(
    {
        "GetAccountSummary": get_account_summary,
        "GetLoginProfile": no_login_profile,
        "DeleteLoginProfile": no_login_profile,
        "ListAccountAliases": _empty("AccountAliases"),
        "ListGroupsForUser": _empty("Groups", "UserName"),
        "ListInstanceProfilesForRole": _empty("InstanceProfiles", "RoleName"),
        "ListMFADevices": _empty("MFADevices", "UserName"),
        "ListSSHPublicKeys": _empty("SSHPublicKeys", "UserName"),
        "ListServiceSpecificCredentials": _empty("ServiceSpecificCredentials", "UserName"),
        "ListSigningCertificates": _empty("Certificates", "UserName"),
        "ListVirtualMFADevices": _empty("VirtualMFADevices"),
    }
)
