"""Mirrors: pulls of clients that use this registry as a mirror of another one, and so leave out the prefix of a rule.

containerd sends the host of the image as the parameter `ns`, such as `docker.io`: the rule for that registry applies.
docker sends nothing (`registry-mirrors`): if the repository does not exist, the rule for a registry of the setting
`mirror` applies.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from moorage.core.services import Services
from moorage.domain.names import NAME_LIMIT
from moorage.domain.registry.errors import RepositoryNotFound
from moorage.http.messages import Request
from moorage.oci.access import AccessControl, RegistryRequest, registry_named_by

_PULLED: Final = frozenset({"manifests", "blobs", "referrers", "tags"})


class Mirrors:
    """Finds the repositories that such requests mean. Requests of other clients pay nothing."""

    def __init__(self, services: Services, access: AccessControl) -> None:
        self._access_control = access
        self._upstreams = services.upstreams
        self._hosts = services.upstreams.mirrored

    async def meant(self, request: RegistryRequest) -> RegistryRequest:
        """The request with the repository that one with `ns` means: another one if that is the image's registry.

        Raises RepositoryNotFound for an upstream registry without a rule, if the image would come from another one.
        Raises the errors of `AccessControl.authenticate`.
        """
        host = _namespace(request.http) if _is_pull(request) else ""
        if not host:
            return request
        call = await self._access_control.authenticate(request)
        name = await self._upstreams.mirrored_name(call.registry, host, request.name)
        if name is not None:
            return replace(request, name=name)
        is_of_another_rule = await self._upstreams.find(call.registry, request.name) is not None
        if is_of_another_rule and self._upstreams.is_another_registry(host):
            raise RepositoryNotFound(repository=request.name, registry=call.registry.account)
        return request

    async def instead(self, request: RegistryRequest) -> RegistryRequest | None:
        """The request for a mirrored repository, of one that was refused because its repository does not exist.

        None if a rule covers its name. A HEAD of a blob is left out, because pushes send it, too: they would not send
        the blob.
        """
        caller = request.details.caller
        is_push = (request.kind, request.http.method) == ("blobs", "HEAD")
        if caller is None or is_push or not _is_pull(request) or b"ns=" in request.http.query:
            return None
        registry = registry_named_by(request.http) or caller.registry
        if await self._upstreams.find(registry, request.name) is not None:
            return None
        for host in self._hosts:
            name = await self._upstreams.mirrored_name(registry, host, request.name)
            if name is not None and name != request.name:
                return replace(request, name=name)
        return None


def _is_pull(request: RegistryRequest) -> bool:
    is_read = request.http.method in ("GET", "HEAD")
    return is_read and request.kind in _PULLED and len(request.name) <= NAME_LIMIT


def _namespace(request: Request) -> str:
    try:
        return request.parameters().get("ns", "")
    except ValueError:  # Too many parameters: the handler rejects the request.
        return ""
