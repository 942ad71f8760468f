"""`moorage env` and `moorage ecr`: the AWS command line, pointed at this server.

The AWS command line is a part, not a thing to imitate: `moorage ecr …` hands over to it with endpoint, keys and region
set. It carries an ECR model that lacks the newest operations, so it is pointed at botocore's data, which has all.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from moorage.adapters.data_folder import DataFolder
from moorage.cli.options import config_option, data_option, existing_folder, settings_of
from moorage.config import inherited


@click.command()
@data_option
@config_option
def env(data: Path | None, config: str | None) -> None:
    """Print shell exports for the AWS clients: eval "$(moorage env)"."""
    for name, value in _environment(existing_folder(data, config), config).items():
        click.echo(f"export {name}={shlex.quote(value)}")


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def ecr(arguments: tuple[str, ...]) -> None:
    """Run the AWS command line's `ecr` commands against this server: moorage ecr [--data DIR] OPERATION …."""
    data, rest = _without_data(list(arguments))
    if importlib.util.find_spec("awscli") is None:
        raise click.ClickException("the AWS command line is missing: pip install 'moorage[cli]'")
    variables = inherited() | _environment_if_any(data) | _model()
    command = [sys.executable, "-m", "awscli", "ecr", *(rest or ["help"])]
    sys.stdout.flush()
    os.execve(sys.executable, command, variables)  # noqa: S606 - no shell: the arguments go as they are


def _without_data(arguments: list[str]) -> tuple[Path | None, list[str]]:
    """Take our own option off the front; all others are the AWS command line's."""
    if len(arguments) >= 2 and arguments[0] == "--data":
        return Path(arguments[1]), arguments[2:]
    if arguments and arguments[0].startswith("--data="):
        return Path(arguments[0].removeprefix("--data=")), arguments[1:]
    return None, arguments


def _environment_if_any(data: Path | None) -> dict[str, str]:
    """The server's variables; none where no server ever ran, so that `help` and skeletons work all the same."""
    folder = DataFolder(settings_of({"data": data}).data)
    return _environment(folder, None) if folder.database.exists() or folder.credentials() else {}


def _environment(folder: DataFolder, config: str | None) -> dict[str, str]:
    settings = settings_of({"data": folder.path, "config": config})
    credentials = folder.credentials()
    if credentials is None:
        raise click.ClickException(f"{folder.path} has no root access key: start the server there once")
    endpoint, bundle = folder.endpoint() or (f"{settings.scheme}://{settings.public_host}", None)
    return {
        **({} if bundle is None else {"AWS_CA_BUNDLE": str(bundle.absolute())}),
        "AWS_ENDPOINT_URL_ECR": endpoint,
        "AWS_ENDPOINT_URL_STS": endpoint,
        "AWS_ACCESS_KEY_ID": credentials[0],
        "AWS_SECRET_ACCESS_KEY": credentials[1],
        "AWS_REGION": settings.region,
        "AWS_DEFAULT_REGION": settings.region,  # what botocore and version 1 of the AWS command line read
    }


def _model() -> dict[str, Any]:
    """Where the AWS command line finds the model with all operations of ECR."""
    found = importlib.util.find_spec("botocore")
    if found is None or not found.submodule_search_locations:
        return {}
    return {"AWS_DATA_PATH": str(Path(found.submodule_search_locations[0]) / "data")}
