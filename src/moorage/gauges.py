"""The gauges of a server: what its metrics read at each scrape from the database, disks, scanner and certificate."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from moorage import scanners, stores
from moorage.adapters.data_folder import DataFolder
from moorage.adapters.tls.authority import CertificateUnusable
from moorage.adapters.tls.certificates import expiry_of
from moorage.config.settings import Settings
from moorage.core.clock import system_clock
from moorage.domain.errors import Unavailable
from moorage.metadata import gauges as database_gauges


class Gauges:
    """The gauges of a server. They are read over separate connections, because no worker process reads them."""

    def __init__(self, settings: Settings, folder: DataFolder, certificate: Path | None) -> None:
        """`certificate` is the file with the certificate that the server uses, if it has one."""
        self._settings = settings
        self._folder = folder
        self._certificate = certificate
        self._grype = scanners.local_grype(settings)
        self._stored_bytes = database_gauges.StoredBytes()

    def read(self) -> Mapping[str, Mapping[str, float]]:
        """The values by gauge and label. Gauges that cannot be read now are missing."""
        disks = {**stores.disk_gauges(self._settings), **stores.audit_gauges(self._settings)}
        return {**disks, **self._of_certificate(), **self._of_scanner(), **self._of_database()}

    def _of_scanner(self) -> Mapping[str, Mapping[str, float]]:
        if self._grype is None:
            return {}
        found = self._grype.look()
        return {"moorage_scanner_usable": {found.scanner: float(found.problem is None)}}

    def _of_certificate(self) -> Mapping[str, Mapping[str, float]]:
        if self._certificate is None:
            return {}
        try:
            name, seconds = expiry_of(self._certificate)
        except (CertificateUnusable, OSError):
            return {}
        return {"moorage_certificate_expiry_timestamp_seconds": {name: seconds}}

    def _of_database(self) -> Mapping[str, Mapping[str, float]]:
        engine = stores.engine_of(self._settings, self._folder)
        database = engine.open()
        try:
            values = database.read_blocking(partial(database_gauges.gauges, now=system_clock()))
            stored = database.read_blocking(partial(self._stored_bytes.gauge, now=system_clock()))
            return {
                **values,
                "moorage_stored_bytes": stored,
                "moorage_database_connections": engine.connections(),
            }
        except Unavailable:  # The counters of the worker processes are available anyway.
            return {}
        finally:
            database.close()
