"""BatchCheckLayerAvailability, GetDownloadUrlForLayer, and downloads from its URLs."""

from __future__ import annotations

import random
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.api.ecr.pushing import push, upload_layer
from tests.api.ecr.wire import ACCOUNT, refusal
from tests.support.images import OCI_CONFIG, OCI_LAYER, Blob, digest, image, layer
from tests.support.server import Server


def availability(ecr: Any, repository: str, *digests: str) -> Any:
    answer = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=list(digests))
    return answer["layers"], answer["failures"]


def url_of(ecr: Any, repository: str, blob: Blob) -> str:
    answer = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=blob.digest)
    assert answer["layerDigest"] == blob.digest
    return str(answer["downloadUrl"])


def fetch(url: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> tuple[int, Any, bytes]:
    """Status, headers and body of a request with no headers but these."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers or {}), method=method)) as found:
            return found.status, found.headers, found.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


@pytest.fixture
def pulled(ecr: Any, repository: str) -> Blob:
    """A layer of an image in the repository, large enough to arrive in several pieces."""
    pushed = push(ecr, repository, image([layer(300_000, seed=7)]), "v1")
    return pushed.blobs[1]


def test_a_layer_of_an_image_is_available_with_its_size_and_media_type(ecr: Any, repository: str) -> None:
    config, content = push(ecr, repository, image(), "v1").blobs

    assert availability(ecr, repository, content.digest, config.digest) == (
        [
            {
                "layerDigest": content.digest,
                "layerAvailability": "AVAILABLE",
                "layerSize": len(content.content),
                "mediaType": OCI_LAYER,
            },
            {
                "layerDigest": config.digest,
                "layerAvailability": "AVAILABLE",
                "layerSize": len(config.content),
                "mediaType": OCI_CONFIG,
            },
        ],
        [],
    )


def test_a_missing_layer_is_unavailable_and_not_a_failure(ecr: Any, repository: str) -> None:
    """Clients upload only layers that are not reported as AVAILABLE."""
    absent, strange = digest(b"not there"), "md5:0123"

    assert availability(ecr, repository, absent, strange) == (
        [
            {"layerDigest": absent, "layerAvailability": "UNAVAILABLE"},
            {"layerDigest": strange, "layerAvailability": "UNAVAILABLE"},
        ],
        [],
    )


def test_only_the_bad_digest_fails(ecr: Any, repository: str) -> None:
    name = upload_layer(ecr, repository, b"well-formed")
    bad = ["no digest", "sha256:xyz", "sha256:", ":00", "a:00\n", "x" * 1000]

    layers, failures = availability(ecr, repository, *bad, name, "")

    reason = "Invalid request parameters: layer digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
    assert [found["layerAvailability"] for found in layers] == ["AVAILABLE"]
    assert failures == [
        *({"layerDigest": each, "failureCode": "InvalidLayerDigest", "failureReason": reason} for each in bad),
        {
            "layerDigest": "",
            "failureCode": "MissingLayerDigest",
            "failureReason": "Invalid request parameters: layer digest cannot be empty",
        },
    ]


def test_availability_is_checked_in_one_repository(ecr: Any, new_repository: Callable[[], str]) -> None:
    first, second = new_repository(), new_repository()
    name = upload_layer(ecr, first, b"only here")

    assert availability(ecr, first, name)[0][0]["layerAvailability"] == "AVAILABLE"
    assert availability(ecr, second, name)[0][0] == {"layerDigest": name, "layerAvailability": "UNAVAILABLE"}


@pytest.mark.parametrize(
    ("digests", "constraint"),
    [
        ([], "Member must have length greater than or equal to 1"),
        (["sha256:00"] * 101, "Member must have length less than or equal to 100"),
        (
            ["x" * 1001],
            (
                "Member must satisfy constraint: [Member must have length less than or equal to 1000, "
                "Member must have length greater than or equal to 0]"
            ),
        ),
    ],
)
def test_a_request_has_1_to_100_digests(unchecked: Any, repository: str, digests: list[str], constraint: str) -> None:
    refused = refusal(unchecked.batch_check_layer_availability, repositoryName=repository, layerDigests=digests)

    message = f"Invalid parameter at 'layerDigests' failed to satisfy constraint: '{constraint}'"
    assert refused == (400, "InvalidParameterException", message)


@pytest.mark.parametrize("operation", ["batch_check_layer_availability", "get_download_url_for_layer"])
def test_a_request_for_layers_of_an_unknown_repository_is_rejected(ecr: Any, operation: str) -> None:
    named: dict[str, Any] = {"layerDigest": digest(b"x")}
    if operation == "batch_check_layer_availability":
        named = {"layerDigests": [digest(b"x")]}

    assert refusal(getattr(ecr, operation), repositoryName="tests/not-there", **named) == (
        400,
        "RepositoryNotFoundException",
        f"The repository with name 'tests/not-there' does not exist in the registry with id '{ACCOUNT}'",
    )


def test_a_layer_without_an_image_is_inaccessible(ecr: Any, repository: str) -> None:
    name = upload_layer(ecr, repository, b"no image refers to this")

    assert refusal(ecr.get_download_url_for_layer, repositoryName=repository, layerDigest=name) == (
        400,
        "LayerInaccessibleException",
        (
            f"The layer with digest {name} in the repository with name '{repository}' "
            f"in the registry with id '{ACCOUNT}' is not referenced by any image"
        ),
    )


def test_a_layer_of_an_image_of_another_repository_is_not_found(
    ecr: Any, pulled: Blob, new_repository: Callable[[], str]
) -> None:
    other = new_repository()

    assert refusal(ecr.get_download_url_for_layer, repositoryName=other, layerDigest=pulled.digest) == (
        400,
        "LayersNotFoundException",
        (
            f"The layer with digest {pulled.digest} does not exist within the repository with name '{other}' "
            f"in the registry with id '{ACCOUNT}'"
        ),
    )


def test_a_layer_becomes_inaccessible_when_its_last_image_is_deleted(ecr: Any, repository: str, pulled: Blob) -> None:
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])

    refused = refusal(ecr.get_download_url_for_layer, repositoryName=repository, layerDigest=pulled.digest)

    assert refused.code == "LayerInaccessibleException"


def test_the_url_returns_the_layer_without_credentials(ecr: Any, repository: str, pulled: Blob, server: Server) -> None:
    url = url_of(ecr, repository, pulled)

    status, headers, body = fetch(url)

    assert url.startswith(f"http://localhost:{server.port}/")
    assert (status, headers["Content-Length"]) == (200, str(len(pulled.content)))
    assert body == pulled.content


def test_the_url_accepts_head(ecr: Any, repository: str, pulled: Blob) -> None:
    status, headers, body = fetch(url_of(ecr, repository, pulled), method="HEAD")

    assert (status, headers["Content-Length"], body) == (200, str(len(pulled.content)), b"")


@pytest.mark.parametrize(("first", "last"), [(0, 0), (1000, 199_999), (299_000, None)])
def test_the_url_returns_ranges(ecr: Any, repository: str, pulled: Blob, first: int, last: int | None) -> None:
    """Clients fetch one layer over several connections."""
    end = len(pulled.content) if last is None else last + 1

    status, headers, body = fetch(
        url_of(ecr, repository, pulled), {"Range": f"bytes={first}-{'' if last is None else last}"}
    )

    assert status == 206
    assert headers["Content-Range"] == f"bytes {first}-{end - 1}/{len(pulled.content)}"
    assert body == pulled.content[first:end]


def denied(url: str) -> bytes:
    status, headers, body = fetch(url)
    assert status == 403, body
    assert headers["Content-Type"] == "application/xml"
    assert b"<Code>AccessDenied</Code>" in body
    return body


def test_a_changed_url_is_denied(ecr: Any, repository: str, pulled: Blob) -> None:
    url = url_of(ecr, repository, pulled)
    address, _, token = url.partition("token=")
    random.seed(1)
    for position in random.sample(range(len(token) - 2), 20):
        other = "A" if token[position] != "A" else "B"
        body = denied(f"{address}token={token[:position]}{other}{token[position + 1 :]}")
        assert b"the link was not made by this registry" in body
    for tail in ("", "token=", "token=%ff%00", "token=" + "A" * 5000, "token=a&token=" + token, "nothing=1"):
        denied(address + tail)


def test_a_url_for_one_layer_does_not_open_another(ecr: Any, repository: str, pulled: Blob) -> None:
    other = push(ecr, repository, image(seed=3)).blobs[1]
    url = url_of(ecr, repository, pulled)

    assert b"the link was made for another layer" in denied(url.replace(pulled.digest, other.digest))


def test_a_url_is_denied_after_the_repository_was_deleted(ecr: Any, repository: str, pulled: Blob) -> None:
    url = url_of(ecr, repository, pulled)

    ecr.delete_repository(repositoryName=repository, force=True)

    status, _, body = fetch(url)
    assert status == 404
    assert b"<Code>NoSuchKey</Code>" in body


def test_a_url_with_surplus_parameters_is_rejected(ecr: Any, repository: str, pulled: Blob) -> None:
    status, _, body = fetch(url_of(ecr, repository, pulled) + "&x=1" * 500)

    assert status == 400
    assert b"<Code>InvalidURI</Code>" in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_url_is_only_for_reading(ecr: Any, repository: str, pulled: Blob, method: str) -> None:
    status, _, body = fetch(url_of(ecr, repository, pulled), method=method)

    assert status == 405
    assert b"<Code>MethodNotAllowed</Code>" in body
