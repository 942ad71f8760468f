"""PutImageScanningConfiguration: the setting is stored and shown, although nothing scans yet."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.refusals import no_repository
from tests.api.ecr.wire import ACCOUNT, Wire, refusal
from tests.support.server import Server


def described(ecr: Any, repository: str) -> dict[str, Any]:
    (found,) = ecr.describe_repositories(repositoryNames=[repository])["repositories"]
    return dict(found)


@pytest.mark.parametrize("scan_on_push", [True, False])
def test_the_setting_is_returned_and_described(ecr: Any, repository: str, scan_on_push: bool) -> None:
    setting = {"scanOnPush": scan_on_push}
    ecr.put_image_scanning_configuration(
        repositoryName=repository, imageScanningConfiguration={"scanOnPush": not scan_on_push}
    )
    before = described(ecr, repository)

    answer = ecr.put_image_scanning_configuration(
        registryId=ACCOUNT, repositoryName=repository, imageScanningConfiguration=setting
    )

    answer.pop("ResponseMetadata")
    assert answer == {"registryId": ACCOUNT, "repositoryName": repository, "imageScanningConfiguration": setting}
    assert described(ecr, repository) == before | {"imageScanningConfiguration": setting}


def test_a_configuration_without_its_member_turns_scanning_off(ecr: Any, repository: str) -> None:
    """The member is optional; its default is false (API reference, ImageScanningConfiguration)."""
    ecr.put_image_scanning_configuration(repositoryName=repository, imageScanningConfiguration={"scanOnPush": True})

    answer = ecr.put_image_scanning_configuration(repositoryName=repository, imageScanningConfiguration={})

    assert answer["imageScanningConfiguration"] == {"scanOnPush": False}
    assert described(ecr, repository)["imageScanningConfiguration"] == {"scanOnPush": False}


def test_a_repository_that_does_not_exist_is_refused(ecr: Any) -> None:
    put = ecr.put_image_scanning_configuration
    assert refusal(put, repositoryName="none", imageScanningConfiguration={}) == no_repository("none")


@pytest.mark.parametrize("configuration", [{"scanOnPush": "yes"}, {"scanOnPush": 1}, [], None])
def test_a_configuration_of_another_shape_is_refused(wire: Wire, repository: str, configuration: object) -> None:
    members = {"repositoryName": repository, "imageScanningConfiguration": configuration}

    assert wire.call("PutImageScanningConfiguration", members).status == 400


def test_the_aws_cli_puts_the_setting(ecr: Any, server: Server, repository: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "awscli", "ecr", "put-image-scanning-configuration"]
    options = ["--repository-name", repository, "--image-scanning-configuration", "scanOnPush=true"]

    done = subprocess.run(
        [*command, *options], env=server.client_environment(tmp_path), capture_output=True, check=True
    )

    assert json.loads(done.stdout) == {
        "registryId": ACCOUNT,
        "repositoryName": repository,
        "imageScanningConfiguration": {"scanOnPush": True},
    }
    assert described(ecr, repository)["imageScanningConfiguration"] == {"scanOnPush": True}
