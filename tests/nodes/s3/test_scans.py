"""Grype on two nodes with a bucket: each has a database of its own, and copies the layers to its disk."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.pushing import push
from tests.nodes.cluster.conftest import Node, Settings, command
from tests.support.aws import aws_client
from tests.support.clients import require_client
from tests.support.images import image
from tests.support.object_store import ObjectStore
from tests.support.postgres import cluster
from tests.support.vulnerabilities import ALPINE, APPLICATION, DEBIAN, file_system, write_database
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.client, pytest.mark.timeout(600)]


@pytest.fixture
def settings(object_store: ObjectStore, tmp_path: Path) -> Settings:
    grype = require_client("grype")
    return {
        "MOORAGE_DATABASE": cluster().new_database(),
        "MOORAGE_MASTER_KEY": base64.b64encode(os.urandom(32)).decode(),
        "MOORAGE_BLOBS": object_store.setting(f"scans/{os.getpid()}"),
        **object_store.environment,
        "MOORAGE_SCANNER": f"grype:{grype}",
        "MOORAGE_SCANNER_SHA256": hashlib.sha256(Path(grype).read_bytes()).hexdigest(),
        "MOORAGE_SCANNER_DATABASE": str(write_database(tmp_path / "db.tar.gz")),
    }


@pytest.fixture
def nodes(settings: Settings, tmp_path: Path) -> Iterator[list[Node]]:
    started = [Node(tmp_path / name, settings) for name in ("one", "two")]
    yield started
    for node in started:
        if node.server.process is not None:
            node.server.stop()


def findings(ecr: Any, tag: str) -> set[str]:
    """The names of the findings in an image, when its scan is complete."""
    found: dict[str, Any] = {}

    def is_complete() -> bool:
        nonlocal found
        found = ecr.describe_image_scan_findings(repositoryName="apps", imageId={"imageTag": tag})
        assert found["imageScanStatus"]["status"] != "FAILED", found["imageScanStatus"]
        return bool(found["imageScanStatus"]["status"] == "COMPLETE")

    wait_until(is_complete)
    return {one["name"] for one in found["imageScanFindings"]["findings"]}


def test_images_in_a_bucket_are_scanned_by_any_node(nodes: list[Node], settings: Settings, tmp_path: Path) -> None:
    one, two = (node.server for node in nodes)
    with aws_client(one) as ecr:
        ecr.create_repository(repositoryName="apps", imageScanningConfiguration={"scanOnPush": True})
        for number in range(4):
            push(ecr, "apps", image([DEBIAN, APPLICATION, file_system({"number": str(number)})]), f"debian-{number}")
    with aws_client(two) as ecr:
        for number in range(4):
            assert findings(ecr, f"debian-{number}") == {f"CVE-2099-{number:04}" for number in range(1, 5)}

    one.stop()
    with aws_client(two) as ecr:
        push(ecr, "apps", image([ALPINE]), "alpine")
        assert findings(ecr, "alpine") == {"CVE-2099-0001"}

    bom = json.loads(command(settings, tmp_path, "sbom", "apps:alpine", "--data", str(two.data)))
    assert {component["name"] for component in bom["components"]} >= {"openssl"}
    assert (two.data / "scanning" / "database" / "current").exists()
    for server in (one, two):
        assert not any((server.data / "scanning").glob("scans/*"))
