"""`moorage bench`: measure this registry, and compare it with others."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from moorage.aws.signing import SigningKey
from moorage_bench.connections import BenchmarkError
from moorage_bench.content import FULL, QUICK
from moorage_bench.runner import Plan, run
from moorage_bench.targets import Credentials, Target
from moorage_bench.workloads import WORKLOADS

NAMES = [workload.name for workload in WORKLOADS]


@click.command()
@click.argument("url", default="http://127.0.0.1:5000")
@click.option("--against", multiple=True, metavar="URL", help="Another registry to compare with; can be repeated.")
@click.option("--username", help="User name for the docker workloads, instead of an access key.")
@click.option("--password", envvar="MOORAGE_BENCH_PASSWORD", default="", help="Password of the user.")
@click.option("--access-key", envvar="AWS_ACCESS_KEY_ID", help="Access key; `moorage env` prints its variable.")
@click.option("--secret-key", envvar="AWS_SECRET_ACCESS_KEY", default="", help="Secret of the access key.")
@click.option("--region", envvar="AWS_REGION", default="us-east-1", show_default=True, help="Region of the registry.")
@click.option("--against-username", multiple=True, help="User name for each --against, in the same order.")
@click.option("--against-password", multiple=True, help="Password for each --against, in the same order.")
@click.option("--repeat", type=click.IntRange(1, 100), default=5, show_default=True, help="Rounds of each workload.")
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="Run only this workload; can be repeated.")
@click.option(
    "--quick", is_flag=True, help="Small sizes and short times, to try the benchmark; do not quote the results."
)
@click.option(
    "--framing",
    type=click.Choice(["chunked", "length"]),
    default="chunked",
    show_default=True,
    help="Send layers in chunks, as docker does, or with a Content-Length.",
)
@click.option("--json", "json_file", type=click.File("wb", lazy=False), help="Write all results to this file.")
@click.option("--pid", type=int, help="Process of the server, if its port does not identify it.")
@click.option("--against-pid", multiple=True, type=int, help="The same for each --against, in the same order.")
@click.pass_context
def bench(context: click.Context, /, **options: Any) -> None:
    """Measure the registry at URL. Print medians, and ratios to each registry given with --against.

    The docker workloads run on any registry with plain HTTP; the ECR workloads need an access key. Pushed data stays
    there, in repositories named bench/….
    """
    try:
        targets = [_first(context, options), *_others(options)]
        if len({target.name for target in targets}) < len(targets):
            raise click.UsageError("Targets must be distinct; 127.0.0.1 and localhost count as different targets.")
        workloads = [workload for workload in WORKLOADS if not options["only"] or workload.name in options["only"]]
        plan = Plan(targets, workloads, options["repeat"], QUICK if options["quick"] else FULL, options["framing"])
        report = run(plan, lambda line: click.echo(line, err=True))
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from error
    if options["json_file"] is not None:
        options["json_file"].write(report.to_json())
    click.echo(report.to_table())


def _first(context: click.Context, options: dict[str, Any]) -> Target:
    key = None
    # A user name on the command line counts more than the key that `moorage env` has put into the environment.
    is_explicit = context.get_parameter_source("access_key") is ParameterSource.COMMANDLINE
    if options["access_key"] and (is_explicit or options["username"] is None):
        key = SigningKey(options["access_key"], options["secret_key"], options["region"], "ecr")
    return Target(options["url"], Credentials(options["username"], options["password"], key), options["pid"])


def _others(options: dict[str, Any]) -> list[Target]:
    def column(name: str) -> list[Any]:
        values = list(options[name])
        if len(values) > len(options["against"]):
            raise click.UsageError(f"There are more --{name.replace('_', '-')} than --against.")
        return values + [None] * (len(options["against"]) - len(values))

    columns = (column("against_username"), column("against_password"), column("against_pid"))
    return [
        Target(url, Credentials(username, password or ""), process)
        for url, username, password, process in zip(options["against"], *columns, strict=True)
    ]
