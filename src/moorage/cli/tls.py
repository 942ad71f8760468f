"""`moorage tls`: the server's own authority; and which certificate `moorage serve` shows."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from moorage.adapters.data_folder import DataFolder
from moorage.adapters.tls.authority import CertificateUnusable
from moorage.adapters.tls.certificates import BuiltInAuthority, Certificates, OperatorFiles, names_to_serve
from moorage.cli.options import config_option, data_option, existing_folder
from moorage.config import Settings
from moorage.http.server import Certificate
from moorage.telemetry import Log


@click.group()
def tls() -> None:
    """The authority that signs the certificate of `moorage serve --tls`."""


@tls.command()
@data_option
@config_option
def ca(data: Path | None, config: str | None) -> None:
    """Print the authority's certificate, for clients to trust; where its file is goes to standard error."""
    found = existing_folder(data, config).tls / "ca.crt"
    if not found.exists():
        raise click.ClickException(f"{found} is not there: start the server once with --tls")
    click.echo(found.absolute(), err=True)
    click.echo(found.read_text("ascii"), nl=False)


def certificates_of(settings: Settings, folder: DataFolder) -> Certificates | None:
    """Where the certificate comes from that the settings ask for; None without TLS."""
    if settings.tls_cert is not None and settings.tls_key is not None:
        return OperatorFiles(settings.tls_cert, settings.tls_key, folder.tls)
    if not settings.tls:
        return None
    listening = [] if settings.host in {"0.0.0.0", "[::]"} else [settings.host]  # noqa: S104 - no client calls these
    hosts = [*listening, settings.host_name, _machine_name(), *settings.tls_names]
    names = names_to_serve([host for host in hosts if host], settings.region, settings.domain)
    return BuiltInAuthority(folder.tls, names, lambda: datetime.now(UTC))


def prepared(settings: Settings, certificates: Certificates | None) -> Settings:
    """Make the certificate ready; a given one says by which name the server is called, unless the settings do.

    Raises CertificateUnusable, OSError.
    """
    if certificates is None:
        return settings
    certificates.prepare()
    if settings.host_name is None and isinstance(certificates, OperatorFiles):
        return replace(settings, host_name=certificates.host_name())
    return settings


def bundle_of(certificates: Certificates | None) -> Path | None:
    """The file by which clients trust the server; None where they trust it anyway, or there is no TLS."""
    return certificates.bundle if isinstance(certificates, BuiltInAuthority) else None


def served(certificates: Certificates | None) -> Certificate | None:
    """The certificate as the HTTP server takes it."""
    if certificates is None:
        return None
    return Certificate(certificates.file, lambda: _refreshed(certificates))


def _refreshed(certificates: Certificates) -> bool:
    """Whether there is another certificate; one that cannot be served is told in the log, and the last one stays."""
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
