"""The errors of changes of identities with the names of IAM."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, ParamSpec, TypeVar

from moorage.api.call import ApiCall, HandlerOf
from moorage.domain.errors import Refusal
from moorage.domain.identity.errors import AccountError

P = ParamSpec("P")
T = TypeVar("T")


class IamRefusal(Refusal):
    """A refusal that only IAM returns."""

    template = "{reason}"


class InvalidInput(IamRefusal):
    pass


class NoSuchEntity(IamRefusal):
    pass


class EntityAlreadyExists(IamRefusal):
    pass


class DeleteConflict(IamRefusal):
    pass


class LimitReached(IamRefusal):
    @classmethod
    def code(cls) -> str:
        return "LimitExceededException"


class MalformedPolicyDocument(IamRefusal):
    pass


_KINDS: Final[Mapping[str, type[IamRefusal]]] = {
    kind.code(): kind
    for kind in (InvalidInput, NoSuchEntity, EntityAlreadyExists, DeleteConflict, LimitReached, MalformedPolicyDocument)
}


def translated(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """A function whose AccountError becomes a refusal."""

    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await function(*args, **kwargs)
        except AccountError as error:
            raise _KINDS[f"{error.code}Exception"](reason=error.message) from None

    run.__module__ = function.__module__
    return run


def all_translated(operations: Mapping[str, HandlerOf[ApiCall]]) -> Mapping[str, HandlerOf[ApiCall]]:
    """Handlers whose AccountError becomes a refusal."""
    return {name: translated(handler) for name, handler in operations.items()}
