"""Access to the registry endpoint: authenticate the caller, find the registry, and authorize the request."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from moorage.bounds import bounded_cache
from moorage.core.identity.authorization import AccessRequest
from moorage.core.pull_through.cache import Puller
from moorage.core.registry.open_uploads import UploadScope
from moorage.core.services import Services
from moorage.domain.errors import AccessDenied, InvalidParameter
from moorage.domain.identity.actions import operation_of
from moorage.domain.identity.callers import Caller
from moorage.domain.identity.policies.request import RequestContext
from moorage.domain.names import NAME_LIMIT, Registry, RepositoryName, registry_of_host
from moorage.http.messages import CallDetails, Request, Response
from moorage.http.origins import requested_origin
from moorage.http.request_context import request_context_of
from moorage.oci.known_access import Granted, Key, KnownAccess, key_of

_WITHOUT_SPACE = frozenset({"GET", "HEAD", "DELETE"})
"""Methods of requests that read, or free space."""

_registry_of_host = bounded_cache(entries=1024, size=1 << 18)(registry_of_host)


@dataclass(slots=True)  # Freezing would take four times as long, for every request.
class RegistryRequest:
    """A request to the registry endpoint, before authentication.

    `kind` is the kind of resource (`oci/routes.py`), `name` the repository's name in the path, and `reference` the part
    after the last slash. `details` collects what the audit log, metrics and traces need.
    """

    http: Request
    details: CallDetails
    kind: str
    name: str
    reference: str


class RegistryCall:
    """An authenticated request. `repository` is the name in the path; empty for paths without one."""

    __slots__ = ("_time", "caller", "reference", "registry", "repository", "request")

    def __init__(self, request: RegistryRequest, caller: Caller, registry: Registry, time: int) -> None:
        self.request = request.http
        self.repository = request.name
        self.reference = request.reference
        self.caller = caller
        self.registry = registry
        self._time = time

    def request_context(self) -> RequestContext:
        """The facts about the request that policy conditions test."""
        return request_context_of(self.request, self._time)

    def access_request(self, action: str) -> AccessRequest:
        """The access request for an action (`ecr:PutImage`) on the repository, or on the registry."""
        return AccessRequest(self.caller, action, self.registry, self.repository or None, self.request_context)

    def parameters(self) -> dict[str, str]:
        """The parameters of the query. Raises InvalidParameter if there are too many."""
        with _not_too_many():
            return self.request.parameters()

    def repeated(self, parameter: str) -> list[str]:
        """All values of a parameter of the query. Raises InvalidParameter if there are too many."""
        with _not_too_many():
            return self.request.repeated(parameter)

    def puller(self) -> Puller:
        """The caller, for a pull through the cache of an upstream registry."""
        request = self.request
        return Puller(self.registry, self.repository, self.caller, self.access_request, request.share, request)

    @property
    def scope(self) -> UploadScope:
        """The scope of this caller's uploads to the repository."""
        return UploadScope(self.registry, self.repository, self.caller.user_id)


