"""`moorage explain`: whether somebody may do something, and which statement of which policy says so."""

from __future__ import annotations

from typing import Any, Final

import click

from moorage.cli.options import config_option, data_option, settings_of
from moorage.cli.transactions import account_option, change
from moorage.core.clock import system_clock
from moorage.core.identity import explain as explaining
from moorage.core.identity.explain import ExplainQuery

_DENIED: Final = 3
"""Exit status, so that scripts can tell a denial from a question that cannot be answered."""


@click.command()
@click.option("--caller", required=True, metavar="WHO", help="Name of a user, or ARN of a user, role or session.")
@click.option("--action", required=True, metavar="ACTION", help="What is to be done, as ecr:PutImage.")
@click.option("--resource", default="*", show_default=True, help="Name or ARN of a repository; * for the registry.")
@click.option("--region", help="Region of the registry  [default: that of the settings]")
@click.option("--source-ip", default="", metavar="ADDRESS", help="Where the request comes from, for conditions.")
@account_option
@data_option
@config_option
def explain(**options: Any) -> None:
    """Say whether a caller may do something, and why. The exit status is 0 if it is allowed, and 3 if it is not.

    Asked are the policies as they are now. The repository need not exist. Session policies are not known here.
    """
    region = options["region"] or settings_of({"data": options["data"], "config": options["config"]}).region
    asked = ExplainQuery(options["caller"], options["action"], options["resource"], region, options["source_ip"])
    allowed, lines = change(
        options["data"], lambda tx: explaining.answer(tx, options["account"], asked, system_clock())
    )
    for line in lines:
        click.echo(line)
    if not allowed:
        click.get_current_context().exit(_DENIED)
