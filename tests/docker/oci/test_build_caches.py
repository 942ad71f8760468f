"""Build caches of BuildKit in both forms (moby/buildkit, "Registry cache"). docs/clients.md says which one to use."""

from __future__ import annotations

import json

import pytest

from tests.docker.oci.client import Client
from tests.support.images import OCI_INDEX, OCI_MANIFEST, Blob, layer

CACHE_CONFIG = "application/vnd.buildkit.cacheconfig.v0"


@pytest.fixture
def pushed(root: Client, repository: str) -> tuple[Blob, Blob]:
    """A layer and a cache configuration, both pushed as blobs."""
    blobs = layer(seed=1), Blob(b'{"layers":[],"records":[]}', CACHE_CONFIG)
    for blob in blobs:
        root.push_blob(repository, blob.content)
    return blobs


def test_a_cache_as_an_image_manifest_is_accepted(root: Client, repository: str, pushed: tuple[Blob, Blob]) -> None:
    """`image-manifest=true,oci-mediatypes=true`."""
    cached, config = pushed
    members = {"config": config.descriptor, "layers": [cached.descriptor]}
    manifest = Blob(json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, **members}).encode(), OCI_MANIFEST)

    assert root.push_manifest(repository, manifest, "cache").status == 201


def test_a_cache_as_an_index_of_layers_is_refused_as_in_ecr(
    root: Client, repository: str, pushed: tuple[Blob, Blob]
) -> None:
    """`image-manifest=false`: an index may list only manifests (image-spec, image-index.md, "manifests")."""
    listed = [blob.descriptor for blob in pushed]
    index = Blob(json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}).encode(), OCI_INDEX)

    refused = root.push_manifest(repository, index, "cache")

    assert (refused.status, refused.code) == (404, "MANIFEST_BLOB_UNKNOWN")
