"""The permissions for the operations of services other than ECR: the action has the operation's name.

Service Authorization Reference, "Actions, resources, and condition keys for AWS Secrets Manager", for AWS Signer,
for AWS Identity and Access Management, and for AWS Key Management Service. `actions.py` has those of ECR, and
`operating_actions.py` says more of Moorage's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final

from moorage.domain.identity import actions, operating_actions


class FurtherTarget(Enum):
    """The resource that a permission is for. ANY: the action has no resources, so policies name `*`.

    USERS and ROLES are those whose path begins as a request says. PRINCIPAL is a user or a role.
    """

    SECRET = "secret"  # noqa: S105 - a type of resources
    KEY = "key"
    PROFILE = "signing-profile"
    JOB = "signing-job"
    USER = "user"
    ROLE = "role"
    POLICY = "policy"
    PROVIDER = "oidc-provider"
    PRINCIPAL = "principal"
    USERS = "users"
    ROLES = "roles"
    ANY = "*"


_BY_ID: Final = """
CreateSecret DeleteSecret DescribeSecret GetResourcePolicy GetSecretValue ListSecretVersionIds PutSecretValue
RestoreSecret TagResource UntagResource UpdateSecret UpdateSecretVersionStage
"""

_BY_PROFILE: Final = """
CancelSigningProfile GetRevocationStatus GetSigningProfile ListTagsForResource PutSigningProfile RevokeSigningProfile
SignPayload TagResource UntagResource
"""

_BY_USER: Final = """
AttachUserPolicy CreateAccessKey CreateUser DeleteAccessKey DeleteLoginProfile DeleteUser DeleteUserPolicy
DetachUserPolicy GetAccessKeyLastUsed GetLoginProfile GetUser GetUserPolicy ListAccessKeys ListAttachedUserPolicies
ListGroupsForUser ListMFADevices ListSSHPublicKeys ListServiceSpecificCredentials ListSigningCertificates
ListUserPolicies ListUserTags PutUserPolicy TagUser UntagUser UpdateAccessKey UpdateUser
"""

_BY_ROLE: Final = """
AttachRolePolicy CreateRole DeleteRole DeleteRolePolicy DetachRolePolicy GetRole GetRolePolicy ListAttachedRolePolicies
ListInstanceProfilesForRole ListRolePolicies ListRoleTags PutRolePolicy TagRole UntagRole UpdateAssumeRolePolicy
UpdateRole UpdateRoleDescription
"""

_BY_POLICY: Final = """
CreatePolicy CreatePolicyVersion DeletePolicy DeletePolicyVersion GetPolicy GetPolicyVersion ListEntitiesForPolicy
ListPolicyTags ListPolicyVersions SetDefaultPolicyVersion TagPolicy UntagPolicy
"""

_BY_PROVIDER: Final = """
AddClientIDToOpenIDConnectProvider CreateOpenIDConnectProvider DeleteOpenIDConnectProvider GetOpenIDConnectProvider
ListOpenIDConnectProviderTags RemoveClientIDFromOpenIDConnectProvider TagOpenIDConnectProvider
UntagOpenIDConnectProvider UpdateOpenIDConnectProviderThumbprint
"""

_OF_ACCOUNT: Final = """
GetAccountSummary ListAccountAliases ListOpenIDConnectProviders ListPolicies ListVirtualMFADevices SimulateCustomPolicy
"""

TARGETS: Final[Mapping[str, Mapping[str, FurtherTarget]]] = {
    "secretsmanager": {**dict.fromkeys(_BY_ID.split(), FurtherTarget.SECRET), "ListSecrets": FurtherTarget.ANY},
    "signer": {
        **dict.fromkeys(_BY_PROFILE.split(), FurtherTarget.PROFILE),
        "ListSigningProfiles": FurtherTarget.ANY,
        "RevokeSignature": FurtherTarget.JOB,
    },
    "iam": {
        **dict.fromkeys(_BY_USER.split(), FurtherTarget.USER),
        **dict.fromkeys(_BY_ROLE.split(), FurtherTarget.ROLE),
        **dict.fromkeys(_BY_POLICY.split(), FurtherTarget.POLICY),
        **dict.fromkeys(_BY_PROVIDER.split(), FurtherTarget.PROVIDER),
        **dict.fromkeys(_OF_ACCOUNT.split(), FurtherTarget.ANY),
        "ListRoles": FurtherTarget.ROLES,
        "ListUsers": FurtherTarget.USERS,
        "SimulatePrincipalPolicy": FurtherTarget.PRINCIPAL,
    },
    "kms": {"DescribeKey": FurtherTarget.KEY, "ListAliases": FurtherTarget.ANY, "ListKeys": FurtherTarget.ANY},
    operating_actions.SERVICE: dict.fromkeys(operating_actions.ACTIONS, FurtherTarget.ANY),
}
"""The resource of each operation's permission, by service."""

FURTHER: Final[Mapping[str, Mapping[str, str]]] = {
    "secretsmanager:CreateSecret": {"Tags": "secretsmanager:TagResource"},
    "iam:CreateOpenIDConnectProvider": {"Tags": "iam:TagOpenIDConnectProvider"},
    "iam:CreatePolicy": {"Tags": "iam:TagPolicy"},
    "iam:CreateRole": {"Tags": "iam:TagRole"},
    "iam:CreateUser": {"Tags": "iam:TagUser"},
}
"""The further actions on the same resource that an operation needs if a request has these members."""

ALL_ACTIONS: Final = actions.ACTIONS | {
    f"{service}:{operation}" for service, targets in TARGETS.items() for operation in targets
}
"""The actions that a request to this server can need, of all services."""

_ARN: Final = re.compile(r"arn:aws:([a-z-]{1,40}):([a-z0-9-]{2,25}|):(\d{12}):.{1,600}", re.ASCII)


def parse_arn(text: str) -> tuple[str, str, str] | None:
    """The service, Region and account of an ARN; None for other texts. ARNs of IAM have no Region."""
    found = _ARN.fullmatch(text)
    return None if found is None else (found[1], found[2], found[3])
