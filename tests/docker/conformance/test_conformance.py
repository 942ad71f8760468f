"""The conformance program of the OCI distribution specification, with all optional tests enabled."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.conftest import StartServer
from tests.support.aws import aws_client
from tests.support.clients import program_environment, require_client, run
from tests.support.server import Server

pytestmark = pytest.mark.client

PROGRAM = "oci-conformance"
"""The upstream name is `conformance`, which other programs may have too. `.ci/run` builds it under this name."""

REPORTS = "MOORAGE_REPORTS"
"""The folder that keeps the program's reports. Without it they are deleted with the test's folder."""

REPOSITORIES = ("conformance/repo1", "conformance/repo2")
OFF_UNLESS_ASKED_FOR = (
    "API_BLOBS_DIGEST_HEADER",
    "API_BLOBS_UPLOAD_CANCEL",
    "API_MANIFESTS_DIGEST_HEADER",
    "API_MANIFESTS_TAG_PARAM",
    "DATA_SPARSE",
)
"""Named like the program's variables, without `OCI_`. All other options are on; the test checks that none is off."""

FEWEST_TESTS = 1_000


@pytest.mark.parametrize("version", ["1.1", "dev"])
def test_nothing_fails_and_nothing_is_skipped(version: str, fresh_server: StartServer, tmp_path: Path) -> None:
    """`tests` includes the groups of test cases, as the program's own summary does."""
    program = require_client(PROGRAM)
    server = fresh_server(extra_args=["--sparse-manifests"])
    results = tmp_path / "results"

    try:
        run([program], conformance_environment(server, version, results, tmp_path), timeout=280)
    finally:
        keep(results, f"conformance-{version}")

    assert switched_off(results / "results.yaml") == []
    suite = ET.parse(results / "junit.xml").getroot()
    counts = {name: int(suite.get(name, "0")) for name in ("failures", "errors", "skipped", "disabled")}
    assert counts == {"failures": 0, "errors": 0, "skipped": 0, "disabled": 0}
    assert {case.get("status") for case in suite.iter("testcase")} == {"passed"}
    assert int(suite.get("tests", "0")) > FEWEST_TESTS
    assert '"event":"fault"' not in server.output()


def conformance_environment(server: Server, version: str, results: Path, home: Path) -> dict[str, str]:
    """The program's settings. ECR does not create repositories at a push, so they are created here."""
    with aws_client(server) as ecr:
        for name in REPOSITORIES:
            ecr.create_repository(repositoryName=name)
    settings = {
        "OCI_REGISTRY": f"{server.host}:{server.port}",
        "OCI_TLS": "disabled",
        "OCI_REPO1": REPOSITORIES[0],
        "OCI_REPO2": REPOSITORIES[1],
        "OCI_USERNAME": server.environment["AWS_ACCESS_KEY_ID"],
        "OCI_PASSWORD": server.environment["AWS_SECRET_ACCESS_KEY"],
        "OCI_VERSION": version,
        "OCI_RESULTS_DIR": str(results),
        **{f"OCI_{name}": "true" for name in OFF_UNLESS_ASKED_FOR},
    }
    own = {name: value for name, value in program_environment(home).items() if not name.startswith("OCI_")}
    return own | settings


def switched_off(report: Path) -> list[str]:
    """The options below `apis` and `data` in the configuration that the program reports, unless they are on."""
    found = re.search(r"^  apis:\n(.*?)^  roData:", report.read_text(), re.MULTILINE | re.DOTALL)
    assert found, report.read_text()
    options = [line.strip() for line in found[1].splitlines() if not line.endswith(":")]
    assert len(options) >= len(OFF_UNLESS_ASKED_FOR)
    return [option for option in options if not option.endswith(": true")]


def keep(results: Path, name: str) -> None:
    """Copy the reports, which also exist after a failure, to the folder that keeps them."""
    if (folder := os.environ.get(REPORTS)) and results.is_dir():
        shutil.copytree(results, Path(folder) / name, dirs_exist_ok=True)
