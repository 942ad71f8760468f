"""`moorage env` and `moorage ecr`: the AWS CLI, configured for this server.

`moorage ecr` runs the AWS CLI itself, with endpoint, keys and Region set. The ECR model of the AWS CLI lacks the newest
operations, so it is given botocore's data, which has all of them.
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
from moorage.cli.folders import existing_folder
from moorage.cli.options import with_registry
from moorage.config.settings import Settings
from moorage.config.sources import inherited


@click.command()
@with_registry
def env(settings: Settings) -> None:
    """Print shell exports for AWS clients: eval "$(moorage env)"."""
    for name, value in _environment(existing_folder(settings), settings).items():
        click.echo(f"export {name}={shlex.quote(value)}")


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@with_registry
def ecr(arguments: tuple[str, ...], settings: Settings) -> None:
    """Run an `ecr` command of the AWS CLI against this server: moorage ecr [--data DIR] OPERATION ….

    Moorage's own options come first. Everything after them is passed to the AWS CLI.
    """
    if importlib.util.find_spec("awscli") is None:
        raise click.ClickException("This command needs the AWS CLI: run pip install 'moorage[cli]'.")
    variables = inherited() | _environment_if_any(settings) | _model()
    command = [sys.executable, "-m", "awscli", "ecr", *(arguments or ["help"])]
    sys.stdout.flush()
    os.execve(sys.executable, command, variables)  # noqa: S606 - no shell: the arguments are passed as they are


def _environment_if_any(settings: Settings) -> dict[str, str]:
    """The variables for the server; none if no server ever ran, so that `help` and skeletons work without one."""
    folder = DataFolder(settings.data)
    return _environment(folder, settings) if folder.database.exists() or folder.credentials() else {}


def _environment(folder: DataFolder, settings: Settings) -> dict[str, str]:
    credentials = folder.credentials()
    if credentials is None:
        raise click.ClickException(f"{folder.path} has no root access key. Start the server there once.")
    endpoint, bundle = folder.endpoint() or (f"{settings.scheme}://{settings.public_host}", None)
    return {
        **({} if bundle is None else {"AWS_CA_BUNDLE": str(bundle.absolute())}),
        "AWS_ENDPOINT_URL_ECR": endpoint,
        "AWS_ENDPOINT_URL_STS": endpoint,
        "AWS_ACCESS_KEY_ID": credentials[0],
        "AWS_SECRET_ACCESS_KEY": credentials[1],
        "AWS_REGION": settings.region,
        "AWS_DEFAULT_REGION": settings.region,  # what botocore and version 1 of the AWS CLI read
    }


def _model() -> dict[str, Any]:
    """The variable that gives the AWS CLI a model with all operations of ECR."""
    found = importlib.util.find_spec("botocore")
    if found is None or not found.submodule_search_locations:
        return {}
    return {"AWS_DATA_PATH": str(Path(found.submodule_search_locations[0]) / "data")}
