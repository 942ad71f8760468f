"""The docker daemon that the docker tests push from."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.dockerd import Dockerd
from tests.support.images import image, layer, write_docker_archive


@pytest.mark.client
def test_docker_loads_an_image_that_a_test_made(dockerd: Dockerd, tmp_path: Path) -> None:
    pushed = image([layer(b"content", docker=True)], docker=True)
    archive = write_docker_archive(tmp_path / "image.tar", pushed, "loaded/by-test:v1")

    dockerd.docker("load", "--input", str(archive))

    listed = dockerd.docker("image", "inspect", "--format", "{{.Id}}", "loaded/by-test:v1")
    assert listed.strip() == pushed.blobs[0].digest
