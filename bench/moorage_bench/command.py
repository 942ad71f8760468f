"""`moorage bench`: measure this registry, and compare it with others."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import msgspec
from click.core import ParameterSource

from moorage.aws.signing import SigningKey
from moorage_bench.charts.files import write_charts
from moorage_bench.connections import BenchmarkError
from moorage_bench.content import FULL, QUICK
from moorage_bench.growth.report import GrowthReport
from moorage_bench.growth.runner import grow
from moorage_bench.peers.kinds import MOORAGE, OURS, PEERS
from moorage_bench.peers.servers import Fleet, Server, free_space
from moorage_bench.report import Report
from moorage_bench.runner import Plan, run
from moorage_bench.targets import Credentials, Target
from moorage_bench.workloads.table import WORKLOADS

NAMES = [workload.name for workload in WORKLOADS]
GIB = 1 << 30
FEWEST = 100
"""Images of the smallest data folder."""


class _Images(click.ParamType[int]):
    """A number of images, also as 1e5."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            images = int(float(value))
        except (ValueError, OverflowError):
            images = 0
        if images < FEWEST:
            self.fail(f"{value} must be a number from {FEWEST}, such as 1e5.", param, ctx)
        return images


IMAGES = _Images()


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
@click.option("--start", is_flag=True, help="Start this Moorage with a temporary data folder, instead of using a URL.")
@click.option("--peer", multiple=True, metavar="NAME=PROGRAM", help=f"Start this program, too: {', '.join(PEERS)}.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False, writable=True),
    help="Where started registries store; without it, the folder for temporary files.",
)
@click.option("--space", type=click.FloatRange(0.1), metavar="GIB", help="What started registries may store together.")
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
@click.option("--charts", type=click.Path(path_type=Path, file_okay=False), help="Draw charts into this folder.")
@click.option("--draw", type=click.File("rb"), help="Measure nothing; print, and draw, the results in this JSON file.")
@click.option(
    "--size",
    multiple=True,
    type=IMAGES,
    help="Measure growth instead: start this Moorage with so many images, such as 1e5; can be repeated.",
)
@click.option("--pid", type=int, help="Process of the server, if its port does not identify it.")
@click.option("--against-pid", multiple=True, type=int, help="The same for each --against, in the same order.")
@click.pass_context
def bench(context: click.Context, /, **options: Any) -> None:
    """Measure the registry at URL. Print medians, and ratios to each other registry.

    The docker workloads run on any registry with plain HTTP; the ECR workloads need an access key. Pushed data stays
    there, in repositories named bench/…. With --start and --peer, the command starts registries and removes their data.
    """
    try:
        report = _results(context, options)
    except (BenchmarkError, msgspec.DecodeError) as error:
        raise click.ClickException(str(error)) from error
    if options["json_file"] is not None:
        options["json_file"].write(report.to_json())
    if options["charts"]:
        for path in write_charts(report, options["charts"]):
            click.echo(f"wrote {path}", err=True)
    click.echo(report.to_table())


def _results(context: click.Context, options: dict[str, Any]) -> Report | GrowthReport:
    if options["draw"]:
        data = options["draw"].read()
        return (GrowthReport if b'"sizes"' in data else Report).from_json(data)
    if options["size"]:
        return grow(options["size"], options["folder"], lambda line: click.echo(line, err=True))
    return _measured(context, options)


def _measured(context: click.Context, options: dict[str, Any]) -> Report:
    with ExitStack() as stack:
        return run(_plan(context, options, stack), lambda line: click.echo(line, err=True))


def _plan(context: click.Context, options: dict[str, Any], stack: ExitStack) -> Plan:
    fleet = Fleet(_servers(context, options))
    stack.enter_context(fleet)
    targets = [*fleet.targets, *_others(options)]
    if not options["start"]:
        targets.insert(0, _first(context, options))
    if len({target.name for target in targets}) < len(targets):
        raise click.UsageError("Targets must be distinct; 127.0.0.1 and localhost count as different targets.")
    workloads = [workload for workload in WORKLOADS if not options["only"] or workload.name in options["only"]]
    space = int(options["space"] * GIB) if options["space"] else free_space(options["folder"]) // 2
    scale = QUICK if options["quick"] else FULL
    return Plan(targets, workloads, options["repeat"], scale, options["framing"], fleet, space, _command(options))


def _servers(context: click.Context, options: dict[str, Any]) -> list[Server]:
    """The registries to start, ours first."""
    if options["start"] and context.get_parameter_source("url") is ParameterSource.COMMANDLINE:
        raise click.UsageError("Pass a URL or --start.")
    programs = [(MOORAGE, OURS)] if options["start"] else []
    for peer in options["peer"]:
        name, _, program = peer.partition("=")
        if name not in PEERS or not program:
            raise click.UsageError(f"--peer {peer} must be NAME=PROGRAM with one of these names: {', '.join(PEERS)}.")
        programs.append((PEERS[name], program))
    servers: list[Server] = []
    for number, (kind, program) in enumerate(programs, 1):
        is_named = any(server.kind is kind for server in servers)
        servers.append(Server(kind, program, options["folder"], f"{kind.name}-{number}" if is_named else ""))
    return servers


def _command(options: dict[str, Any]) -> str:
    """The command line that repeats the measurement, without paths, addresses and secrets."""
    words = ["moorage bench"]
    if options["start"]:
        words.append("--start")
    words += [f"--peer {peer.partition('=')[0]}=PROGRAM" for peer in options["peer"]]
    words += [f"--against URL{number}" for number, _ in enumerate(options["against"], 1)]
    words += ["--quick"] * options["quick"]
    words += [f"--repeat {options['repeat']}"] if options["repeat"] != 5 else []
    words += [f"--framing {options['framing']}"] if options["framing"] != "chunked" else []
    return " ".join([*words, *(f"--only {name}" for name in options["only"])])


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