class AccessControl:
    """Authenticates and authorizes requests to the registry endpoint."""

    def __init__(self, services: Services) -> None:
        self._database = services.database
        self._known = KnownAccess()
        self._authenticator = services.authenticator
        self._authorizer = services.authorizer
        self._now = services.now
        self._addresses = services.addresses
        self._regions = services.limits.regions
        self._require_reserve = services.limits.require_reserve

    async def authorized_lookup(self, request: RegistryRequest, action: str) -> RegistryCall:
        """Authenticate and authorize a lookup by name.

        The name is not parsed here: if the lookup finds something, the name is valid, and otherwise the handler parses
        it. Raises the errors of `authenticate`, AccessDenied, and RepositoryNameInvalid for a name that is too long for
        policies.
        """
        key, version = key_of(request.http, request.name, action), self._database.access_version()
        granted = self._known.find(key, version, self._now())
        if granted is not None and b"ns=" not in request.http.query:
            return self._call(request, action, granted)
        call = await self.authenticate(request, action)
        _refuse_long_name(call.repository)
        if await self._authorizer.check(call.access_request(action)):
            self._keep(key, version, call)
        return call

    def _keep(self, key: Key, version: bytes | None, call: RegistryCall) -> None:
        """Keep access that does not depend on the request, if nobody has changed access data meanwhile."""
        expires = self._authenticator.token_expiry(call.request.header(b"authorization") or "")
        is_certain = version == self._database.access_version() and b"ns=" not in call.request.query
        if is_certain and expires is not None:
            self._known.keep(key, version, Granted(call.caller, call.caller.arn, call.registry, expires))

    def _call(self, request: RegistryRequest, action: str, granted: Granted) -> RegistryCall:
        details = request.details
        details.operation = operation_of(action)
        details.caller, details.caller_name = granted.caller, granted.caller_name
        return RegistryCall(request, granted.caller, granted.registry, self._now())

    async def authorized_lookup_either(self, request: RegistryRequest, first: str, second: str) -> RegistryCall:
        """Like `authorized_lookup`, for callers with one of two permissions. A denial names the second one."""
        try:
            return await self.authorized_lookup(request, first)
        except AccessDenied:
            call = await self.authenticate(request, first)
            await self._authorizer.check(call.access_request(second))
            return call

    async def authorized(self, request: RegistryRequest, *actions: str) -> RegistryCall:
        """Authenticate, parse the name, and authorize all actions.

        Raises the errors of `authenticate`, RepositoryNameInvalid and AccessDenied.
        """
        call = await self.authenticate(request, actions[-1])
        RepositoryName.parse(call.repository)
        await self.authorize(call, *actions)
        return call

    async def authorize(self, call: RegistryCall, *actions: str) -> None:
        """Raise AccessDenied if the caller may not do one of the actions.

        Raises Unavailable for a request that takes space while the disk's reserve is being used up.
        """
        for action in actions:
            await self._authorizer.check(call.access_request(action))
        if call.request.method not in _WITHOUT_SPACE:
            self._require_reserve()

    async def authenticate(self, request: RegistryRequest, action: str = "") -> RegistryCall:
        """Find the caller and the registry. `action` is for the log.

        The registry is the one that the host names, or the caller's own. Raises NotAuthenticated,
        AuthorizationTokenExpired, InvalidParameter for a Region that does not exist, and AccessDenied for a token of
        another Region.
        """
        http, details = request.http, request.details
        details.operation = operation_of(action)
        details.caller, details.caller_name = None, ""  # A decision that runs again may end with a refusal.
        authorization = http.header(b"authorization")
        caller = await self._authenticator.caller_of_basic(authorization)
        details.caller = caller
        details.caller_name = caller.arn
        registry = registry_named_by(http)
        if registry is None:
            registry = caller.registry
        elif not self._regions.include(registry.region):
            raise InvalidParameter(parameter="host", constraint=f"'{registry.region}' is not a Region")
        elif registry.region != caller.region and _is_token(authorization or ""):
            raise _other_region(caller, registry)
        return RegistryCall(request, caller, registry, self._now())

    def challenge(self, request: Request) -> Response:
        """The 401 response of ECR. Clients such as docker then send the request again with their Basic credentials.

        As in ECR, the realm is the host of the request, because only this host certainly works for the client.
        """
        origin = requested_origin(request) or f"{request.scheme}://{self._addresses.host}"
        realm = f'Basic realm="{origin}/",service="ecr.amazonaws.com"'
        body = b"Not Authorized\n"
        headers = [
            (b"www-authenticate", realm.encode()),
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
        ]
        return Response(401, headers, body)


def _refuse_long_name(repository: str) -> None:
    """Raise RepositoryNameInvalid for a name that is too long to be matched with patterns of policies."""
    if len(repository) > NAME_LIMIT:
        RepositoryName.parse(repository)


@contextmanager
def _not_too_many() -> Iterator[None]:
    try:
        yield
    except ValueError:
        raise InvalidParameter(parameter="query", constraint="Too many parameters") from None


def registry_named_by(request: Request) -> Registry | None:
    """The registry in the host name, or in the `ns` parameter, in which containerd sends a mirror the original host."""
    if b"ns=" in request.query:
        with suppress(ValueError):  # Too many parameters: the handler rejects the request.
            registry = _registry_of_host(request.parameters().get("ns", ""))
            if registry is not None:
                return registry
    return _registry_of_host(request.headers[b"host"].decode("latin-1"))


def _is_token(authorization: str) -> bool:
    """Whether valid credentials are a token, which is bound to a Region; an access key is valid in every Region."""
    return base64.b64decode(authorization.partition(" ")[2]).startswith(b"AWS:")


def _other_region(caller: Caller, registry: Registry) -> AccessDenied:
    return AccessDenied(
        principal=caller.arn,
        action="ecr:*",
        resource=registry.repository_arn("*"),
        reason=f"because the authorization token was issued for the region {caller.region}",
    )
