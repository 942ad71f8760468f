"""`moorage`: the command. It imports a subcommand only when it is called."""

from __future__ import annotations

import gc
import importlib
from types import ModuleType
from typing import Any, Final

import click

from moorage import __version__
from moorage.cli import exit_codes
from moorage.cli.suggestions import suggesting
from moorage.config.table import InvalidSetting

_COMMANDS: Final = {
    "serve": "moorage.cli.serve:serve",
    "run": "moorage.cli.run:run",
    "ready": "moorage.cli.ready:ready",
    "console": "moorage.cli.console:console",
    "env": "moorage.cli.aws:env",
    "ecr": "moorage.cli.aws:ecr",
    "migrate": "moorage.cli.migrate:migrate",
    "tls": "moorage.cli.tls:tls",
    "secret": "moorage.cli.secrets:secret",
    "pull-through": "moorage.cli.pull_through:pull_through",
    "webhook": "moorage.cli.webhooks:webhook",
    "account": "moorage.cli.accounts:account",
    "user": "moorage.cli.users:user",
    "key": "moorage.cli.keys:key",
    "role": "moorage.cli.roles:role",
    "policy": "moorage.cli.policies:policy",
    "oidc": "moorage.cli.oidc:oidc",
    "signing": "moorage.cli.signing:signing",
    "signing-profile": "moorage.cli.signing_profiles:signing_profile",
    "destination": "moorage.cli.destinations:destination",
    "replication": "moorage.cli.replication:replication",
    "apply": "moorage.cli.apply:apply",
    "export": "moorage.cli.export:export",
    "import": "moorage.cli.imports:import_group",
    "explain": "moorage.cli.explain:explain",
    "jobs": "moorage.cli.jobs:jobs",
    "collect": "moorage.cli.collect:collect",
    "master-key": "moorage.cli.master_key:master_key",
    "backup": "moorage.cli.backup:backup",
    "restore": "moorage.cli.restore:restore",
    "verify": "moorage.cli.verify:verify",
    "scanner": "moorage.cli.scanner:scanner",
    "sbom": "moorage.cli.sbom:sbom",
    "adopt-blobs": "moorage.cli.adopt_blobs:adopt_blobs",
    "why": "moorage.cli.undelete:why",
    "undelete": "moorage.cli.undelete:undelete",
    "usage": "moorage.cli.usage:usage",
    "bench": "moorage.cli.bench:bench",
}


class LazyGroup(click.Group):
    """A group that imports a command when it is needed, and adds what all commands share to their errors."""

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:
        with suggesting():
            return super().make_context(*arguments, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with suggesting():
                return super().invoke(ctx)
        except InvalidSetting as error:
            raise click.UsageError(str(error)) from None

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - likewise
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(_imported(module), name)
        return command


def _imported(module: str) -> ModuleType:
    """Import a module without garbage collection: what imports create is kept, and to search it takes a tenth of them.

    It is not searched later, either. So worker processes, which are forked, share its memory.
    """
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        gc.freeze()
        gc.enable()


@click.group(cls=LazyGroup, epilog=exit_codes.help_text(), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="moorage")
def main() -> None:
    """Amazon ECR that anyone can run: the ECR API and a Docker registry over one store."""
