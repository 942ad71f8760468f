"""`moorage tls`: the certificate authority of `moorage serve --tls`; and the certificate that a server uses."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from moorage.adapters.data_folder import DataFolder
from moorage.adapters.tls.authority import CertificateUnusable
from moorage.adapters.tls.certificates import BuiltInAuthority, Certificates, OperatorFiles, names_to_serve
from moorage.cli.folders import existing_folder
from moorage.cli.next_commands import failure
from moorage.cli.options import with_registry
from moorage.config.kinds import Host
from moorage.config.settings import Settings
from moorage.domain.hosts import names_loopback
from moorage.http.server.certificates import Certificate
from moorage.telemetry import Log


@click.group()
def tls() -> None:
    """Show the certificate authority of `moorage serve --tls`."""


@tls.command()
@with_registry
def ca(settings: Settings) -> None:
    """Print the authority's certificate, which clients must trust. The path of its file goes to standard error."""
    found = existing_folder(settings).tls / "ca.crt"
    if not found.exists():
        raise failure(f"{found} does not exist. Start the server once with --tls.")
    click.echo(found.absolute(), err=True)
    click.echo(found.read_text("ascii"), nl=False)


def certificates_of(settings: Settings, folder: DataFolder) -> Certificates | None:
    """The source of the certificate that the settings name; None without TLS."""
    if settings.tls_cert is not None and settings.tls_key is not None:
        return OperatorFiles(settings.tls_cert, settings.tls_key, folder.tls)
    if not settings.tls:
        return None
    listening = [] if settings.host in {"0.0.0.0", "[::]"} else [settings.host]  # noqa: S104 - clients do not connect to these
    named = None if settings.host_name is None else settings.host_name.name
    hosts = [*listening, named, _machine_name(), *settings.tls_name]
    names = names_to_serve([host for host in hosts if host], settings.region, settings.domain)
    return BuiltInAuthority(folder.tls, names, lambda: datetime.now(UTC))


def prepared(settings: Settings, certificates: Certificates | None) -> Settings:
    """Prepare the certificate. An existing one names the server's host, unless the settings do.

    Raises CertificateUnusable, OSError.
    """
    if certificates is None:
        return settings
    certificates.prepare()
    if settings.host_name is None and isinstance(certificates, OperatorFiles):
        name = certificates.host_name()
        # A loopback name says nothing of the port: clients may reach it through a port mapping.
        if name is not None and not names_loopback(name):
            return replace(settings, host_name=Host(name))
    return settings


def bundle_of(certificates: Certificates | None) -> Path | None:
    """The file that clients need to trust the server; None if they need none, or without TLS."""
    return certificates.bundle if isinstance(certificates, BuiltInAuthority) else None


def served(certificates: Certificates | None) -> Certificate | None:
    """The certificate in the form that the HTTP server needs."""
    if certificates is None:
        return None
    return Certificate(certificates.file, lambda: _refreshed(certificates))


def _refreshed(certificates: Certificates) -> bool:
    """Whether there is a new certificate. An unusable one is logged, and the server keeps the old one."""
    try:
        changed = certificates.refresh()
    except (CertificateUnusable, OSError) as error:
        Log().event("certificate-unusable", reason=str(error))
        return False
    if changed:
        Log().event("certificate-changed", file=str(certificates.file))
    return changed


def _machine_name() -> str | None:
    name = socket.gethostname()
    return name if name.isascii() else None
