"""`moorage explain`: explain why a request is allowed or denied, and by which policy statement."""

from __future__ import annotations

import click

from moorage.cli.exit_codes import answer_no
from moorage.cli.options import with_settings
from moorage.cli.transactions import account_option, change
from moorage.config.settings import Settings
from moorage.config.table import REGISTRY
from moorage.core.clock import system_clock
from moorage.core.identity import explain as explaining
from moorage.core.identity.explain import ExplainQuery


@click.command()
@click.option("--caller", required=True, metavar="CALLER", help="User name, or ARN of a user, role or session.")
@click.option("--action", required=True, metavar="ACTION", help="Action, for example ecr:PutImage.")
@click.option(
    "--resource",
    default="*",
    show_default=True,
    help="Name or ARN of a repository, ARN of a secret or signing profile, or * for the registry.",
)
@click.option("--source-ip", default="", metavar="ADDRESS", help="IP address of the request, for policy conditions.")
@account_option
@with_settings(REGISTRY, "explain")
def explain(settings: Settings, account: str, **options: str) -> None:
    """Explain whether a caller is allowed to perform an action, and by which policy statements.

    The exit code is 0 if the action is allowed, and 3 if it is denied. The command evaluates the current policies. The
    repository does not have to exist. Session policies are not evaluated.
    """
    query = ExplainQuery(
        options["caller"], options["action"], options["resource"], settings.region, options["source_ip"]
    )
    allowed, lines = change(settings, lambda tx: explaining.answer(tx, account, query, system_clock()))
    for line in lines:
        click.echo(line)
    if not allowed:
        answer_no()
