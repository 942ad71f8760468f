"""The refusals of signing with the names of AWS Signer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from moorage.api.call import ApiCall, HandlerOf
from moorage.domain.errors import Refusal, Validation
from moorage.domain.signing.errors import SigningError


class ResourceNotFound(Refusal):
    template = "{reason}"


class NotFound(Refusal):
    """What operations on tags return instead of ResourceNotFound."""

    template = "{reason}"


class BadRequest(Refusal):
    """What operations on tags return instead of Validation."""

    template = "{reason}"


class SignerAccessDenied(Refusal):
    """The owner of a profile has not shared it."""

    template = "{reason}"

    @classmethod
    def code(cls) -> str:
        return "AccessDeniedException"


_KINDS: Final[Mapping[str, type[Refusal]]] = {
    kind.code(): kind for kind in (Validation, ResourceNotFound, SignerAccessDenied)
}
_OF_TAGS: Final[Mapping[type[Refusal], type[Refusal]]] = {ResourceNotFound: NotFound, Validation: BadRequest}


def translated(handler: HandlerOf[ApiCall], *, of_tags: bool = False) -> HandlerOf[ApiCall]:
    """A handler whose SigningError becomes a refusal."""

    async def handle(call: ApiCall, request: Any) -> Mapping[str, Any]:
        try:
            return await handler(call, request)
        except SigningError as error:
            kind = _KINDS[error.code]
            raise (_OF_TAGS.get(kind, kind) if of_tags else kind)(reason=str(error)) from None

    handle.__module__ = handler.__module__
    return handle
