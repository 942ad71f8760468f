"""What the audit log tells of a request to the docker door: the calls of the API that it becomes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from moorage.core.events.audit import Audit
from moorage.domain.errors import NotAuthenticated, Refusal
from moorage.domain.identity.actions import DOCKER_ACTIONS, operation_of
from moorage.http.messages import Request
from moorage.oci.access import RegistryRequest, registry_named_by

READING: Final = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""


def note(audit: Audit, request: RegistryRequest, status: int, failure: Refusal | str | None) -> None:
    """Record a request that was answered, except one without credentials: clients send it to get the challenge."""
    http = request.http
    if isinstance(failure, NotAuthenticated) and http.header(b"authorization") is None:
        return
    query = _query(http)
    parameters = _parameters(http, request.kind, request.reference, query)
    if request.name:
        parameters["repositoryName"] = request.name
    registry = registry_named_by(http)
    if registry is not None:
        parameters["registryId"] = registry.account
    for operation in _operations(http, request.kind, query, mounted=status == 201):
        details = replace(request.details, operation=operation, parameters=parameters)
        audit.record(http, details, failure, docker=True)


def _operations(request: Request, kind: str, query: dict[str, str], *, mounted: bool) -> list[str]:
    """The names of the calls, in the order in which an API client makes them."""
    method = request.method
    if kind == "referrers":
        return ["ListImageReferrers"]
    if kind == "uploads" and "digest" in query:
        actions = DOCKER_ACTIONS["uploads", "POST?digest"]
    elif kind == "uploads" and "mount" in query and mounted:
        return ["MountLayer"]
    elif kind == "upload" and method == "PUT" and request.body.content_length != 0:
        actions = DOCKER_ACTIONS["upload", "PUT+body"][::-1]
    elif (kind, method) == ("blobs", "HEAD"):
        actions = DOCKER_ACTIONS["blobs", "HEAD"][:1]
    else:
        actions = DOCKER_ACTIONS.get((kind, "GET" if method == "HEAD" else method), ())
    return [operation_of(action) for action in actions]


def _parameters(request: Request, kind: str, reference: str, query: dict[str, str]) -> dict[str, Any]:
    """What the calls would have been given, as far as path and query tell."""
    named = {"imageDigest" if ":" in reference else "imageTag": reference}
    match kind:
        case "manifests" if request.method == "PUT":
            return {**named, "imageManifestMediaType": request.header(b"content-type")}
        case "manifests" if request.method in READING:
            return {"imageIds": [named], "acceptedMediaTypes": (request.header(b"accept") or "").split(",")}
        case "manifests":
            return {"imageIds": [named]}
        case "blobs":
            return {"layerDigest": reference}
        case "referrers":
            return {"subjectId": {"imageDigest": reference}}
        case "upload" | "uploads":
            digest = query.get("digest") or query.get("mount")
            return ({"uploadId": reference} if reference else {}) | ({"layerDigests": [digest]} if digest else {})
        case _:
            return {}


def _query(request: Request) -> dict[str, str]:
    try:
        return request.parameters()
    except ValueError:  # More than anybody needs: the request was refused for it.
        return {}
