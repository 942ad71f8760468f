"""`moorage serve`: make the data folder ready, start the server, and say how to use it."""

from __future__ import annotations

import sys
import threading
import time
from functools import partial
from typing import Any

import click

from moorage import app
from moorage.adapters.data_folder import DataFolder, FolderInUse, MasterKeyMissing
from moorage.adapters.tls.authority import CertificateUnusable
from moorage.cli.metrics import meter_for
from moorage.cli.options import config_option, data_option, registry_options, settings_of, tls_options
from moorage.cli.ready import is_ready
from moorage.cli.tls import bundle_of, certificates_of, prepared, served
from moorage.cli.traces import tracing_for
from moorage.config import Settings, SettingWrong
from moorage.core.identity.master_key import MasterKeyWrong
from moorage.domain.errors import Unavailable
from moorage.http.draining import Drain
from moorage.http.server import Certificate, Factory, PortInUse, refuse_port_in_use, run_granian, run_uvicorn
from moorage.metadata.database import DatabaseUnusable

_READY_SECONDS = 30
_NOT_READY = (
    PortInUse,
    FolderInUse,
    DatabaseUnusable,
    Unavailable,
    CertificateUnusable,
    MasterKeyMissing,
    MasterKeyWrong,
    SettingWrong,
)


@click.command()
@click.option("--listen", metavar="HOST:PORT", help="Where to listen  [default: 127.0.0.1:5000]")
@data_option
@click.option("--workers", type=int, help="Worker processes  [default: one a processor, up to 8]")
@click.option("--database-connections", type=int, help="Connections of a worker process to --database  [default: 8]")
@click.option("--domain", metavar="NAME[:PORT]", help="Return addresses ACCOUNT.dkr.ecr.REGION.NAME.")
@click.option("--region", help="Region of docker clients that log in with an access key  [default: us-east-1]")
@click.option("--server", type=click.Choice(["granian", "uvicorn"]), help="HTTP server  [default: granian]")
@click.option("--access-log/--no-access-log", default=None, help="Log a line for each request  [default: yes]")
@click.option(
    "--audit-log",
    metavar="FILE",
    help="Where requests are recorded, or none  [default: audit.jsonl, in the data folder]",
)
@click.option("--audit-reads/--no-audit-reads", default=None, help="Record requests that only read, too  [default: no]")
@click.option(
    "--sparse-manifests/--no-sparse-manifests",
    default=None,
    help="Let docker clients push manifests whose layers or images are not here  [default: no]",
)
@click.option("--metrics", metavar="HOST:PORT", help="Answer Prometheus there, without credentials  [default: nowhere]")
@click.option("--traces", metavar="URL", help="Send traces to this collector (OTLP over HTTP)  [default: to none]")
@click.option("--traces-share", type=float, metavar="0..1", help="The part of the requests to trace  [default: 1]")
@click.option("--blobs", metavar="URL", help="Where layers are: s3://BUCKET/PREFIX?… or /FOLDER  [default: --data]")
@click.option(
    "--blob-redirect", type=bool, metavar="on|off", help="Send pulls of layers to the S3 store itself  [default: on]"
)
@click.option("--lifecycle-delay", type=int, help="Seconds from a push to a run of lifecycle rules  [default: 60]")
@click.option(
    "--drain", metavar="TIME", help="How long to serve after SIGTERM, while /readyz says no, as 10s  [default: 0]"
)
@click.option("--grace-period", metavar="TIME", help="How long what is not needed stays, as 24h or 7d  [default: 24h]")
@tls_options
@registry_options
@config_option
def serve(**arguments: Any) -> None:
    """Serve the ECR API and the docker registry until told to stop (Ctrl-C, SIGTERM)."""
    settings = settings_of(arguments)
    folder = DataFolder(settings.data, settings.given_master_key())
    try:
        refuse_port_in_use(settings.host, settings.port)
        folder.prepare()
        folder.lock()
        certificates = certificates_of(settings, folder)
        settings = prepared(settings, certificates)
        app.prepare(settings, folder)
        sealed = app.sealed_notice(settings, folder)
        meter, trace = meter_for(settings, folder), tracing_for(settings)
    except _NOT_READY as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename or settings.listen}: {error.strerror}") from None
    if sealed is not None:
        click.echo(sealed, err=True)
    folder.write_endpoint(f"{settings.scheme}://{settings.public_host}", bundle_of(certificates))
    threading.Thread(target=_announce, args=(settings,), daemon=True).start()
    drain = Drain(settings.drain)
    _run(settings, partial(app.application, settings, meter, trace, drain), served(certificates), drain)


def _run(settings: Settings, factory: Factory, certificate: Certificate | None, drain: Drain) -> None:
    if settings.server == "uvicorn":
        run_uvicorn(factory, settings.host, settings.port, certificate, drain)
    else:
        run_granian(factory, settings.host, settings.port, settings.worker_count, certificate, drain)


def _announce(settings: Settings) -> None:
    """Say how to log in and push, once the server answers."""
    deadline = time.monotonic() + _READY_SECONDS
    while not is_ready(settings):
        if time.monotonic() > deadline:
            click.echo(f"The server does not answer on {settings.listen} yet; see the log.", err=True)
            return
        time.sleep(0.02)
    click.echo(_welcome(settings), err=True)


def _welcome(settings: Settings) -> str:
    program, folder, host = _program(), settings.data, settings.public_host
    return f"""
Moorage serves the ECR API and a docker registry on {settings.scheme}://{host}
The data is in {folder}, the root access key in {folder / "credentials"}.

  eval "$({program} env --data {folder})"
  aws ecr create-repository --repository-name team/app
  aws ecr get-login-password | docker login --username AWS --password-stdin {host}
  docker tag IMAGE {host}/team/app:v1
  docker push {host}/team/app:v1

{_trust(settings)}Without the AWS command line: {program} ecr … has all its commands. Stop with Ctrl-C.
"""


def _trust(settings: Settings) -> str:
    if not settings.tls:
        return ""
    return f"docker must trust {settings.data / 'tls' / 'ca.crt'} first: see docs/tls.md.\n"


def _program() -> str:
    """How this program was called, so that the lines above can be copied."""
    return "python -m moorage" if sys.argv[0].endswith("__main__.py") else sys.argv[0]
