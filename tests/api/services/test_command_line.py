"""The AWS command line with secrets and signing profiles, as the documents show it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Server


@pytest.fixture
def aws(server: Server, tmp_path: Path) -> Any:
    """Runs a command, and returns what it printed as JSON."""
    variables = server.client_environment(tmp_path) | {
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": server.url,
        "AWS_ENDPOINT_URL_SIGNER": server.url,
    }

    def run(*words: str) -> Any:
        ended = subprocess.run(["aws", *words], env=variables, capture_output=True, text=True, check=False, timeout=120)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout) if ended.stdout.strip() else None

    return run


def test_a_secret_is_stored_read_and_deleted(aws: Any, name: str) -> None:
    credentials = '{"username": "a", "accessToken": "b"}'

    created = aws("secretsmanager", "create-secret", "--name", name, "--secret-string", credentials)
    read = aws("secretsmanager", "get-secret-value", "--secret-id", name)

    assert (read["ARN"], read["SecretString"]) == (created["ARN"], credentials)
    deleted = aws("secretsmanager", "delete-secret", "--secret-id", name, "--force-delete-without-recovery")
    assert deleted["ARN"] == created["ARN"]


def test_a_signing_profile_is_created_and_canceled(aws: Any) -> None:
    name = ("--profile-name", "of_the_command_line")

    made = aws("signer", "put-signing-profile", *name, "--platform-id", "Notation-OCI-SHA384-ECDSA")
    aws("signer", "tag-resource", "--resource-arn", made["arn"], "--tags", "team=a")
    read = aws("signer", "get-signing-profile", *name)
    aws("signer", "cancel-signing-profile", *name)

    assert (read["arn"], read["status"], read["tags"]) == (made["arn"], "Active", {"team": "a"})
    profiles = aws("signer", "list-signing-profiles", "--include-canceled")["profiles"]
    assert "Canceled" in {profile["status"] for profile in profiles if profile["arn"] == made["arn"]}
