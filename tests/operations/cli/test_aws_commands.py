"""`moorage env` and `moorage ecr`, and the AWS command line with the environment of `moorage env`."""

from __future__ import annotations

import json
import re
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.operations.cli.conftest import Command
from tests.support.clients import program_environment
from tests.support.commands import Ended
from tests.support.server import Server

INITIATE = "initiate-layer-upload"
INPUT_SKELETON = '{\n    "registryId": "",\n    "repositoryName": ""\n}\n'
OUTPUT_SKELETON = '{\n    "uploadId": "uploadId",\n    "partSize": 0\n}\n'
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
REGION = {"AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module", autouse=True)
def layer_test(ecr: Any) -> None:
    """The repository of the examples; this fixture may run more than once in a process."""
    with suppress(ecr.exceptions.RepositoryAlreadyExistsException):
        ecr.create_repository(repositoryName="layer-test")


def assert_begun(ended: Ended) -> None:
    """An upload began, and it was printed as the AWS command line does."""
    assert ended.code == 0, ended.err
    printed = json.loads(ended.out)
    assert printed.keys() == {"partSize", "uploadId"}
    assert printed["partSize"] == 10_485_760
    assert re.fullmatch(UUID, printed["uploadId"])


@pytest.mark.parametrize(
    "words",
    [
        ["--repository-name", "layer-test"],
        ["--repository-name", "layer-test", "--registry-id", "000000000000"],
        ["--cli-input-json", '{"repositoryName": "layer-test"}'],
        [
            "--cli-input-json",
            '{"repositoryName": "other", "registryId": "000000000000"}',
            "--repository-name",
            "layer-test",
        ],
    ],
    ids=["name", "registry", "JSON", "an option overrides JSON"],
)
def test_an_upload_begins(command: Command, data: tuple[str, str], words: list[str]) -> None:
    assert_begun(command("ecr", *data, INITIATE, *words))


def test_input_may_be_read_from_a_file(command: Command, data: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text('{"repositoryName": "layer-test"}')

    assert_begun(command("ecr", *data, INITIATE, "--cli-input-json", f"file://{tmp_path / 'input.json'}"))


def test_the_data_folder_may_be_named_by_the_environment(command: Command, server: Server) -> None:
    assert_begun(command("ecr", INITIATE, "--repository-name", "layer-test", extra={"MOORAGE_DATA": str(server.data)}))


def test_plain_aws_works_with_the_environment(command: Command, server: Server) -> None:
    extra = server.environment

    begun = command("ecr", INITIATE, "--repository-name", "layer-test", module="awscli", extra=extra)
    who = command("sts", "get-caller-identity", "--output", "text", module="awscli", extra=extra)

    assert_begun(begun)
    assert who.out == "000000000000\tarn:aws:iam::000000000000:root\t000000000000\n"


def test_the_environment_can_be_evaluated_by_a_shell(
    command: Command, data: tuple[str, str], server: Server, tmp_path: Path
) -> None:
    printed = command("env", *data)

    assert printed.code == 0
    unset, *exports = printed.out.splitlines()
    assert unset.startswith("unset AWS_SESSION_TOKEN ")
    assert all(re.fullmatch(r"export (AWS_[A-Z_]+|MOORAGE_DATA)=\S+", line) for line in exports)
    shell = subprocess.run(
        ["sh", "-c", 'eval "$1"; env | grep -E "^(AWS_|MOORAGE_DATA)"', "sh", printed.out],
        env=program_environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    seen = dict(line.split("=", 1) for line in shell.stdout.splitlines())
    assert seen == {**server.environment, "AWS_EC2_METADATA_DISABLED": "true"}
    assert seen["AWS_ENDPOINT_URL_ECR"] == f"http://localhost:{server.port}"


@pytest.mark.parametrize(
    "misleading", ["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"]
)
def test_variables_that_would_mislead_aws_clients_have_no_effect(
    command: Command, server: Server, misleading: str
) -> None:
    extra = {misleading: "of-another-account", "MOORAGE_DATA": str(server.data)}

    assert_begun(command("ecr", INITIATE, "--repository-name", "layer-test", extra=extra))
    assert misleading in command("env", extra=extra).out.splitlines()[0].split()


def test_no_call_leaves_the_endpoint_of_the_server(command: Command, server: Server, tmp_path: Path) -> None:
    """Even if the user's configuration ignores the variables with our endpoint."""
    (tmp_path / "config").write_text("[default]\nignore_configured_endpoint_urls = true\n")
    extra = {
        "MOORAGE_DATA": str(server.data),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    }

    assert_begun(command("ecr", INITIATE, "--repository-name", "layer-test", extra=extra))


@pytest.mark.parametrize("words", [["describe-repositories"], ["delete-repository", "--force"]])
def test_without_a_server_every_call_is_refused_with_the_command_to_give(command: Command, words: list[str]) -> None:
    own = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", **REGION}

    ended = command("ecr", *words, extra=own)

    assert (ended.code, ended.out) == (1, "")
    assert "is not the data folder of a server" in ended.err
    assert ended.err.endswith(f"moorage ecr --data DIR {' '.join(words)}\n")


@pytest.mark.parametrize(
    "words", [["--generate-cli-skeleton"], ["--generate-cli-skeleton", "input", "--repository-name", "x"]]
)
def test_the_skeleton_of_the_input_needs_no_server(command: Command, words: list[str]) -> None:
    """Nor a data folder, credentials, a Region, or required options."""
    assert command("ecr", INITIATE, *words) == (0, INPUT_SKELETON, "")


def test_the_skeleton_of_the_output_needs_no_server(command: Command) -> None:
    words = ["--generate-cli-skeleton", "output", "--repository-name", "layer-test"]

    assert command("ecr", INITIATE, *words, extra=REGION) == (0, OUTPUT_SKELETON, "")


def test_the_skeleton_of_the_output_sends_no_request(command: Command, server: Server) -> None:
    """Also if there is a server: it would reject the name."""
    extra = {"MOORAGE_DATA": str(server.data)}
    words = ["--generate-cli-skeleton", "output", "--repository-name", "NO SUCH NAME"]

    assert command("ecr", INITIATE, *words, extra=extra) == (0, OUTPUT_SKELETON, "")


def test_help_needs_no_server(command: Command) -> None:
    ended = command("ecr", INITIATE, "help", extra={"PAGER": "cat", "AWS_PAGER": "cat"})

    assert ended.code == 0
    text = re.sub(r".\x08", "", ended.out)
    for words in ("--repository-name", "--registry-id", "--cli-input-json", "--generate-cli-skeleton", "uploadId"):
        assert words in text


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "the following arguments are required: --repository-name"),
        (["--repository-name", "x"], 255, "Invalid length for parameter repositoryName, value: 1, valid min length: 2"),
        (
            ["--repository-name", "not-there"],
            255,
            (
                "An error occurred (RepositoryNotFoundException) when calling the InitiateLayerUpload operation: "
                "The repository with name 'not-there' does not exist in the registry with id '000000000000'"
            ),
        ),
        (
            ["--repository-name", "UPPER"],
            255,
            (
                "An error occurred (InvalidParameterException) when calling the InitiateLayerUpload operation: "
                "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression "
            ),
        ),
        (
            ["--repository-name", "layer-test", "--registry-id", "12"],
            255,
            (
                "Invalid parameter at 'registryId' failed to satisfy constraint: "
                "'Member must satisfy regular expression pattern: [0-9]{12}'"
            ),
        ),
        (
            ["--cli-input-json", '{"foo": 1, "repositoryName": "layer-test"}'],
            255,
            'Unknown parameter in input: "foo", must be one of: registryId, repositoryName',
        ),
        (["--cli-input-json", "{"], 255, "Error parsing parameter 'cli-input-json': Invalid JSON: "),
        (["--generate-cli-skeleton", "other"], 2, "Invalid choice, valid choices are:"),
    ],
)
def test_errors_are_reported_with_their_exit_code(
    command: Command, data: tuple[str, str], words: list[str], code: int, message: str
) -> None:
    ended = command("ecr", *data, INITIATE, *words)

    assert (ended.code, ended.out) == (code, "")
    assert message in ended.err


