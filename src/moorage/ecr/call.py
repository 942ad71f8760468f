"""One call of an operation of ECR: its caller, its registry, and the services that handlers use."""

from __future__ import annotations

from functools import partial

from moorage.api.call import ApiCall, HandlerOf
from moorage.core.identity.authorization import AccessRequest
from moorage.core.pull_through.cache import Puller
from moorage.core.registry.open_uploads import UploadScope


class Call(ApiCall):
    """`registry` is the caller's own, unless the request names another account in `registryId` or an ARN."""

    __slots__ = ()

    def access_request(self, action: str, repository: str | None = None) -> AccessRequest:
        """The access request of this caller for another action or repository."""
        return AccessRequest(self.caller, action, self.registry, repository, lambda: self.request_context)

    def puller(self, repository: str) -> Puller:
        """The caller, for a pull through the cache of an upstream registry."""
        access = partial(self.access_request, repository=repository)
        return Puller(self.registry, repository, self.caller, access, self.caller.user_id, self.request)

    def scope(self, repository: str) -> UploadScope:
        """The scope of this caller's uploads to a repository."""
        return UploadScope(self.registry, repository, self.caller.user_id)


Handler = HandlerOf[Call]
