"""`moorage apply`: make an account and its registries match a file, for example one kept in Git."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from moorage import app
from moorage.cli.confirmation import confirm, yes_option
from moorage.cli.next_commands import failure
from moorage.cli.options import with_settings
from moorage.cli.transactions import change
from moorage.config.documents import BadDocument, at_line
from moorage.config.lines import Lines
from moorage.config.settings import Settings
from moorage.config.table import REGISTRY
from moorage.core.clock import system_clock
from moorage.core.declared.apply import apply as apply_declaration
from moorage.core.declared.changes import Change, Conditions
from moorage.core.declared.document import Declaration, DeclarationRefused
from moorage.declarations import files, shapes
from moorage.domain.identity.errors import AccountError
from moorage.metadata.database import Transaction


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--plan", "only_plan", is_flag=True, help="Show the changes without making them.")
@click.option("--prune", is_flag=True, help="Remove what the file does not name.")
@click.option("--force", is_flag=True, help="With --prune, also delete repositories that have images.")
@click.option("--schema", "only_schema", is_flag=True, help="Print the JSON schema of FILE, for editors.")
@yes_option
@with_settings(REGISTRY, "apply")
def apply(file: Path | None, only_plan: bool, only_schema: bool, yes: bool, settings: Settings, **how: bool) -> None:
    """Make repositories, registry settings, users, roles and policies match FILE (YAML, TOML or JSON).

    The command shows the plan first, then makes all changes or none. Access keys and other secrets are never in the
    file; create keys with moorage key. moorage export settings writes such a file from what is there.
    """
    if only_schema:
        click.echo(shapes.schema_text())
        return
    if file is None:
        raise click.UsageError("Missing argument 'FILE'.")
    if how["force"] and not how["prune"]:
        raise click.UsageError("--force needs --prune.")
    change_set = _read(file, settings, **how)
    changes = _plan(settings, change_set)
    for each in changes:
        click.echo("\n    ".join((each.line, *each.details)))
    if not changes:
        click.echo("No changes: everything matches the file.")
        return
    if only_plan:
        return
    confirm("Apply these changes?", yes=yes)
    lines = [each.line for each in changes]
    change(settings, lambda tx: change_set.make_planned(tx, changes), lambda _: {"changes": lines})
    click.echo(f"Applied {len(changes)} changes.")


class _Planned(Exception):
    """Ends a transaction without its changes, once they are known."""

    def __init__(self, changes: list[Change]) -> None:
        super().__init__()
        self.changes = changes


@dataclass(frozen=True, slots=True)
class _ChangeSet:
    file: Path
    account: str
    declaration: Declaration
    lines: Lines
    conditions: Conditions

    def make(self, tx: Transaction) -> list[Change]:
        """Raises AccountError, with the line of the file if it is known."""
        try:
            return list(apply_declaration(tx, self.account, self.declaration, self.conditions))
        except DeclarationRefused as refused:
            message = at_line(self.lines.of(refused.place), f"{files.named(refused.place)}: {refused}")
            raise AccountError(f"{self.file}: {message}") from None

    def plan(self, tx: Transaction) -> None:
        raise _Planned(self.make(tx))

    def make_planned(self, tx: Transaction, changes: list[Change]) -> None:
        """Raises AccountError if the changes are no longer those that were shown."""
        if self.make(tx) != changes:
            raise AccountError("The registry changed after the plan was made. Nothing was applied: see the new plan.")


def _plan(settings: Settings, change_set: _ChangeSet) -> list[Change]:
    """Make the changes and roll them back, so that a plan that is shown can be applied."""
    try:
        change(settings, change_set.plan)
    except _Planned as planned:
        return planned.changes
    raise AssertionError("a plan ends its transaction")


def _read(file: Path, settings: Settings, **how: bool) -> _ChangeSet:
    try:
        declaration, lines = files.read(file, Declaration)
    except (BadDocument, OSError) as error:
        raise failure(f"{file}: {error}") from None
    conditions = Conditions(app.limits_of(settings), settings.upstream, system_clock(), **how)
    return _ChangeSet(file, declaration.account or settings.account, declaration, lines, conditions)
