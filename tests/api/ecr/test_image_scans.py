"""Scans of images with boto3 and the AWS CLI, on a server without a scanner: refusals, failures and waiters."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest

from tests.api.ecr import pushing
from tests.api.ecr.wire import ACCOUNT, Refusal, refusal
from tests.conftest import StartServer
from tests.support.aws import aws_client
from tests.support.images import Image, artifact, image, index
from tests.support.server import Server
from tests.support.waiting import wait_until

_numbers = itertools.count()
_ANSWERED = {"registryId", "repositoryName", "imageId", "imageScanStatus"}


def push(ecr: Any, repository: str, pushed: Image, *tags: str) -> str:
    """Push an image, and return its digest."""
    return pushing.push(ecr, repository, pushed, *tags).manifest.digest


def status(ecr: Any, repository: str, **image_id: str) -> dict[str, str]:
    found = ecr.describe_image_scan_findings(repositoryName=repository, imageId=image_id)
    return dict(found["imageScanStatus"])


def missing_scan(digest: str, repository: str, tag: str = "null") -> Refusal:
    message = (
        f"Image scan does not exist for the image with '{{imageDigest:'{digest}', imageTag:'{tag}'}}' "
        f"in the repository with name '{repository}' in the registry with id '{ACCOUNT}'"
    )
    return Refusal(400, "ScanNotFoundException", message)


def test_an_image_that_was_not_scanned_has_no_scan(ecr: Any, repository: str) -> None:
    digest = push(ecr, repository, image(), "v1")
    describe = ecr.describe_image_scan_findings

    by_digest = refusal(describe, repositoryName=repository, imageId={"imageDigest": digest})
    by_tag = refusal(describe, repositoryName=repository, imageId={"imageTag": "v1"})

    assert by_digest == missing_scan(digest, repository)
    assert by_tag == missing_scan(digest, repository, "v1")
    (detail,) = ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert "imageScanStatus" not in detail


def test_a_scan_without_a_scanner_fails_and_the_waiter_ends(ecr: Any, repository: str) -> None:
    """Never COMPLETE without a scan. A failed scan can be started again at once."""
    digest = push(ecr, repository, image(), "v1")
    for _ in range(2):
        answer = ecr.start_image_scan(repositoryName=repository, imageId={"imageTag": "v1"})

        answer.pop("ResponseMetadata")
        assert answer == {
            "registryId": ACCOUNT,
            "repositoryName": repository,
            "imageId": {"imageDigest": digest, "imageTag": "v1"},
            "imageScanStatus": {"status": "IN_PROGRESS"},
        }
        waiter = ecr.get_waiter("image_scan_complete")
        with pytest.raises(botocore.exceptions.WaiterError, match="terminal failure state"):
            waiter.wait(
                repositoryName=repository, imageId={"imageTag": "v1"}, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
            )

    found = status(ecr, repository, imageDigest=digest)
    assert found["status"] == "FAILED"
    assert found["description"].startswith("No scanner is configured on this server")
    (detail,) = ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert detail["imageScanStatus"] == found
    assert "imageScanFindingsSummary" not in detail


def test_a_scan_on_push_is_there_as_soon_as_the_push_is_answered(ecr: Any, repository: str) -> None:
    """Otherwise a client that pushes and waits would meet ScanNotFoundException."""
    setting = {"scanOnPush": True}
    ecr.put_image_scanning_configuration(repositoryName=repository, imageScanningConfiguration=setting)

    digest = push(ecr, repository, image(), "v1")

    assert status(ecr, repository, imageDigest=digest)["status"] in {"IN_PROGRESS", "FAILED"}
    wait_until(lambda: status(ecr, repository, imageDigest=digest)["status"] == "FAILED")


def test_lists_of_images_and_artifacts_cannot_be_scanned(ecr: Any, repository: str) -> None:
    one = image()
    push(ecr, repository, one)
    listing = push(ecr, repository, index([one]))
    note = push(ecr, repository, artifact(b"A note."))

    start = ecr.start_image_scan
    refused = [refusal(start, repositoryName=repository, imageId={"imageDigest": digest}) for digest in (listing, note)]

    assert [one.code for one in refused] == ["UnsupportedImageTypeException"] * 2
    assert refused[0].message.endswith("cannot be scanned: it is a list of images")
    assert refused[1].message.endswith("cannot be scanned: its type is application/vnd.example.note")
    found = refusal(ecr.describe_image_scan_findings, repositoryName=repository, imageId={"imageDigest": listing})
    assert found == missing_scan(listing, repository)


def test_an_archived_image_cannot_be_scanned(ecr: Any, repository: str) -> None:
    digest = push(ecr, repository, image(), "v1")
    target = {"imageDigest": digest}
    ecr.update_image_storage_class(repositoryName=repository, imageId=target, targetStorageClass="ARCHIVE")

    refused = refusal(ecr.start_image_scan, repositoryName=repository, imageId=target)

    assert refused == Refusal(400, "ImageArchivedException", "The specified image is archived and cannot be scanned.")


def test_images_and_repositories_that_do_not_exist_are_refused(ecr: Any, repository: str) -> None:
    for call in (ecr.start_image_scan, ecr.describe_image_scan_findings):
        missing = refusal(call, repositoryName=repository, imageId={"imageTag": "none"})
        nowhere = refusal(call, repositoryName="none", imageId={"imageTag": "none"})

        assert missing.code == "ImageNotFoundException"
        assert nowhere.code == "RepositoryNotFoundException"


def test_enhanced_scanning_refuses_scans_on_request(clients: Callable[..., Any]) -> None:
    """The text was captured (ecr-behaviour.md §2.3)."""
    ecr = clients(region=f"scan-enhanced-{next(_numbers)}")
    ecr.create_repository(repositoryName="team/app")
    push(ecr, "team/app", image(), "v1")
    ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=[])

    refused = refusal(ecr.start_image_scan, repositoryName="team/app", imageId={"imageTag": "v1"})

    assert refused == Refusal(400, "ValidationException", "This feature is disabled")


@pytest.mark.client
def test_the_aws_cli_starts_a_scan_and_its_waiter_ends(
    ecr: Any, server: Server, repository: str, tmp_path: Path
) -> None:
    push(ecr, repository, image(), "v1")

    def aws(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "awscli", "ecr", *arguments]
        options = ["--repository-name", repository, "--image-id", "imageTag=v1"]
        environment = server.client_environment(tmp_path)
        return subprocess.run([*command, *options], env=environment, capture_output=True, check=False)

    started = aws("start-image-scan")
    wait_until(lambda: status(ecr, repository, imageTag="v1")["status"] == "FAILED")
    waited = aws("wait", "image-scan-complete")

    assert (started.returncode, waited.returncode) == (0, 255)
    assert b"terminal failure state" in waited.stderr


def test_a_waiting_scan_shows_no_findings(ecr: Any, repository: str) -> None:
    push(ecr, repository, image(), "v1")
    ecr.start_image_scan(repositoryName=repository, imageId={"imageTag": "v1"})

    answer = ecr.describe_image_scan_findings(repositoryName=repository, imageId={"imageTag": "v1"})

    answer.pop("ResponseMetadata")
    assert answer.keys() == _ANSWERED


def test_a_push_whose_server_is_killed_before_the_scan_is_scanned_after_the_next_start(
    fresh_server: StartServer,
) -> None:
    """The server ends when the push is committed and not yet answered."""
    server = fresh_server(extra_env={"MOORAGE_FAILPOINTS": "M3=kill"})
    one = image()
    with aws_client(server) as ecr:
        ecr.create_repository(repositoryName="team/app", imageScanningConfiguration={"scanOnPush": True})
        pushing.upload_blobs(ecr, "team/app", one.blobs)
        with pytest.raises(botocore.exceptions.BotoCoreError):
            pushing.put(ecr, "team/app", one, "v1")
    server.kill()

    server.start()

    with aws_client(server) as ecr:
        wait_until(lambda: status(ecr, "team/app", imageTag="v1")["status"] == "FAILED")
