"""`moorage ready`: is the server of these settings ready? For health checks of containers and for scripts."""

from __future__ import annotations

import http.client
import ssl
import time
from typing import Any

import click

from moorage.cli.options import config_option, duration, settings_of
from moorage.config import Settings

_POLL_SECONDS = 0.1


@click.command()
@click.option("--listen", metavar="HOST:PORT", help="Where the server listens  [default: 127.0.0.1:5000]")
@click.option("--tls/--no-tls", default=None, help="The server speaks HTTPS  [default: no]")
@click.option("--wait", metavar="TIME", callback=duration, help="Ask for so long, as 30s  [default: once]")
@config_option
def ready(wait: float | None, **arguments: Any) -> None:
    """Ask the server on this machine whether it is ready (GET /readyz).

    The exit code is 0 when it is, and 1 when it is not or does not answer. Settings are read as `moorage serve` reads
    them: started with the same environment and the same file, this command needs no option.
    """
    settings = settings_of(arguments)
    deadline = time.monotonic() + (wait or 0)
    while not is_ready(settings):
        if time.monotonic() >= deadline:
            raise click.ClickException(f"the server on {settings.listen} is not ready")
        time.sleep(_POLL_SECONDS)


def is_ready(settings: Settings) -> bool:
    """Whether the server that listens there answers, and says that it can serve."""
    host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(settings.host, settings.host.strip("[]"))  # noqa: S104 - compared
    connection = http.client.HTTPConnection(host, settings.port, timeout=5)
    if settings.scheme == "https":
        # Whether it answers, nothing else: the certificate need not name the address that is asked here.
        anybody = ssl._create_unverified_context()  # noqa: S323 - see above
        connection = http.client.HTTPSConnection(host, settings.port, timeout=5, context=anybody)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
