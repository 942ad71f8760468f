"""`moorage pull-through`: what ECR has no operation for. It works with or without a running server."""

from __future__ import annotations

import click

from moorage.cli.formatting import duration_text
from moorage.cli.next_commands import failure
from moorage.cli.options import duration, with_settings
from moorage.cli.transactions import account_option, change
from moorage.config.settings import Settings
from moorage.config.table import REGISTRY
from moorage.core.clock import system_clock
from moorage.core.pull_through import rules
from moorage.core.pull_through.rules import RuleError
from moorage.domain.names import Registry
from moorage.domain.pull_through.rules import REFRESH, Rule
from moorage.domain.units import SECOND
from moorage.metadata.pull_through import rules as rows


@click.group("pull-through")
def pull_through() -> None:
    """Pull-through cache rules: show them, and set how often they look for new images."""


@pull_through.command("list")
@account_option
@with_settings(REGISTRY, "pull-through list")
def list_rules(account: str, settings: Settings) -> None:
    """List the rules of a Region: prefix, upstream registry, its prefix, and how often tags are compared with it."""
    registry = Registry(account, settings.region)
    for rule in change(settings, lambda tx: rows.list_all(tx, registry)):
        click.echo(f"{rule.prefix}\t{rule.url}\t{rule.upstream_key}\tevery {_refresh(rule)}")


@pull_through.command("set")
@click.argument("prefix")
@click.option(
    "--refresh",
    callback=duration,
    metavar="TIME",
    required=True,
    help="Compare a cached tag with the upstream registry after this time, for example 1h; 24h is ECR's.",
)
@account_option
@with_settings(REGISTRY, "pull-through set")
def set_rule(prefix: str, refresh: float, account: str, settings: Settings) -> None:
    """Set how often the rule for PREFIX looks for new images under cached tags."""
    registry = Registry(account, settings.region)
    microseconds = int(refresh * SECOND)
    value = None if microseconds == REFRESH else microseconds
    try:
        change(settings, lambda tx: rules.set_refresh(tx, registry, prefix, value, system_clock()))
    except RuleError as error:
        raise failure(error) from None


def _refresh(rule: Rule) -> str:
    return duration_text((REFRESH if rule.refresh is None else rule.refresh) // SECOND)