def test_the_newest_operations_are_available(command: Command, data: tuple[str, str]) -> None:
    """The AWS command line's own model lacks them."""
    ended = command("ecr", *data, "list-replication-backfills")

    assert (ended.code, json.loads(ended.out)) == (0, {"backfills": []})


def test_a_login_password_is_one_line_without_a_colon(command: Command, data: tuple[str, str]) -> None:
    ended = command("ecr", *data, "get-login-password")

    assert ended.code == 0
    assert re.fullmatch(r"[^:\s]+\n", ended.out)


def test_a_layer_is_pushed_by_commands_alone(command: Command, data: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "layer").write_bytes(b"\x1f\x8b by the command line")
    named = ["--repository-name", "layer-test"]
    upload = json.loads(command("ecr", *data, INITIATE, *named).out)["uploadId"]

    part = ["--part-first-byte", "0", "--part-last-byte", "21", "--layer-part-blob", f"fileb://{tmp_path / 'layer'}"]
    sent = command("ecr", *data, "upload-layer-part", *named, "--upload-id", upload, *part)
    wrong = ["--upload-id", upload, "--layer-digests", "sha256:" + "0" * 64]
    refused = command("ecr", *data, "complete-layer-upload", *named, *wrong)

    assert json.loads(sent.out)["lastByteReceived"] == 21
    assert refused.code == 255
    assert "None of the provided layer digests match the calculated layer digest" in refused.err


@pytest.mark.parametrize("words", [["env"], ["user", "list"], ["key", "list"], ["key", "create"]])
def test_a_folder_without_data_is_reported_with_what_to_do(command: Command, tmp_path: Path, words: list[str]) -> None:
    ended = command(*words, "--data", str(tmp_path / "nothing"))

    assert (ended.code, ended.out) == (1, "")
    assert f"moorage serve --data {tmp_path / 'nothing'}" in ended.err
    assert not (tmp_path / "nothing").exists()
