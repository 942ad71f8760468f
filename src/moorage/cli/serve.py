"""`moorage serve`: prepare the data folder, start the server, and print how to use it."""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import click

from moorage import app, scanners, stores
from moorage.adapters.data_folder import DataFolder, FolderInUse, MasterKeyMissing
from moorage.adapters.tls.authority import CertificateUnusable
from moorage.cli.metrics import metering_for
from moorage.cli.next_commands import failure
from moorage.cli.options import with_settings
from moorage.cli.ready import is_ready
from moorage.cli.tls import bundle_of, certificates_of, prepared, served
from moorage.cli.traces import tracing_for
from moorage.config.kinds import Address
from moorage.config.settings import Settings
from moorage.console import static_files
from moorage.core.identity.master_key import MasterKeyWrong
from moorage.core.own_store import ForeignStore
from moorage.domain.errors import Unavailable
from moorage.domain.identity.errors import AccountError
from moorage.first_use import at_first_use
from moorage.http.application import SharedState
from moorage.http.draining import Drain
from moorage.http.forwarding import TrustedProxies
from moorage.http.server.limits import ConnectionLimits
from moorage.http.server.listeners import PortInUse, listen
from moorage.http.server.supervisor import Supervisor, WorkersFailed
from moorage.metadata.database import DatabaseUnusable
from moorage.telemetry import Log

if TYPE_CHECKING:
    from moorage.cli import seeding
else:
    seeding = at_first_use("moorage.cli.seeding")

_READY_SECONDS = 30
START_ERRORS: Final = (
    PortInUse,
    FolderInUse,
    DatabaseUnusable,
    ForeignStore,
    Unavailable,
    CertificateUnusable,
    MasterKeyMissing,
    MasterKeyWrong,
    AccountError,
)
"""What ends a command with its text as the reason, when a server cannot start."""


@click.command()
@with_settings("serve")
def serve(settings: Settings) -> None:
    """Serve the ECR API and the Docker registry until SIGTERM or Ctrl-C."""
    folder = DataFolder(settings.data, settings.given_master_key())
    seed = None if settings.seed is None else seeding.read(settings, settings.seed)
    try:
        listener = listen(settings.host, settings.port)
        settings = replace(settings, listen=Address(settings.host, listener.getsockname()[1]))
        folder.prepare()
        folder.lock()
        os.register_at_fork(after_in_child=folder.unlock)  # The lock ends with this process.
        certificates = certificates_of(settings, folder)
        settings = prepared(settings, certificates)
        app.prepare(settings, folder)
        sealed = stores.sealed_notice(settings, folder)
        certificate = served(certificates)
        metering = metering_for(settings, folder, None if certificate is None else certificate.file)
        trace = tracing_for(settings)
    except START_ERRORS as error:
        raise failure(error) from None
    except OSError as error:
        raise failure(f"{error.filename or settings.listen}: {error.strerror}") from None
    if seed is not None:
        seeding.sow(settings, folder, seed)
    if sealed is not None:
        click.echo(sealed, err=True)
    if settings.lab:
        click.echo(_warning(settings), err=True)
    folder.write_endpoint(f"{settings.scheme}://{settings.public_host}", bundle_of(certificates))
    drain = Drain(settings.drain)
    factory = partial(app.application, settings, folder, metering.meter, trace, drain, SharedState())
    limits = connection_limits(settings)
    server = Supervisor(factory, listener, settings.worker_count, limits, certificate, metering.worker_died)
    announcement = threading.Thread(target=_announce, args=(settings,), daemon=True)
    try:
        server.run(drain, announcement.start)
    except WorkersFailed as error:
        raise failure(error) from None


def connection_limits(settings: Settings) -> ConnectionLimits:
    """The limits of connections from the settings."""
    return ConnectionLimits(
        body=settings.body_timeout,
        connections=settings.max_connections,
        connections_per_client=settings.max_connections_per_client or settings.max_connections,
        is_exempt=TrustedProxies(settings.trusted_proxy).trusts,
    )


def _announce(settings: Settings) -> None:
    """Print how to log in and push, as soon as the server answers. Log why images cannot be scanned."""
    if _is_soon_ready(settings):
        click.echo(_welcome(settings), err=True)
    else:
        click.echo(f"The server on {settings.listen} is not ready yet. See the log.", err=True)
    problem = scanners.problem_at_start(settings)
    if problem is not None:
        Log().event("scanner-unusable", reason=problem)


def _is_soon_ready(settings: Settings) -> bool:
    deadline = time.monotonic() + _READY_SECONDS
    while not is_ready(settings):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _welcome(settings: Settings) -> str:
    program, folder, host = _program(), settings.data, app.first_registry_host(settings)
    more = _console(settings, program) + _preconditions(settings, host)
    return f"""
Moorage serves the ECR API and a Docker registry on {settings.scheme}://{settings.public_host}
Data folder: {folder}. Root access key: {folder / "credentials"}.

  eval "$({program} env --data {folder})"
  aws ecr create-repository --repository-name team/app
  aws ecr get-login-password | docker login --username AWS --password-stdin {host}
  docker tag IMAGE {host}/team/app:v1
  docker push {host}/team/app:v1

{more}Without the AWS CLI, use {program} ecr …. To stop the server, press Ctrl-C.
"""


def _warning(settings: Settings) -> str:
    """What lab mode means, for whoever starts a server in it."""
    whose = "Every machine that reaches" if settings.lab_anywhere else "Every program on this machine that reaches"
    keys = " Any access key has all permissions." if settings.any_key else ""
    return f"LAB MODE: {whose} {settings.listen} can erase this registry and change its clock.{keys}"


def _console(settings: Settings, program: str) -> str:
    """Where the console is, and how to sign in there."""
    if not static_files.are_built():
        return ""
    address = f"{settings.scheme}://{settings.public_host}/console/"
    return f"Console: {address}. To sign in there with a link, run {program} console --data {settings.data}.\n"


def _preconditions(settings: Settings, host: str) -> str:
    """What docker needs before it can log in."""
    needs = ""
    if settings.domain is not None:
        needs += f"{host.partition(':')[0]} must resolve to this machine: see docs/host-names.md.\n"
    if settings.tls:
        needs += f"Docker must trust {settings.data / 'tls' / 'ca.crt'} first: see docs/tls.md.\n"
    return needs


def _program() -> str:
    """How this program was called, so that users can copy the lines above."""
    return "python -m moorage" if sys.argv[0].endswith("__main__.py") else sys.argv[0]
