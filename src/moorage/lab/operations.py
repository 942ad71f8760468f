"""The operation of ECR that a request is for, as far as its head shows it. Faults and rates are by operation."""

from __future__ import annotations

from typing import Final

from moorage.http.messages import Request
from moorage.oci.routes import resource_of

_OF_DOCKER: Final = {
    ("manifests", "GET"): "BatchGetImage",
    ("manifests", "HEAD"): "BatchGetImage",
    ("manifests", "PUT"): "PutImage",
    ("manifests", "DELETE"): "BatchDeleteImage",
    ("blobs", "GET"): "GetDownloadUrlForLayer",
    ("blobs", "HEAD"): "BatchCheckLayerAvailability",
    ("uploads", "POST"): "InitiateLayerUpload",
    ("upload", "PATCH"): "UploadLayerPart",
    ("upload", "PUT"): "CompleteLayerUpload",
    ("tags", "GET"): "ListImages",
    ("referrers", "GET"): "ListImageReferrers",
    ("catalog", "GET"): "DescribeRepositories",
}
"""The operations whose quotas requests of Docker clients count for (ECR user guide, "Amazon ECR service quotas")."""


def is_of_docker(request: Request) -> bool:
    return request.path.startswith("/v2")


def operation_of(request: Request) -> str:
    """The name of the operation; empty if the head does not show it, as for IAM and STS."""
    if is_of_docker(request):
        return _OF_DOCKER.get((resource_of(request.path)[0], request.method), "")
    return (request.header(b"x-amz-target") or "").rpartition(".")[2]
