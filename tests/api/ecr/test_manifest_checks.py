"""PutImage: manifests and tags that are rejected."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.ecr.pushing import put_refused, upload_blobs
from tests.api.ecr.refusals import invalid
from tests.api.ecr.wire import Wire
from tests.support.images import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, image

NO_JSON = invalid("ImageManifest", "Invalid JSON syntax")


def changed(**members: Any) -> str:
    manifest = json.loads(image().manifest.content) | members
    return json.dumps({name: value for name, value in manifest.items() if value is not ...})


CONFIG = json.loads(image().manifest.content)["config"]


@pytest.mark.parametrize(
    "manifest",
    [
        "{",
        "null",
        "[]",
        "{}",
        "\N{BYTE ORDER MARK}" + changed(),
        changed() + changed(),
        changed().replace('"schemaVersion": 2', '"schemaVersion": NaN'),
        changed(schemaVersion=1),
        changed(schemaVersion="2"),
        changed(mediaType="application/vnd.oci.artifact.manifest.v1+json"),
        changed(mediaType="text/html"),
        changed(mediaType=...),
        changed(config=...),
        changed(layers=...),
        changed(layers={}),
        changed(manifests=[]),
        changed(mediaType=OCI_INDEX),
        changed(mediaType=OCI_INDEX, manifests=[], config=...),
        changed(config=CONFIG | {"digest": "sha256:0"}),
        changed(config=CONFIG | {"digest": "md5:" + "0" * 32}),
        changed(config=CONFIG | {"digest": "sha256:../../../../etc/passwd"}),
        changed(config=CONFIG | {"size": -1}),
        changed(config=CONFIG | {"size": CONFIG["size"] + 1}),
        changed(layers=[CONFIG | {"size": 0}]),
        changed(config=CONFIG | {"size": "7"}),
        changed(config=CONFIG | {"size": 2**63}),
        changed(config=CONFIG | {"size": 10**40}),
        changed(layers=[CONFIG | {"size": 2**62}] * 4),
        changed(subject=CONFIG | {"digest": "latest"}),
        changed(annotations={"number": 1}),
        changed(layers=[[[]]]),
        changed(unknown=1).replace("1", "[" * 70 + "]" * 70),
        changed(unknown=1).replace("1", "[" * 100_000),
        '{"a":' * 20_000,
    ],
)
def test_an_invalid_manifest_is_rejected(ecr: Any, repository: str, manifest: str) -> None:
    """ECR has one message for all of them."""
    upload_blobs(ecr, repository, image().blobs)

    assert put_refused(ecr, repository, manifest, "v1") == NO_JSON


def test_the_media_type_may_be_given_beside_the_manifest(ecr: Any, repository: str) -> None:
    upload_blobs(ecr, repository, image().blobs)

    refused = put_refused(ecr, repository, changed(), "v1", imageManifestMediaType=DOCKER_MANIFEST)
    stored = ecr.put_image(
        repositoryName=repository,
        imageManifest=changed(mediaType=...),
        imageManifestMediaType=OCI_MANIFEST,
        imageTag="v1",
    )["image"]

    assert refused == NO_JSON
    assert stored["imageManifestMediaType"] == OCI_MANIFEST
    assert stored["imageManifest"] == changed(mediaType=...)


@pytest.mark.parametrize(
    "tag", ["-dash", ".dot", "a/b", "a:b", "with space", "ä", "new\nline", "end\n", "x" * 129, "\0"]
)
def test_a_tag_outside_docker_s_grammar_is_rejected(ecr: Any, repository: str, tag: str) -> None:
    upload_blobs(ecr, repository, image().blobs)

    assert put_refused(ecr, repository, image(), tag) == (
        400,
        "InvalidParameterException",
        (
            "Invalid parameter at 'imageTag' failed to satisfy constraint: "
            "'must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}''"
        ),
    )


@pytest.mark.parametrize(
    ("tag", "constraint"), [("", "greater than or equal to 1"), ("x" * 301, "less than or equal to 300")]
)
def test_a_tag_has_1_to_300_characters_by_its_shape(unchecked: Any, repository: str, tag: str, constraint: str) -> None:
    assert put_refused(unchecked, repository, image(), tag) == (
        400,
        "InvalidParameterException",
        f"Invalid parameter at 'imageTag' failed to satisfy constraint: 'Member must have length {constraint}'",
    )


def test_a_manifest_has_at_most_4_mib(wire: Wire, ecr: Any, repository: str) -> None:
    upload_blobs(ecr, repository, image().blobs)
    whole = changed(annotations={"padding": ""})
    longest = changed(annotations={"padding": "x" * (4_194_304 - len(whole))})

    stored = wire.call("PutImage", {"repositoryName": repository, "imageManifest": longest})
    refused = wire.call("PutImage", {"repositoryName": repository, "imageManifest": longest + " "})

    assert stored.status == 200, stored.body[:300]
    assert refused.refusal == (
        400,
        "InvalidParameterException",
        (
            "Invalid parameter at 'imageManifest' failed to satisfy constraint: "
            "'Member must have length less than or equal to 4194304'"
        ),
    )
