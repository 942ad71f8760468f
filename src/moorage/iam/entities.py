"""The users and roles that requests name, and the parts that requests and responses about them share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import quote

from moorage.api.call import ApiCall
from moorage.api.pages import DEFAULT_PAGE, page_of
from moorage.core.identity import accounts, roles
from moorage.core.pages import Page
from moorage.domain.errors import Validation
from moorage.domain.identity.errors import AccountError
from moorage.metadata.database import Transaction
from moorage.metadata.identity.accounts import User
from moorage.metadata.identity.roles import Role

R = TypeVar("R")

_NAMING: Final = ("UserName", "RoleName", "PolicyArn", "OpenIDConnectProviderArn", "PathPrefix")
"""The members that say which list a request is about."""

_NO_USER: Final = "Must specify userName when calling with non-User credentials"


class EntityKind(NamedTuple):
    """Users or roles: the word in names of operations, the member that names one, and how to find it."""

    word: str
    member: str
    get: Callable[[Transaction, str, str], User | Role]

    def of(self, tx: Transaction, call: ApiCall, request: Mapping[str, Any]) -> User | Role:
        """The user or role that a request names. Raises AccountError."""
        return self.get(tx, call.registry.account, request[self.member])


KINDS: Final = (
    EntityKind("User", "UserName", accounts.get_iam_user),
    EntityKind("Role", "RoleName", roles.get_role),
)


def user_of(tx: Transaction, call: ApiCall, request: Mapping[str, Any]) -> User:
    """The user that a request names; without a name, the caller. Raises AccountError, Validation."""
    name = request.get("UserName")
    if name is None:
        return accounts.get_user(tx, call.registry.account, own_name(call))
    return accounts.get_iam_user(tx, call.registry.account, name)


def own_name(call: ApiCall) -> str:
    """The name of the caller. Raises Validation for a session of a role."""
    if call.caller.role is not None:
        raise Validation(reason=_NO_USER)
    return call.caller.user_name


def encoded(document: str) -> str:
    """A policy document as IAM returns it: URL-encoded as in RFC 3986."""
    return quote(document, safe="")


def tags_of(request: Mapping[str, Any]) -> dict[str, str]:
    """The tags that a request sets. Raises AccountError for a key that occurs twice."""
    listed = request.get("Tags", ())
    tags = {tag["Key"]: tag["Value"] for tag in listed}
    if len(tags) != len(listed):
        text = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        raise AccountError("two tags have the same key", text)
    return tags


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as in responses."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def page_for(
    call: ApiCall, list_name: str, request: Mapping[str, Any], start: tuple[str, ...] = ("",)
) -> Page[tuple[str, ...]]:
    """The page that a request asks for, of the list with this name. Raises Validation."""
    limit = request.get("MaxItems", DEFAULT_PAGE)
    return page_of(call, f"iam:{list_name}", request.get("Marker"), start, limit, Validation(reason="Invalid Marker."))


def listed(
    member: str,
    page: Page[tuple[str, ...]],
    rows: Sequence[R],
    position: Callable[[R], tuple[str, ...]],
    view: Callable[[R], Any],
) -> dict[str, Any]:
    """The response with a page of a list. `rows` are those after the beginning of the page, one more than it has."""
    on_page, marker = page.cut(list(rows), position)
    return {member: [view(row) for row in on_page], "IsTruncated": marker is not None, "Marker": marker}


def short_list(
    call: ApiCall, member: str, request: Mapping[str, Any], rows: Iterable[R], key: Callable[[R], str]
) -> tuple[Page[tuple[str, ...]], list[R]]:
    """The page of a list that is read as a whole, sorted by a key, and its rows for `listed`."""
    scope = ":".join(request[name] for name in _NAMING if name in request)
    page = page_for(call, f"{member}:{scope}", request)
    return page, [row for row in sorted(rows, key=key) if key(row) > page.after[0]][: page.fetch]


def refuse(request: Mapping[str, Any], *members: str) -> None:
    """Raises AccountError for members that Moorage does not support, so that none is ignored."""
    for member in members:
        if request.get(member):
            raise AccountError(f"Moorage does not support {member}")
