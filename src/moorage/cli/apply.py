"""`moorage apply`: users, roles, policies and identity providers from a file, for example one kept in Git."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from moorage.cli.confirmation import confirm, yes_option
from moorage.cli.next_commands import failure
from moorage.cli.options import with_registry
from moorage.cli.transactions import change
from moorage.config import documents
from moorage.config.documents import BadDocument
from moorage.config.settings import Settings
from moorage.core.clock import system_clock
from moorage.core.identity.apply import DesiredState, apply_state
from moorage.domain import strict_json
from moorage.domain.identity.errors import AccountError
from moorage.domain.strict_json import BadJson
from moorage.metadata.database import Transaction


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--plan", "only_plan", is_flag=True, help="Show the changes without making them.")
@click.option("--prune", is_flag=True, help="Remove users, roles, policies and providers that the file does not name.")
@yes_option
@with_registry
def apply(file: Path, only_plan: bool, prune: bool, yes: bool, settings: Settings) -> None:
    """Make users, roles, policies and identity providers match FILE (YAML, TOML or JSON).

    The command shows the plan first, then makes all changes or none. Access keys are never in the file; create them
    with moorage key.
    """
    desired = _read(file)
    change_set = _ChangeSet(desired.account or settings.account, desired, prune)
    lines = _plan(settings, change_set)
    for line in lines:
        click.echo(line)
    if not lines:
        click.echo("No changes: everything matches the file.")
        return
    if only_plan:
        return
    confirm("Apply these changes?", yes=yes)
    change(settings, lambda tx: change_set.make_planned(tx, lines), lambda _: {"changes": lines})
    click.echo(f"Applied {len(lines)} changes.")


class _Planned(Exception):
    """Ends a transaction without its changes, once they are known."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines


@dataclass(frozen=True, slots=True)
class _ChangeSet:
    account: str
    desired: DesiredState
    prune: bool

    def make(self, tx: Transaction) -> list[str]:
        return apply_state(tx, self.account, self.desired, system_clock(), prune=self.prune)

    def plan(self, tx: Transaction) -> None:
        raise _Planned(self.make(tx))

    def make_planned(self, tx: Transaction, lines: list[str]) -> None:
        """Raises AccountError if the changes are no longer those that were shown."""
        if self.make(tx) != lines:
            raise AccountError("Identities changed after the plan was made. Nothing was applied: see the new plan.")


def _plan(settings: Settings, change_set: _ChangeSet) -> list[str]:
    """Make the changes and roll them back, so that a plan that is shown can be applied."""
    try:
        change(settings, change_set.plan)
    except _Planned as planned:
        return planned.lines
    raise AssertionError("a plan ends its transaction")


def _read(file: Path) -> DesiredState:
    """Read the file, and the key files of identity providers that it names."""
    try:
        desired = documents.read_as(DesiredState, file)
        for provider in desired.oidc_providers.values():
            if provider.keys_file is not None and provider.keys is None:
                provider.keys = strict_json.read_as(dict[str, Any], (file.parent / provider.keys_file).read_bytes())
    except (BadDocument, BadJson, OSError) as error:
        raise failure(f"{file}: {error}") from None
    return desired
