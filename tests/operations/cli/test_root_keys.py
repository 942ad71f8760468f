"""The root access key and the first account, as settings choose them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.ecr.wire import client_of, refusal
from tests.conftest import StartServer
from tests.operations.cli.conftest import Command
from tests.support.http_client import Docker
from tests.support.port_mapping import mapped_port

CHOSEN = {"MOORAGE_ROOT_ACCESS_KEY_ID": "test", "MOORAGE_ROOT_SECRET_ACCESS_KEY": "secret"}
STRONG = "kQ3v9ZpL2xT8wRb5Nc7YhJm4Sd6Gf1Au"


def test_clients_use_the_chosen_key_in_the_chosen_account(fresh_server: StartServer) -> None:
    server = fresh_server(extra_env=CHOSEN | {"MOORAGE_ACCOUNT": "123456789012"})
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "secret"}

    ecr, sts = client_of(server, **keys), client_of(server, "sts", **keys)

    assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:root"
    assert ecr.create_repository(repositoryName="team/app")["repository"]["registryId"] == "123456789012"
    assert server.environment["AWS_ACCESS_KEY_ID"] == "test"
    assert Docker(server.host, server.port, "secret", user="test").get("/v2/").status == 200


def test_commands_use_the_chosen_account(fresh_server: StartServer, command: Command, tmp_path: Path) -> None:
    server = fresh_server(extra_args=("--account", "123456789012"))
    file = tmp_path / "moorage.toml"
    file.write_text(f'account = "123456789012"\ndata = "{server.data}"\n')

    made = command("user", "create", "ann", "--config", str(file))

    assert made.code == 0, made.err
    assert "ann" in command("user", "list", "--account", "123456789012", "--data", str(server.data)).out
    refused = command("user", "create", "ann", "--data", str(server.data))
    assert "there is no account '000000000000'" in refused.err


def test_a_chosen_key_replaces_the_one_of_the_first_start_and_its_own_former_secret(fresh_server: StartServer) -> None:
    server = fresh_server()
    former = client_of(server)
    server.restart(extra_env=CHOSEN)
    server.restart(extra_env=CHOSEN | {"MOORAGE_ROOT_SECRET_ACCESS_KEY": "another"})

    assert refusal(former.describe_registry).code == "UnrecognizedClientException"
    old = client_of(server, aws_access_key_id="test", aws_secret_access_key="secret")
    assert refusal(old.describe_registry).code == "InvalidSignatureException"
    assert client_of(server, aws_access_key_id="test", aws_secret_access_key="another").describe_registry()
    assert server.moorage("key", "list").startswith("test\tactive")
    server.restart()
    assert "AWS_SECRET_ACCESS_KEY=another\n" in server.moorage("env")


def test_the_key_of_another_user_is_not_taken_over(fresh_server: StartServer, command: Command) -> None:
    server = fresh_server()
    server.moorage("user", "create", "ann")
    key = server.moorage("key", "create", "--user", "ann").split("AWS_ACCESS_KEY_ID=")[1].split()[0]
    server.stop()

    ended = command("serve", "--data", str(server.data), extra=CHOSEN | {"MOORAGE_ROOT_ACCESS_KEY_ID": key})

    assert (ended.code, ended.err) == (1, f"Error: access key '{key}' belongs to user 'ann': choose another id\n")


def test_an_account_that_does_not_exist_is_not_added_to_a_registry(fresh_server: StartServer, command: Command) -> None:
    server = fresh_server()
    server.stop()

    ended = command("serve", "--data", str(server.data), "--account", "123456789012")

    assert ended.code == 1
    assert "there is no account '123456789012'" in ended.err


@pytest.mark.parametrize(
    ("variables", "arguments", "message"),
    [
        ({"MOORAGE_ROOT_ACCESS_KEY_ID": "test"}, (), "must be set together"),
        (CHOSEN, ("--listen", "0.0.0.0:0"), "too weak for that: it has fewer than 32 characters"),
        (CHOSEN, ("--trusted-proxy", "127.0.0.1"), "too weak for that: it has fewer than 32 characters"),
        (CHOSEN | {"MOORAGE_ROOT_ACCESS_KEY_ID": "ASIAX"}, (), "without ASIA in front"),
        (CHOSEN | {"MOORAGE_ROOT_SECRET_ACCESS_KEY": "a b"}, (), "ASCII without spaces"),
        ({"MOORAGE_ACCOUNT": "12345"}, (), "must be an account id of 12 digits"),
    ],
)
def test_a_key_or_account_that_cannot_be_used_is_refused(
    command: Command, tmp_path: Path, variables: dict[str, str], arguments: tuple[str, ...], message: str
) -> None:
    ended = command("serve", "--data", str(tmp_path / "data"), *arguments, extra=variables)

    assert ended.code == 2
    assert message in ended.err
    assert "a b" not in ended.err
    assert not (tmp_path / "data").exists()


def test_a_strong_key_may_be_used_on_all_addresses(fresh_server: StartServer) -> None:
    strong = CHOSEN | {"MOORAGE_ROOT_SECRET_ACCESS_KEY": STRONG}
    server = fresh_server(extra_env=strong, extra_args=("--trusted-proxy", "127.0.0.1"))

    assert client_of(server, aws_access_key_id="test", aws_secret_access_key=STRONG).describe_registry()


def test_addresses_have_the_host_and_port_of_a_port_mapping(fresh_server: StartServer) -> None:
    server = fresh_server(extra_env=CHOSEN)
    with mapped_port(server.port) as port:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "secret"}
        server.environment["AWS_ENDPOINT_URL_ECR"] = f"http://localhost:{port}"
        ecr = client_of(server, **keys)

        made = ecr.create_repository(repositoryName="team/app")["repository"]
        login = ecr.get_authorization_token()["authorizationData"][0]

    assert made["repositoryUri"] == f"localhost:{port}/team/app"
    assert login["proxyEndpoint"] == f"http://localhost:{port}"
