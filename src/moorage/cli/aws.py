"""`moorage env` and `moorage ecr`: the AWS CLI, configured for this server.

`moorage ecr` runs the AWS CLI itself, as `aws ecr`, with endpoint, keys and Region set. The
ECR model of the AWS CLI lacks the newest operations, so it is given botocore's data, which has all of them.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
from pathlib import Path
from typing import Any, Final

import click

import moorage
from moorage.adapters.data_folder import DataFolder
from moorage.cli.folders import existing_folder
from moorage.cli.next_commands import failure
from moorage.cli.options import with_registry
from moorage.config.settings import Settings
from moorage.config.sources import inherited

MISLEADING: Final = (
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)
"""Variables that make AWS clients use other credentials than ours, or send ours to Amazon."""

_SKELETON: Final = frozenset(
    {"--generate-cli-skeleton", *(f"--generate-cli-skeleton={form}" for form in ("input", "output"))}
)

MODELS_OF_CLIENTS: Final = Path(moorage.__file__).parent / "aws" / "data"
"""The folder with the model of the operating API in botocore's format (docs/operating-api.md)."""

_NOWHERE: Final = "http://127.0.0.1:9"
"""The endpoint of commands that send no request: nothing listens on the discard port of this machine."""


@click.command()
@with_registry
def env(settings: Settings) -> None:
    """Print shell exports for AWS clients, and for other commands of Moorage: eval "$(moorage env)"."""
    folder = existing_folder(settings)
    variables = environment_of(folder, settings) | own_model() | {"MOORAGE_DATA": str(folder.path.absolute())}
    click.echo(f"unset {' '.join(MISLEADING)}")
    for name, value in variables.items():
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
        raise failure(
            "This command needs the AWS CLI: install moorage[cli] in place of moorage. Or use another AWS CLI with the"
            " variables that `moorage env` prints."
        )
    variables = {name: value for name, value in inherited().items() if name not in MISLEADING}
    variables |= _environment_of_call(arguments, settings) | _model()
    # The option overrides what a profile says about endpoints.
    endpoint = ["--endpoint-url", variables["AWS_ENDPOINT_URL_ECR"]]
    command = [sys.executable, "-m", "awscli", *endpoint, "ecr", *(arguments or ["help"])]
    sys.stdout.flush()
    os.execve(sys.executable, command, variables)  # noqa: S606 - no shell: the arguments are passed as they are


def _environment_of_call(arguments: tuple[str, ...], settings: Settings) -> dict[str, str]:
    """The variables for the server. Without one, only help and skeletons work: no call may reach Amazon instead."""
    folder = DataFolder(settings.data)
    if folder.database.exists() or folder.credentials():
        return environment_of(folder, settings)
    if arguments and arguments[-1] != "help" and not _SKELETON.intersection(arguments):
        raise failure(
            f"{folder.path} is not the data folder of a server. Name the folder before the operation: moorage ecr"
            f" --data DIR {shlex.join(arguments)}"
        )
    return {"AWS_ENDPOINT_URL_ECR": _NOWHERE}


def environment_of(folder: DataFolder, settings: Settings) -> dict[str, str]:
    """The variables that lead AWS clients to the server of a data folder."""
    credentials = folder.credentials()
    if credentials is None:
        raise failure(f"{folder.path} has no root access key. {_where_to_find_one(settings)}")
    endpoint, bundle = folder.endpoint() or (f"{settings.scheme}://{settings.public_host}", None)
    return {
        **({} if bundle is None else {"AWS_CA_BUNDLE": str(bundle.absolute())}),
        "AWS_ENDPOINT_URL_ECR": endpoint,
        "AWS_ENDPOINT_URL_STS": endpoint,
        "AWS_ENDPOINT_URL_MOORAGE": endpoint,
        "AWS_ACCESS_KEY_ID": credentials[0],
        "AWS_SECRET_ACCESS_KEY": credentials[1],
        "AWS_REGION": settings.region,
        "AWS_DEFAULT_REGION": settings.region,  # what botocore and version 1 of the AWS CLI read
    }


def _where_to_find_one(settings: Settings) -> str:
    if settings.database is None:
        return "Start the server there once."
    return "Each node writes one to its data folder: name that folder with --data, or run `moorage key create`."


def own_model() -> dict[str, str]:
    """The variable that gives AWS clients the model of the operating API, beside those that they had."""
    own = str(MODELS_OF_CLIENTS)
    given = inherited().get("AWS_DATA_PATH", "").split(os.pathsep)
    return {"AWS_DATA_PATH": os.pathsep.join([own, *(path for path in given if path and path != own)])}


def _model() -> dict[str, Any]:
    """The variable that gives the AWS CLI a model with all operations of ECR."""
    found = importlib.util.find_spec("botocore")
    if found is None or not found.submodule_search_locations:
        return {}
    return {"AWS_DATA_PATH": str(Path(found.submodule_search_locations[0]) / "data")}
