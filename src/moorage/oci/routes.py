"""/v2/…: which resource, which method, and its handler. Answers refusals in the specification's words.

/v2/                                  is this a registry, and are these credentials good
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
from moorage.domain.errors import Refusal, Unsupported
from moorage.http.messages import Request, Response
from moorage.oci import audit
from moorage.oci.access import AccessControl
from moorage.oci.blobs import Blobs
from moorage.oci.errors import error, refused
from moorage.oci.listings import Lists
from moorage.oci.manifests import Manifests
from moorage.oci.uploads import Uploads

Handler = Callable[[Request, str, str], Awaitable[Response]]
"""Takes the request, the repository's name as the path has it, and what stands behind the last slash."""

_VERSION: Final = (b"docker-distribution-api-version", b"registry/2.0")
_PREFIX: Final = "/v2/"


class RegistryEndpoint:
    """The entrance of docker, podman, containerd, skopeo, crane, and whoever else speaks the distribution protocol."""

    def __init__(self, services: Services) -> None:
        self._audit = services.audit
        self._access_control = access = AccessControl(services)
        manifests, blobs = Manifests(services, access), Blobs(services, access)
        uploads, lists = Uploads(services, access), Lists(services, access)
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

    async def handle(self, request: Request) -> Response:
        resource = kind, name, reference = resource_of(request.path)
        failure: Refusal | None = None
        try:
            handler = self._handlers[kind].get(request.method) if kind else self._unknown
            if handler is None:
                handler = self._not_allowed
            response = await handler(request, name, reference)
        except Refusal as refusal:
            failure = refusal
            response = self._refused(request, kind, refusal)
        if self._audit.wants(reading=request.method in audit.READING):
            audit.note(self._audit, request, resource, response.status, failure)
        response.headers.append(_VERSION)
        if request.method == "HEAD":
            response.body = b""
        return response

    def fault(self, request: Request) -> Response:
        """The text says nothing but where to look: the log has the reason under the request's id."""
        if self._audit.wants(reading=request.method in audit.READING):
            audit.note(self._audit, request, resource_of(request.path), 500, SERVER_FAULT)
        response = error(500, "UNKNOWN", f"An internal error occurred. Request id: {request.id}")
        response.headers.append(_VERSION)
        return response

    async def _base(self, request: Request, _name: str, _reference: str) -> Response:
        """What `docker login` asks: the answer says that the credentials are good."""
        await self._access_control.identify(request)
        return Response(200, [(b"content-type", b"application/json"), (b"content-length", b"2")], b"{}")

    async def _unknown(self, request: Request, _name: str, _reference: str) -> Response:
        await self._access_control.identify(request)
        body = b"404 page not found\n"
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        return Response(404, headers, body)

    async def _not_allowed(self, request: Request, _name: str, _reference: str) -> Response:
        await self._access_control.identify(request)
        raise Unsupported(reason=f"The method {request.method} is not supported here")

    def _refused(self, request: Request, kind: str, refusal: Refusal) -> Response:
        response = refused(refusal)
        if response.status == 401:
            return self._access_control.challenge(request)
        if response.status == 405:
            response.headers.append((b"allow", ", ".join(self._handlers[kind]).encode()))
        return response


def resource_of(path: str) -> tuple[str, str, str]:
    """The kind of resource ("" when there is none such), the repository's name and the reference.

    Read from the end, since a repository may be called `blobs/uploads`. Nothing is checked but the words of the path.
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
