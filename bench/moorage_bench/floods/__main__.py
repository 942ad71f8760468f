"""`python -m moorage_bench.floods`: flood a server on this machine while an honest client works."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec

from moorage.aws.signing import SigningKey
from moorage_bench.connections import BenchmarkError
from moorage_bench.floods.kinds import FLOODS
from moorage_bench.floods.runner import HEAD, Runner
from moorage_bench.floods.site import FloodFailed
from moorage_bench.targets import Credentials, Target


@click.command()
@click.argument("url", default="http://127.0.0.1:5000")
@click.option("--access-key", envvar="AWS_ACCESS_KEY_ID", required=True, help="Access key of the honest client.")
@click.option("--secret-key", envvar="AWS_SECRET_ACCESS_KEY", required=True, help="Secret of that key.")
@click.option("--flooder-key", required=True, help="Access key of another caller, who may push to bench/flood.")
@click.option("--flooder-secret", envvar="MOORAGE_BENCH_FLOODER_SECRET", required=True, help="Secret of that key.")
@click.option("--region", envvar="AWS_REGION", default="us-east-1", show_default=True, help="Region of the registry.")
@click.option("--seconds", default=60.0, show_default=True, help="Duration of each flood.")
@click.option("--scale", default=1.0, show_default=True, help="Share of the connections and tags of each flood.")
@click.option("--only", multiple=True, type=click.Choice([flood.name for flood in FLOODS]), help="Only this flood.")
@click.option("--pid", type=int, help="Process of the server, if its port does not identify it.")
@click.option("--json", "json_file", type=click.File("wb", lazy=False), help="Write all results to this file.")
def main(url: str, **options: Any) -> None:
    """Flood the server at URL. Print the honest client's rate and the server's memory, and exit with 1 if one fails."""
    honest = Target(url, _credentials(options, "access_key", "secret_key"), options["pid"])
    flooder = Target(url, _credentials(options, "flooder_key", "flooder_secret"), options["pid"])
    chosen = [flood for flood in FLOODS if not options["only"] or flood.name in options["only"]]
    click.echo(HEAD)
    try:
        results = Runner(honest, flooder, click.echo).run(chosen, options["seconds"], options["scale"])
    except (BenchmarkError, FloodFailed) as error:
        raise click.ClickException(str(error)) from error
    if options["json_file"] is not None:
        options["json_file"].write(msgspec.json.format(msgspec.json.encode(results), indent=2))
    sys.exit(any(result.problems for result in results))


def _credentials(options: dict[str, Any], key: str, secret: str) -> Credentials:
    return Credentials(key=SigningKey(options[key], options[secret], options["region"], "ecr"))


if __name__ == "__main__":
    main()
