"""`moorage ready`: check whether the server is ready, for health checks of containers and for scripts."""

from __future__ import annotations

import http.client
import ssl
import time

import click

from moorage.cli.next_commands import failure
from moorage.cli.options import duration, with_settings
from moorage.config.settings import Settings

_POLL_SECONDS = 0.1


@click.command()
@click.option("--wait", metavar="TIME", callback=duration, help="Wait up to this long, for example 30s.  [default: 0]")
@with_settings("ready")
def ready(wait: float | None, settings: Settings) -> None:
    """Check whether the server on this machine is ready (GET /readyz).

    The exit code is 0 if it is ready, and 1 if it is not or does not answer. The command reads settings as `moorage
    serve` does: with the same environment and configuration file, it needs no options.
    """
    deadline = time.monotonic() + (wait or 0)
    while not is_ready(settings):
        if time.monotonic() >= deadline:
            raise failure(f"The server on {settings.listen} is not ready.")
        time.sleep(_POLL_SECONDS)


def is_ready(settings: Settings) -> bool:
    """Whether the server with these settings answers and can serve requests."""
    host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(settings.host, settings.host.strip("[]"))  # noqa: S104 - compared
    connection = http.client.HTTPConnection(host, settings.port, timeout=5)
    if settings.scheme == "https":
        # Only readiness matters here. The certificate need not name the address that this check connects to.
        unverified = ssl._create_unverified_context()  # noqa: S323 - see above
        connection = http.client.HTTPSConnection(host, settings.port, timeout=5, context=unverified)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
