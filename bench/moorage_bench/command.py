"""`moorage bench`: measure this registry, and others beside it."""

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
@click.option("--against", multiple=True, metavar="URL", help="Another registry to compare with; may be repeated.")
@click.option("--username", help="User name for the docker part, in place of an access key.")
@click.option("--password", envvar="MOORAGE_BENCH_PASSWORD", default="", help="Password of the user.")
@click.option("--access-key", envvar="AWS_ACCESS_KEY_ID", help="Access key; `moorage env` sets its variable.")
@click.option("--secret-key", envvar="AWS_SECRET_ACCESS_KEY", default="", help="Secret of the access key.")
@click.option("--region", envvar="AWS_REGION", default="us-east-1", show_default=True, help="Region of the registry.")
@click.option("--against-username", multiple=True, help="User name for each --against, in their order.")
@click.option("--against-password", multiple=True, help="Password for each --against, in their order.")
@click.option("--repeat", type=click.IntRange(1, 100), default=5, show_default=True, help="Rounds of each workload.")
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="Run this workload; may be repeated.")
@click.option("--quick", is_flag=True, help="Small sizes and short times: to try it, not to quote it.")
@click.option(
    "--framing",
    type=click.Choice(["chunked", "length"]),
    default="chunked",
    show_default=True,
    help="How layers are sent: chunked as docker does, or with a Content-Length.",
)
@click.option("--json", "json_file", type=click.File("wb", lazy=False), help="Write all figures here.")
@click.option("--pid", type=int, help="Process of the server, for its memory; found by its port on this machine.")
@click.option("--against-pid", multiple=True, type=int, help="The same for each --against, in their order.")
@click.pass_context
def bench(context: click.Context, /, **options: Any) -> None:
    """Measure the registry at URL and print medians, and ratios to every registry given with --against.

    The docker part runs on any registry that speaks plain HTTP; the ECR part wherever there is an access key. The
    repositories are named bench/…; what was pushed stays.
    """
    try:
        targets = [_first(context, options), *_others(options)]
        if len({target.name for target in targets}) < len(targets):
            raise click.UsageError("Each target must be another one; 127.0.0.1 and localhost count as two.")
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
    # A user named on the command line means it, also where `moorage env` has left a key in the environment.
    by_hand = context.get_parameter_source("access_key") is ParameterSource.COMMANDLINE
    if options["access_key"] and (by_hand or options["username"] is None):
        key = SigningKey(options["access_key"], options["secret_key"], options["region"], "ecr")
    return Target(options["url"], Credentials(options["username"], options["password"], key), options["pid"])


def _others(options: dict[str, Any]) -> list[Target]:
    def each(name: str) -> list[Any]:
        given = list(options[name])
        if len(given) > len(options["against"]):
            raise click.UsageError(f"There are more --{name.replace('_', '-')} than --against.")
        return given + [None] * (len(options["against"]) - len(given))

    columns = (each("against_username"), each("against_password"), each("against_pid"))
    return [
        Target(url, Credentials(username, password or ""), process)
        for url, username, password, process in zip(options["against"], *columns, strict=True)
    ]
