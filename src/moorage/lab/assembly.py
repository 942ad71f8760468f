"""Builds a lab from settings, around the application of a server."""

from __future__ import annotations

from collections.abc import Mapping

from moorage.adapters.data_folder import DataFolder
from moorage.config.settings import Settings
from moorage.http.application import Endpoint
from moorage.http.server.worker_process import ServedApplication
from moorage.lab.application import LabApplication
from moorage.lab.lab import Lab, LabOptions, LabRegistry
from moorage.lab.seeds import SeedRules


def lab_of(settings: Settings, folder: DataFolder) -> Lab:
    """The lab of a server. `app.prepare` has written the root access key to the folder."""
    key = folder.credentials()
    options = LabOptions(
        start=settings.time,
        region=settings.region,
        root_key=key[0] if key else "",
        blob_folder=settings.blob_folder,
        rates_as_aws=bool(settings.rates),
        has_quirks=settings.ecr_quirks,
        takes_any_key=settings.any_key,
        seed_rules=SeedRules(settings.account, settings.region, settings.lab_anywhere),
        added=settings.upstream,
    )
    return Lab(options)


def around(
    application: ServedApplication, lab: Lab, registry: LabRegistry, endpoints: Mapping[str, Endpoint]
) -> LabApplication:
    """The application of a server in lab mode."""
    return LabApplication(application, lab, registry, endpoints)
