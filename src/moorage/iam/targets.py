"""What a request is about: the ARN that its permission is for, and the tags of what exists there."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from moorage.api.call import ApiCall
from moorage.aws.service_model import Operation
from moorage.core.identity import policies, roles
from moorage.core.identity.entities import providers
from moorage.domain.identity.callers import ROOT
from moorage.domain.identity.errors import AccountError, NoSuchEntity
from moorage.domain.identity.further_actions import TARGETS, FurtherTarget, parse_arn
from moorage.iam.entities import own_name, user_of
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts as rows
from moorage.metadata.identity.accounts import User
from moorage.metadata.identity.policies import AWS

Members = Mapping[str, Any]

_ARN: Final = "arn:aws:iam::"


class Target(NamedTuple):
    """The ARN that a request claims, and the ARN and tags of what exists; `tags` is None if nothing does."""

    claimed: str
    arn: str = ""
    tags: Mapping[str, str] | None = None


def target_of(tx: Transaction, call: ApiCall, operation: Operation, members: Members) -> Target:
    """What a request is about. Raises AccountError for a text that is not an ARN, and Validation."""
    match TARGETS["iam"][operation.name]:
        case FurtherTarget.USER:
            return _user(tx, call, operation, members)
        case FurtherTarget.ROLE:
            return _role(tx, call, operation, members)
        case FurtherTarget.POLICY:
            return _policy(tx, call, members)
        case FurtherTarget.PROVIDER:
            return _provider(tx, call, members)
        case FurtherTarget.PRINCIPAL:
            return Target(_checked(members["PolicySourceArn"]))
        case FurtherTarget.USERS:
            return Target(_of_account(call, "user", members.get("PathPrefix", "/"), ""))
        case FurtherTarget.ROLES:
            return Target(_of_account(call, "role", members.get("PathPrefix", "/"), ""))
        case _:
            return Target("")


def owner_of(call: ApiCall, target: Target) -> str:
    """The account of a target. Policies that AWS manages belong to every account."""
    parts = parse_arn(target.claimed)
    return call.registry.account if parts is None else parts[2]


def renamed(call: ApiCall, target: Target, members: Members) -> str | None:
    """The ARN that UpdateUser gives a user; None if it stays the same."""
    if target.tags is None or not {"NewUserName", "NewPath"} & members.keys():
        return None
    path, _, name = target.arn.partition(":user")[2].rpartition("/")
    return _of_account(call, "user", members.get("NewPath", f"{path}/"), members.get("NewUserName", name))


def issuer_in(arn: str) -> str:
    """The issuer of the provider with this ARN. Raises AccountError."""
    _, separator, name = _checked(arn).partition(":oidc-provider/")
    if not separator:
        raise AccountError(f"{arn[:200]!r} is not the ARN of an identity provider", f"ARN {arn} is not valid.")
    return providers.issuer_of(name)


def user_of_key(tx: Transaction, call: ApiCall, key: str) -> User:
    """The user of an access key of the caller's account. Raises NoSuchEntity.

    The keys of the root user are known to the root user only.
    """
    found = rows.find_key(tx, key)
    if found is None or found.user.account != call.registry.account or not _is_visible(found.user, call):
        raise NoSuchEntity(f"there is no access key {key!r}", f"The Access Key with id {key} cannot be found.")
    return found.user


def _is_visible(user: User, call: ApiCall) -> bool:
    return user.name != ROOT or call.caller.is_root


def _user(tx: Transaction, call: ApiCall, operation: Operation, members: Members) -> Target:
    if operation.name == "CreateUser":
        return Target(_of_account(call, "user", members.get("Path", "/"), members["UserName"]))
    with suppress(NoSuchEntity):
        is_by_key = operation.name == "GetAccessKeyLastUsed"
        user = user_of_key(tx, call, members["AccessKeyId"]) if is_by_key else user_of(tx, call, members)
        claimed = "" if is_by_key else _of_account(call, "user", "/", user.name)
        return Target(user.arn if user.id == call.caller.user_id else claimed, user.arn, user.tags)
    if operation.name == "GetAccessKeyLastUsed":
        return Target("")
    return Target(_of_account(call, "user", "/", members.get("UserName") or own_name(call)))


def _role(tx: Transaction, call: ApiCall, operation: Operation, members: Members) -> Target:
    name = members["RoleName"]
    if operation.name == "CreateRole":
        return Target(_of_account(call, "role", members.get("Path", "/"), name))
    claimed = _of_account(call, "role", "/", name)
    with suppress(NoSuchEntity):
        role = roles.get_role(tx, call.registry.account, name)
        return Target(claimed, role.arn, role.tags)
    return Target(claimed)


def _policy(tx: Transaction, call: ApiCall, members: Members) -> Target:
    if "PolicyArn" not in members:
        return Target(_of_account(call, "policy", members.get("Path", "/"), members["PolicyName"]))
    arn = members["PolicyArn"]
    with suppress(NoSuchEntity):
        policy = policies.get_managed(tx, call.registry.account, arn)
        return Target(arn, arn, policy.tags)
    return Target(arn)


def _provider(tx: Transaction, call: ApiCall, members: Members) -> Target:
    if "OpenIDConnectProviderArn" not in members:
        return Target(_of_account(call, "oidc-provider", "/", members["Url"].removeprefix("https://")))
    arn = members["OpenIDConnectProviderArn"]
    issuer = issuer_in(arn)
    with suppress(NoSuchEntity):
        return Target(arn, arn, providers.get_provider(tx, call.registry.account, issuer).tags)
    return Target(arn)


def _of_account(call: ApiCall, kind: str, path: str, name: str) -> str:
    return f"{_ARN}{call.registry.account}:{kind}{path}{name}"


def _checked(arn: str) -> str:
    """Raises AccountError for a text that is not an ARN of IAM."""
    parts = parse_arn(arn)
    if not arn.startswith(f"{_ARN}{AWS}:") and (parts is None or parts[0] != "iam"):
        raise AccountError(f"{arn[:200]!r} is not an ARN of IAM", f"ARN {arn} is not valid.")
    return arn
