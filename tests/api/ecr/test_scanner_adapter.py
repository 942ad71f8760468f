"""A scan by a scanner adapter (Harbor's API), which pulls the image from the server itself."""

from __future__ import annotations

from typing import Any

from tests.api.ecr.pushing import push
from tests.conftest import StartServer
from tests.support.aws import aws_client
from tests.support.harbor_adapter import running_adapter
from tests.support.images import image
from tests.support.vulnerabilities import DEBIAN


def test_an_adapter_pulls_the_image_that_it_scans_and_no_other_one(fresh_server: StartServer) -> None:
    pushed = image([DEBIAN])
    with running_adapter() as adapter:
        adapter.pulls = True
        server = fresh_server(extra_env={"MOORAGE_SCANNER": adapter.url})
        with aws_client(server, "ecr") as ecr:
            for name in ("team/app", "elsewhere"):
                ecr.create_repository(
                    repositoryName=name, imageScanningConfiguration={"scanOnPush": name == "team/app"}
                )
                push(ecr, name, pushed, "v1")
            ecr.get_waiter("image_scan_complete").wait(repositoryName="team/app", imageId={"imageTag": "v1"})

            found = findings(ecr, "team/app")
            refused = server.moorage_error("sbom", "team/app:v1")
            missing = server.moorage_error("sbom", "team/app")
            detail = ecr.describe_images(repositoryName="team/app")["imageDetails"][0]

    assert [(one["name"], one["severity"]) for one in found] == [("CVE-2099-0001", "HIGH")]
    assert adapter.pulled == [200, 403]
    assert adapter.requests[0]["registry"]["url"] == server.url.replace("127.0.0.1", "localhost")
    assert refused == "team/app:v1 has no bill of materials: scan the image."
    assert "latest" in missing
    assert "lastRecordedPullTime" not in detail


def findings(ecr: Any, repository: str) -> list[dict[str, Any]]:
    answer = ecr.describe_image_scan_findings(repositoryName=repository, imageId={"imageTag": "v1"})
    return list(answer["imageScanFindings"]["findings"])
