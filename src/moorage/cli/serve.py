"""`moorage serve`: prepare the data folder, start the server, and print how to use it."""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import replace
from functools import partial

import click

from moorage import app
from moorage.adapters.data_folder import DataFolder, FolderInUse, MasterKeyMissing
from moorage.adapters.tls.authority import CertificateUnusable
from moorage.cli.metrics import metering_for
from moorage.cli.options import with_settings
from moorage.cli.ready import is_ready
from moorage.cli.tls import bundle_of, certificates_of, prepared, served
from moorage.cli.traces import tracing_for
from moorage.config.kinds import Address
from moorage.config.settings import Settings
from moorage.config.table import InvalidSetting
from moorage.core.identity.master_key import MasterKeyWrong
from moorage.core.own_store import ForeignStore
from moorage.domain.errors import Unavailable
from moorage.http.draining import Drain
from moorage.http.forwarding import TrustedProxies
from moorage.http.server.limits import ConnectionLimits
from moorage.http.server.listeners import PortInUse, listen
from moorage.http.server.supervisor import Supervisor, WorkersFailed
from moorage.metadata.database import DatabaseUnusable

_READY_SECONDS = 30
_START_ERRORS = (
    PortInUse,
    FolderInUse,
    DatabaseUnusable,
    ForeignStore,
    Unavailable,
    CertificateUnusable,
    MasterKeyMissing,
    MasterKeyWrong,
    InvalidSetting,
)


@click.command()
@with_settings("serve")
def serve(settings: Settings) -> None:
    """Serve the ECR API and the Docker registry until SIGTERM or Ctrl-C."""
    folder = DataFolder(settings.data, settings.given_master_key())
    try:
        listener = listen(settings.host, settings.port)
        settings = replace(settings, listen=Address(settings.host, listener.getsockname()[1]))
        folder.prepare()
        folder.lock()
        os.register_at_fork(after_in_child=folder.unlock)  # The lock ends with this process.
        certificates = certificates_of(settings, folder)
        settings = prepared(settings, certificates)
        app.prepare(settings, folder)
        sealed = app.sealed_notice(settings, folder)
        metering, trace = metering_for(settings, folder), tracing_for(settings)
    except _START_ERRORS as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename or settings.listen}: {error.strerror}") from None
    if sealed is not None:
        click.echo(sealed, err=True)
    folder.write_endpoint(f"{settings.scheme}://{settings.public_host}", bundle_of(certificates))
    drain = Drain(settings.drain)
    factory = partial(app.application, settings, metering.meter, trace, drain)
    limits, certificate = connection_limits(settings), served(certificates)
    server = Supervisor(factory, listener, settings.worker_count, limits, certificate, metering.worker_died)
    announcement = threading.Thread(target=_announce, args=(settings,), daemon=True)
    try:
        server.run(drain, announcement.start)
    except WorkersFailed as error:
        raise click.ClickException(str(error)) from None


def connection_limits(settings: Settings) -> ConnectionLimits:
    """The limits of connections from the settings."""
    return ConnectionLimits(
        body=settings.body_timeout,
        connections=settings.max_connections,
        connections_per_client=settings.max_connections_per_client or settings.max_connections,
        is_exempt=TrustedProxies(settings.trusted_proxy).trusts,
    )


def _announce(settings: Settings) -> None:
    """Print how to log in and push, as soon as the server answers."""
    deadline = time.monotonic() + _READY_SECONDS
    while not is_ready(settings):
        if time.monotonic() > deadline:
            click.echo(f"The server on {settings.listen} is not ready yet. See the log.", err=True)
            return
        time.sleep(0.02)
    click.echo(_welcome(settings), err=True)


def _welcome(settings: Settings) -> str:
    program, folder, host = _program(), settings.data, settings.public_host
    return f"""
Moorage serves the ECR API and a Docker registry on {settings.scheme}://{host}
Data folder: {folder}. Root access key: {folder / "credentials"}.

  eval "$({program} env --data {folder})"
  aws ecr create-repository --repository-name team/app
  aws ecr get-login-password | docker login --username AWS --password-stdin {host}
  docker tag IMAGE {host}/team/app:v1
  docker push {host}/team/app:v1

{_trust(settings)}Without the AWS CLI, use {program} ecr …. To stop the server, press Ctrl-C.
"""


def _trust(settings: Settings) -> str:
    if not settings.tls:
        return ""
    return f"Docker must trust {settings.data / 'tls' / 'ca.crt'} first: see docs/tls.md.\n"


def _program() -> str:
    """How this program was called, so that users can copy the lines above."""
    return "python -m moorage" if sys.argv[0].endswith("__main__.py") else sys.argv[0]
