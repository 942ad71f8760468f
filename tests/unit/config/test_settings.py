"""Settings: where they come from, what they accept, and the messages for invalid ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from moorage.config import sources
from moorage.config.settings import TABLE, Settings
from moorage.config.sources import load, registry_at
from moorage.config.table import InvalidSetting


def refusal(arguments: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    with pytest.raises(InvalidSetting) as refused:
        load(arguments, environment)
    return str(refused.value)


def test_every_default_is_a_valid_value(tmp_path: Path) -> None:
    given = {entry.variable: entry.default for entry in TABLE if entry.default is not None}

    settings = load({}, {**given, "MOORAGE_DATA": str(tmp_path)})

    assert {entry.name for entry in TABLE if getattr(settings, entry.name) != getattr(Settings(), entry.name)} == {
        "data",
        "kms_key",  # This one and the next compare by identity.
        "upstream",
    }


def test_an_argument_overrides_a_variable_which_overrides_the_file(tmp_path: Path) -> None:
    file = tmp_path / "moorage.toml"
    file.write_text('workers = 1\nregion = "eu-west-1"\ndomain = "file.example"\n')
    environment = {"MOORAGE_CONFIG": str(file), "MOORAGE_REGION": "eu-west-2", "MOORAGE_DOMAIN": "variable.example"}

    settings = load({"domain": "argument.example", "workers": None}, environment)

    assert (settings.workers, settings.region, settings.domain) == (1, "eu-west-2", "argument.example")


def test_a_file_may_use_the_types_of_toml(tmp_path: Path) -> None:
    file = tmp_path / "moorage.toml"
    file.write_text('tls = true\ntls_name = ["a.example", "b.example"]\ntraces_share = 0.5\ngrace_period = 90\n')

    settings = load({"config": str(file)}, {})

    assert (settings.tls, settings.tls_name) == (True, ("a.example", "b.example"))
    assert (settings.traces_share, settings.grace_period) == (0.5, 90.0)


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("registry.example", "registry.example:5000"),
        ("localhost:5001", "localhost:5001"),
        ("192.0.2.7:443", "192.0.2.7:443"),
        ("2001:db8::1", "[2001:db8::1]:5000"),
        ("[2001:db8::1]:5001", "[2001:db8::1]:5001"),
    ],
)
def test_a_host_name_has_the_port_of_the_server_unless_it_has_its_own(given: str, host: str) -> None:
    assert load({}, {"MOORAGE_HOST_NAME": given}).public_host == host


@pytest.mark.parametrize("given", ["a:0", "a:65536", "a:", ":5000", "a:b", "a:1:2", "[a]:1", "[::1", "http://a", "a/b"])
def test_a_host_name_that_no_url_can_have_is_refused(given: str) -> None:
    assert refusal({}, {"MOORAGE_HOST_NAME": given}) == (
        f"MOORAGE_HOST_NAME must be a host name or an address, with or without a port, not {given!r}."
    )


@pytest.mark.parametrize("text", ["0", "false", "No", "OFF"])
def test_a_switch_is_off_for_four_words_and_on_otherwise(text: str) -> None:
    assert load({}, {"MOORAGE_ACCESS_LOG": text}).access_log is False
    assert load({}, {"MOORAGE_AUDIT_READS": f"not-{text}"}).audit_reads is True


def test_several_values_are_separated_by_commas_or_given_repeatedly() -> None:
    variable = load({"tls": True}, {"MOORAGE_TLS_NAME": "a.example, 192.0.2.7,"})
    options = load({"tls": True, "tls_name": ("a.example", "192.0.2.7")}, {})

    assert variable.tls_name == options.tls_name == ("a.example", "192.0.2.7")


def test_an_invalid_value_is_reported_with_its_source(tmp_path: Path) -> None:
    file = tmp_path / "moorage.toml"
    file.write_text("workers = 2.5\n")

    assert refusal({"workers": "many"}, {}) == "--workers must be a whole number, 0 or more, not 'many'."
    assert refusal({}, {"MOORAGE_WORKERS": "-1"}) == "MOORAGE_WORKERS must be a whole number, 0 or more, not '-1'."
    assert refusal({"config": str(file)}, {}) == f"workers in {file} must be a whole number, 0 or more, not 2.5."


def test_a_setting_that_occurs_twice_in_a_file_is_rejected_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "moorage.toml"
    file.write_text("workers = 2\nworkers = 3\n")

    message = refusal({"config": str(file)}, {})

    assert message.startswith(f"The configuration file {file} is not valid TOML: Cannot overwrite a value (at line 2")


def test_a_name_that_occurs_twice_in_one_setting_is_rejected() -> None:
    key, other = (f"arn:aws:kms:us-east-1:000000000000:key/{name}" for name in ("a", "b"))
    twice = f"alias/team={key},alias/team={other}"

    quota = ("repositories=1", "repositories=2")
    assert refusal({"quota": quota}, {}) == "--quota is invalid: repositories is set twice."
    assert refusal({}, {"MOORAGE_KMS_KEY": twice}) == "MOORAGE_KMS_KEY is invalid: alias/team names two keys."
    load({}, {"MOORAGE_KMS_KEY": f"alias/team={key},alias/team={key},alias/other={key}"})
    reserved = refusal({}, {"MOORAGE_KMS_KEY": f"alias/aws/ecr={key}"})
    assert "alias/aws/ecr is reserved for AWS" in reserved


def test_a_choice_is_one_of_its_names() -> None:
    assert load({}, {"MOORAGE_LOCATIONS": "relative"}).locations == "relative"
    assert refusal({}, {"MOORAGE_LOCATIONS": "whole"}) == (
        "MOORAGE_LOCATIONS must be auto, absolute or relative, not 'whole'."
    )


@pytest.mark.parametrize("name", [entry.name for entry in TABLE])
def test_no_invalid_value_of_a_file_causes_a_traceback(name: str, tmp_path: Path) -> None:
    file = tmp_path / "moorage.toml"
    for value in ("-7", "1.5", "[1]", "{a = 1}", "1979-05-27", '"\\u0000 ?"', '""', "[]"):
        file.write_text(f"{name} = {value}\n")
        try:
            load({"config": str(file)}, {})
        except InvalidSetting as refused:
            assert name in str(refused).replace("-", "_").lower()  # noqa: PT017 - some values are valid for some settings


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"METRICS": "127.0.0.1:5000"}, "--metrics must not use the same address as --listen (127.0.0.1:5000)."),
        ({"TLS_CERT": "a"}, "--tls-cert and --tls-key must be set together."),
        ({"TLS_NAME": "a"}, "--tls-name adds names to the certificate that --tls creates: set --tls, too."),
        ({"TRACES": "here"}, "MOORAGE_TRACES must be the URL of an OpenTelemetry collector"),
        ({"QUOTA": "cats=1"}, "MOORAGE_QUOTA is invalid: 'cats=1' is not NAME=NUMBER"),
        ({"DATABASE_CONNECTIONS": "1"}, "MOORAGE_DATABASE_CONNECTIONS must be a whole number, 2 or more, not '1'."),
        ({"AUDIT_LOG": ""}, "MOORAGE_AUDIT_LOG must be the path of a file, or none, not ''."),
    ],
)
def test_messages_say_what_to_do(variables: dict[str, str], message: str) -> None:
    assert refusal({}, {f"MOORAGE_{name}": value for name, value in variables.items()}).startswith(message)


def test_secrets_are_in_no_message_and_no_representation() -> None:
    secrets = {"MOORAGE_DATABASE": "postgresql://me:hidden@db/rows", "MOORAGE_S3_SECRET_ACCESS_KEY": "hidden"}

    assert "hidden" not in repr(load({}, secrets))
    assert "hidden" not in refusal({}, {"MOORAGE_DATABASE": "mysql://me:hidden@db/rows"})
    assert "hidden" not in refusal({}, {"MOORAGE_MASTER_KEY": "hidden"})


def test_for_a_named_registry_only_secrets_come_from_the_environment(tmp_path: Path) -> None:
    settings = registry_at(tmp_path, {"MOORAGE_REGION": "eu-west-1", "MOORAGE_S3_ACCESS_KEY_ID": "id"})

    assert (settings.data, settings.region, settings.s3_access_key_id) == (tmp_path, "us-east-1", "id")


def test_the_folder_that_make_serve_noted_is_the_default_unless_another_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = tmp_path / "data-folder"
    noted.write_text(f"{tmp_path / 'served'}\n")
    monkeypatch.setattr(sources, "_NOTED_FOLDER", noted)

    assert load({}, {"HOME": str(tmp_path)}).data == tmp_path / "served"
    assert load({}, {"HOME": str(tmp_path), "XDG_DATA_HOME": "/var/data"}).data == Path("/var/data/moorage")
    assert load({}, {"HOME": str(tmp_path), "MOORAGE_DATA": "/srv/registry"}).data == Path("/srv/registry")
    noted.unlink()
    assert load({}, {"HOME": str(tmp_path)}).data == tmp_path / ".local" / "share" / "moorage"
