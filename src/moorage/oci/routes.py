"""/v2/…: find the handler for a resource and a method, and turn refusals into error responses.

/v2/                                  check for a registry, and of credentials
/v2/_catalog                          repositories
/v2/NAME/manifests/TAG-OR-DIGEST      manifests
/v2/NAME/blobs/DIGEST                 blobs
/v2/NAME/blobs/uploads/[ID]           uploads
/v2/NAME/tags/list                    tags
/v2/NAME/referrers/DIGEST             referrers
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from moorage.core.events.audit import SERVER_FAULT
from moorage.core.services import Services
from moorage.domain.errors import AccessDenied, Refusal, Unavailable, Unsupported
from moorage.domain.registry.errors import RepositoryNotFound
from moorage.http.application import Endpoint
from moorage.http.blob_response import BlobResponses
from moorage.http.locations import Locations
from moorage.http.messages import CallDetails, Request, Response
from moorage.http.shares.body_budget import BodyBudget
from moorage.oci import audit
from moorage.oci.access import AccessControl, RegistryRequest
from moorage.oci.blobs import Blobs
from moorage.oci.errors import error, error_response
from moorage.oci.listings import Lists
from moorage.oci.manifests import Manifests
from moorage.oci.mirrors import Mirrors
from moorage.oci.uploads import Uploads
from moorage.telemetry import Log

Handler = Callable[[RegistryRequest], Awaitable[Response]]

_VERSION: Final = (b"docker-distribution-api-version", b"registry/2.0")
_PREFIX: Final = "/v2/"


class RegistryEndpoint(Endpoint):
    """The endpoint of docker, Podman, containerd, skopeo, crane and other clients of the distribution protocol."""

    def __init__(
        self, services: Services, log: Log, budget: BodyBudget, locations: Locations, responses: BlobResponses
    ) -> None:
        super().__init__(log)
        self._audit = services.audit
        self._access_control = access = AccessControl(services)
        self._mirrors = Mirrors(services, access)
        manifests, blobs = Manifests(services, access, budget, locations), Blobs(services, access, responses)
        uploads, lists = Uploads(services, access, locations), Lists(services, access)
        self._handlers: dict[str, dict[str, Handler]] = {
            "manifests": {
                "GET": manifests.get,
                "HEAD": manifests.get,
                "PUT": manifests.put,
                "DELETE": manifests.delete,
            },
            "blobs": {"GET": blobs.get, "HEAD": blobs.head, "DELETE": blobs.delete},
            "uploads": {"POST": uploads.start},
            "upload": {
                "GET": uploads.status,
                "HEAD": uploads.status,
                "PATCH": uploads.append,
                "PUT": uploads.complete,
                "DELETE": uploads.cancel,
            },
            "tags": {"GET": lists.tags, "HEAD": lists.tags},
            "referrers": {"GET": lists.referrers, "HEAD": lists.referrers},
            "catalog": {"GET": lists.catalog, "HEAD": lists.catalog},
            "base": {"GET": self._base, "HEAD": self._base},
        }

    async def respond(self, request: Request, details: CallDetails) -> Response:
        incoming = _incoming(request, details)
        failure: Refusal | None = None
        try:
            handler = self._handlers[incoming.kind].get(request.method) if incoming.kind else self._unknown
            incoming, response = await self._answered(handler or self._not_allowed, incoming)
        except Unavailable:
            raise
        except Refusal as refusal:
            failure = refusal
            details.refused(refusal)
            response = self._refused(incoming, refusal)
        self._record(incoming, response.status, failure)
        response.headers.append(_VERSION)
        if request.method == "HEAD":
            response.body = b""
        return response

    def refused(self, request: Request, refusal: Refusal) -> Response:  # noqa: ARG002 - AWS's responses have its id
        response = error_response(refusal)
        response.headers.append(_VERSION)
        return response

    def unavailable(self, request: Request, details: CallDetails, refusal: Unavailable) -> Response:
        response = self.refused(request, refusal)
        self._record(_incoming(request, details), response.status, refusal)
        return response

    def fault(self, request: Request, details: CallDetails) -> Response:
        """The response has only the request id, under which the log has the details."""
        self._record(_incoming(request, details), 500, SERVER_FAULT)
        response = error(500, "UNKNOWN", f"An internal error occurred. Request id: {request.id}")
        response.headers.append(_VERSION)
        return response

    async def _answered(self, handler: Handler, request: RegistryRequest) -> tuple[RegistryRequest, Response]:
        """The response, and the request that it answers: another one for clients that use a mirror."""
        if b"ns=" in request.http.query:
            request = await self._mirrors.meant(request)
        try:
            return request, await handler(request)
        except (RepositoryNotFound, AccessDenied) as refusal:
            mirrored = await self._mirrors.instead(request)
            if mirrored is None:
                raise
            try:
                return mirrored, await handler(mirrored)
            except (RepositoryNotFound, AccessDenied):
                raise refusal from None

    def _record(self, request: RegistryRequest, status: int, failure: Refusal | str | None) -> None:
        """Write the call to the audit log."""
        if self._audit.wants(reading=request.http.method in audit.READING):
            audit.record(self._audit, request, status, failure)

    async def _base(self, request: RegistryRequest) -> Response:
        """What `docker login` requests: a 200 means that the credentials are valid."""
        await self._access_control.authenticate(request)
        return Response(200, [(b"content-type", b"application/json"), (b"content-length", b"2")], b"{}")

    async def _unknown(self, request: RegistryRequest) -> Response:
        await self._access_control.authenticate(request)
        body = b"404 page not found\n"
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        return Response(404, headers, body)

    async def _not_allowed(self, request: RegistryRequest) -> Response:
        await self._access_control.authenticate(request)
        raise Unsupported(reason=f"The method {request.http.method} is not supported here")

    def _refused(self, request: RegistryRequest, refusal: Refusal) -> Response:
        response = error_response(refusal)
        if response.status == 401:
            return self._access_control.challenge(request.http)
        if response.status == 405:
            response.headers.append((b"allow", ", ".join(self._handlers[request.kind]).encode()))
        return response


def _incoming(request: Request, details: CallDetails) -> RegistryRequest:
    return RegistryRequest(request, details, *resource_of(request.path))


def resource_of(path: str) -> tuple[str, str, str]:
    """The kind of resource, the repository's name and the reference. The kind is empty for unknown paths.

    The path is parsed from the end, because a repository can be named `blobs/uploads`. The name and the reference are
    not checked.
    """
    head, _, reference = path.rpartition("/")
    prefix, _, kind = head.rpartition("/")
    if not prefix.startswith(_PREFIX):
        return _FIXED.get(path, ""), "", ""
    match kind:
        case "manifests" | "blobs" | "referrers":
            return kind, prefix[4:], reference
        case "uploads" if prefix.endswith("/blobs"):
            return "upload" if reference else "uploads", prefix[4:-6], reference
        case "tags" if reference == "list":
            return kind, prefix[4:], reference
        case _:
            return "", "", ""


_FIXED: Final = {"/v2": "base", "/v2/": "base", "/v2/_catalog": "catalog"}
