"""`moorage apply`: users, roles, policies and identity providers from a file that is kept in git."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from moorage.app import ACCOUNT
from moorage.cli.options import data_option
from moorage.cli.transactions import change
from moorage.core.clock import system_clock
from moorage.core.identity.accounts import AccountError
from moorage.core.identity.apply import DesiredState, apply_state
from moorage.metadata.database import Transaction

_YAML = {".yaml", ".yml"}


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--plan", "only_plan", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--prune", is_flag=True, help="Remove users, roles, policies and providers that the file does not name.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
def apply(file: Path, only_plan: bool, prune: bool, yes: bool, data: Path | None) -> None:
    """Bring users, roles, policies and identity providers to what FILE says (YAML, TOML or JSON).

    The plan is shown first, and then all of it is done, or nothing. Access keys are in no file; moorage key makes them.
    """
    work = _Work(_read(file), prune)
    lines = _planned(data, work)
    for line in lines:
        click.echo(line)
    if not lines:
        click.echo("Everything is as the file says.")
        return
    if only_plan:
        return
    if not yes:
        click.confirm("Do this?", abort=True)
    change(data, lambda tx: work.done_as_planned(tx, lines))
    click.echo(f"Done: {len(lines)} changes.")


class _Planned(Exception):
    """Ends a transaction without its changes, which are known then."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines


@dataclass(frozen=True, slots=True)
class _Work:
    wanted: DesiredState
    prune: bool

    def done(self, tx: Transaction) -> list[str]:
        return apply_state(tx, self.wanted.account or ACCOUNT, self.wanted, system_clock(), prune=self.prune)

    def planned(self, tx: Transaction) -> None:
        raise _Planned(self.done(tx))

    def done_as_planned(self, tx: Transaction, lines: list[str]) -> None:
        """Raises AccountError when something else would change than was shown."""
        if self.done(tx) != lines:
            raise AccountError("somebody changed identities meanwhile, and nothing was done: look at the new plan")


def _planned(data: Path | None, work: _Work) -> list[str]:
    """Do everything and take it back: a plan that was shown can be done."""
    try:
        change(data, work.planned)
    except _Planned as planned:
        return planned.lines
    raise AssertionError("a plan ends its transaction")


def _read(file: Path) -> DesiredState:
    """What the file says, with the keys of providers from the files that it names."""
    try:
        wanted = _decoded(file)
        for provider in wanted.oidc_providers.values():
            if provider.keys_file is not None and provider.keys is None:
                provider.keys = msgspec.json.decode((file.parent / provider.keys_file).read_bytes(), type=dict)
    except (msgspec.MsgspecError, OSError) as error:
        raise click.ClickException(f"{file}: {error}") from None
    return wanted


def _decoded(file: Path) -> DesiredState:
    content = file.read_bytes()
    if file.suffix == ".json":
        return msgspec.json.decode(content, type=DesiredState)
    if file.suffix == ".toml":
        return msgspec.toml.decode(content, type=DesiredState)
    if file.suffix not in _YAML:
        raise click.ClickException(f"{file}: a name that ends in .yaml, .yml, .toml or .json is needed")
    if importlib.util.find_spec("yaml") is None:
        raise click.ClickException("PyYAML is missing: pip install 'moorage[cli]', or write the file in TOML or JSON")
    return msgspec.yaml.decode(content, type=DesiredState)
