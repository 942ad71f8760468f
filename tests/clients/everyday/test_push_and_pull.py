"""Each client pulls what each other client pushed: the same digests and bytes, in both image formats."""

from __future__ import annotations

import itertools
import json
from typing import Any, NamedTuple

import pytest

from tests.api.ecr.pushing import MINIMUM, begin, complete, put, send_part, upload_layer
from tests.clients.everyday.programs import Programs
from tests.clients.everyday.transfers import PULLERS, PUSHERS, Desk, Pulled
from tests.support.http_client import Docker
from tests.support.images import DOCKER_MANIFEST, OCI_MANIFEST, Image, digest, image, layer

pytestmark = pytest.mark.client

FORMATS = {"docker": DOCKER_MANIFEST, "oci": OCI_MANIFEST}
PUSHES = [f"{pusher}-{form}" for pusher in PUSHERS for form in FORMATS if (pusher, form) != ("docker", "oci")]
"""docker 20.10 only pushes its own format."""

EXACT = [push for push in PUSHES if not push.startswith(("docker-", "podman-"))]
"""Clients that push the manifest unchanged. The others have unpacked the image and write a new manifest."""


_numbers = itertools.count(1)


class Pushed(NamedTuple):
    repository: str
    source: Image
    manifest: bytes
    media_type: str


@pytest.fixture(scope="module")
def pushed(
    request: pytest.FixtureRequest,
    programs: Programs,
    ecr: Any,
    http: Docker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Pushed:
    """An image of two layers, pushed by the client that the parameter names."""
    pusher, form = request.param.split("-")
    # A process can set this up twice for one parameter, when another one has taken over tests between.
    repository = f"matrix/{request.param}-{next(_numbers)}"
    seed, docker = PUSHES.index(request.param), form == "docker"
    layers = [layer(seed=1_000 + seed, docker=docker), layer(20_000, seed=2_000 + seed, docker=docker)]
    sample = image(layers, docker=docker)
    ecr.create_repository(repositoryName=repository)

    PUSHERS[pusher](Desk(programs, ecr, tmp_path_factory.mktemp("push")), repository, sample)

    answer = http.get(f"/v2/{repository}/manifests/v1")
    assert answer.status == 200, answer
    return Pushed(repository, sample, answer.body, answer.headers["Content-Type"])


@pytest.mark.parametrize("puller", PULLERS)
@pytest.mark.parametrize("pushed", PUSHES, indirect=True)
def test_an_image_pushed_by_one_client_is_pulled_by_each_other_client(pushed: Pushed, puller: str, desk: Desk) -> None:
    configuration = json.loads(pushed.manifest)["config"]["digest"]
    contents = tuple(blob.diff_id for blob in pushed.source.blobs[1:])

    pulled = PULLERS[puller](desk, pushed.repository)

    assert pulled == Pulled(digest(pushed.manifest), configuration, contents)


@pytest.mark.parametrize("pushed", PUSHES, indirect=True)
def test_an_image_keeps_the_format_it_was_pushed_in(pushed: Pushed, ecr: Any) -> None:
    (found,) = ecr.describe_images(repositoryName=pushed.repository)["imageDetails"]

    assert pushed.media_type == pushed.source.manifest.media_type
    assert found["imageManifestMediaType"] == pushed.media_type
    assert found["imageDigest"] == digest(pushed.manifest)
    assert found["imageTags"] == ["v1"]


@pytest.mark.parametrize("pushed", EXACT, indirect=True)
def test_a_manifest_that_the_client_did_not_make_arrives_byte_for_byte(pushed: Pushed) -> None:
    assert pushed.manifest == pushed.source.manifest.content


@pytest.mark.parametrize("puller", PULLERS)
def test_a_layer_that_was_uploaded_in_several_parts_is_pulled_as_one_blob(
    puller: str, ecr: Any, repository: str, desk: Desk
) -> None:
    sample = image([layer(2 * MINIMUM + 1_000, seed=4_000, docker=True)], docker=True)
    configuration, big = sample.blobs
    upload_layer(ecr, repository, configuration.content)
    upload = begin(ecr, repository)
    for first in range(0, len(big.content), MINIMUM):
        send_part(ecr, repository, upload, first, big.content[first : first + MINIMUM])
    complete(ecr, repository, upload, big.digest)
    put(ecr, repository, sample, "v1")

    pulled = PULLERS[puller](desk, repository)

    assert pulled == Pulled(sample.manifest.digest, configuration.digest, (big.diff_id,))
