"""Audit records of requests to the registry endpoint: the API calls that they correspond to."""

from __future__ import annotations

from typing import Any, Final

from moorage.core.events.audit import Audit
from moorage.domain.errors import NotAuthenticated, Refusal
from moorage.domain.identity.actions import DOCKER_ACTIONS, operation_of
from moorage.http.messages import CallDetails, Request
from moorage.oci.access import RegistryRequest, registry_named_by

READING: Final = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""


def record(audit: Audit, request: RegistryRequest, status: int, failure: Refusal | str | None) -> None:
    """Record an answered request, except those without credentials, which clients send to get the challenge."""
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
    caller, name = request.details.caller, request.details.caller_name
    for operation in _operations(http, request.kind, query, mounted=status == 201):
        audit.record(http, CallDetails(operation, caller, name, parameters), failure, docker=True)


def _operations(request: Request, kind: str, query: dict[str, str], *, mounted: bool) -> list[str]:
    """The API operations of a request, in the order in which an API client calls them."""
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
    """The parameters of the API calls, as far as path and query contain them."""
    image_id = {"imageDigest" if ":" in reference else "imageTag": reference}
    match kind:
        case "manifests" if request.method == "PUT":
            return {**image_id, "imageManifestMediaType": request.header(b"content-type")}
        case "manifests" if request.method in READING:
            return {"imageIds": [image_id], "acceptedMediaTypes": (request.header(b"accept") or "").split(",")}
        case "manifests":
            return {"imageIds": [image_id]}
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
    except ValueError:  # Too many parameters: the request was rejected.
        return {}
