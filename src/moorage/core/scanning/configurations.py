"""Scanning configurations of registries, and the frequency that each repository gets from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moorage.core.registry import repositories
from moorage.domain.names import Registry
from moorage.domain.registry.errors import RepositoryNotFound
from moorage.domain.scanning import configuration as rules
from moorage.domain.scanning.configuration import AppliedFrequency, ScanningConfiguration
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.scanning import configurations as rows

JOB: Final = "apply-scanning"
"""The kind of the jobs that apply a new configuration to the repositories of a registry. The key names the registry."""


@dataclass(frozen=True, slots=True)
class RepositoryFrequency:
    """A repository and its frequency; `repository` is None if no repository has that name."""

    name: str
    repository: Repository | None
    frequency: AppliedFrequency | None


def get(tx: Transaction, registry: Registry) -> ScanningConfiguration:
    return rows.find(tx, registry).current


def put(tx: Transaction, registry: Registry, configuration: ScanningConfiguration, now: int) -> None:
    """Replace the configuration. Raises ScanFrequencyInvalid, InvalidParameter."""
    rules.check(configuration)
    rows.put(tx, registry, configuration, now)
    jobs.enqueue(tx, JOB, f"{registry.account} {registry.region}", {}, now)


def applied(configuration: ScanningConfiguration, repository: Repository) -> AppliedFrequency:
    """The frequency that a configuration gives a repository."""
    return rules.frequency_of(configuration, repository.name, scan_on_push=repository.settings.scan_on_push)


def of_repositories(tx: Transaction, registry: Registry, names: list[str]) -> list[RepositoryFrequency]:
    """The frequencies of the repositories with these names."""
    configuration = get(tx, registry)
    return [_of_repository(tx, registry, name, configuration) for name in names]


def _of_repository(
    tx: Transaction, registry: Registry, name: str, configuration: ScanningConfiguration
) -> RepositoryFrequency:
    try:
        repository = repositories.get(tx, registry, name)
    except RepositoryNotFound:
        return RepositoryFrequency(name, None, None)
    return RepositoryFrequency(name, repository, applied(configuration, repository))
