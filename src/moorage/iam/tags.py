"""The operations on the tags of users, roles, policies and identity providers, each of them once for all kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from moorage.api.call import ApiCall, HandlerOf
from moorage.core.identity import policies
from moorage.core.identity.entities import tags
from moorage.core.identity.entities.tags import Tagged
from moorage.iam.entities import KINDS, listed, short_list, tag_list, tags_of
from moorage.iam.policies import policy_of
from moorage.iam.providers import provider_of
from moorage.iam.refusals import all_translated
from moorage.metadata.database import Transaction
from moorage.metadata.identity.policies import ManagedPolicy

Request = Mapping[str, Any]


class TaggedKind(NamedTuple):
    """A kind of things with tags: the word in names of operations, and how to find the one that a request names."""

    word: str
    of: Callable[[Transaction, ApiCall, Request], Tagged]


def _operations(kind: TaggedKind) -> dict[str, HandlerOf[ApiCall]]:
    async def tag(call: ApiCall, request: Request) -> Mapping[str, Any]:
        added = tags_of(request)
        await call.write(lambda tx: tags.add(tx, _own(kind.of(tx, call, request)), added))
        return {}

    async def untag(call: ApiCall, request: Request) -> Mapping[str, Any]:
        keys = request["TagKeys"]
        await call.write(lambda tx: tags.remove(tx, _own(kind.of(tx, call, request)), keys))
        return {}

    async def list_tags(call: ApiCall, request: Request) -> Mapping[str, Any]:
        tagged = await call.read(lambda tx: kind.of(tx, call, request))
        page, found = short_list(call, "Tags", request, tag_list(tagged.tags), lambda each: each["Key"])
        return listed("Tags", page, found, lambda each: (each["Key"],), dict)

    return {f"Tag{kind.word}": tag, f"Untag{kind.word}": untag, f"List{kind.word}Tags": list_tags}


def _own(tagged: Tagged) -> Tagged:
    """Raises AccountError for a policy that AWS manages."""
    return policies.own(tagged) if isinstance(tagged, ManagedPolicy) else tagged


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = all_translated(
    {
        name: handler
        for kind in (
            *(TaggedKind(each.word, each.of) for each in KINDS),
            TaggedKind("Policy", policy_of),
            TaggedKind("OpenIDConnectProvider", provider_of),
        )
        for name, handler in _operations(kind).items()
    }
)
