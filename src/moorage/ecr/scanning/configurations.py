"""Operations on scanning configurations: of the registry, and which one each repository gets from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from moorage.core.scanning import configurations
from moorage.core.scanning.configurations import RepositoryFrequency
from moorage.domain.names import Registry
from moorage.domain.registry.errors import RepositoryNotFound
from moorage.domain.scanning.configuration import (
    BASIC,
    AppliedFrequency,
    Frequency,
    ScanningConfiguration,
    ScanningRule,
)
from moorage.ecr.call import Call, Handler

if TYPE_CHECKING:
    from moorage.ecr import shapes

_FREQUENCIES: Final[Mapping[Frequency, shapes.ScanFrequency]] = {
    Frequency.CONTINUOUS_SCAN: "CONTINUOUS_SCAN",
    Frequency.SCAN_ON_PUSH: "SCAN_ON_PUSH",
    Frequency.MANUAL: "MANUAL",
    Frequency.OFF: "MANUAL",  # ECR has no value for it.
}


async def get_registry_scanning_configuration(
    call: Call, _request: shapes.GetRegistryScanningConfigurationRequest
) -> shapes.GetRegistryScanningConfigurationResponse:
    found = await call.read(lambda tx: configurations.get(tx, call.registry))
    return {"registryId": call.registry.account, "scanningConfiguration": _configuration(found)}


async def put_registry_scanning_configuration(
    call: Call, request: shapes.PutRegistryScanningConfigurationRequest
) -> shapes.PutRegistryScanningConfigurationResponse:
    """Replace the configuration. The defaults are the scan type BASIC and no rules."""
    rules = tuple(
        ScanningRule(Frequency(rule["scanFrequency"]), tuple(item["filter"] for item in rule["repositoryFilters"]))
        for rule in request.get("rules", [])
    )
    configuration = ScanningConfiguration(request.get("scanType", BASIC), rules)
    now = call.services.now()
    await call.write(lambda tx: configurations.put(tx, call.registry, configuration, now))
    return {"registryScanningConfiguration": _configuration(configuration)}


async def batch_get_repository_scanning_configuration(
    call: Call, request: shapes.BatchGetRepositoryScanningConfigurationRequest
) -> shapes.BatchGetRepositoryScanningConfigurationResponse:
    names = list(dict.fromkeys(request["repositoryNames"]))
    found = await call.read(lambda tx: configurations.of_repositories(tx, call.registry, names))
    return {
        "scanningConfigurations": [
            _of_repository(one, one.frequency, one.repository.arn) for one in found if one.repository and one.frequency
        ],
        "failures": [_failure(one, call.registry) for one in found if one.repository is None],
    }


def _configuration(found: ScanningConfiguration) -> shapes.RegistryScanningConfiguration:
    return {
        "scanType": "ENHANCED" if found.is_enhanced else "BASIC",
        "rules": [
            {"scanFrequency": _FREQUENCIES[rule.frequency], "repositoryFilters": _filters(rule.filters)}
            for rule in found.rules
        ],
    }


def _of_repository(
    found: RepositoryFrequency, applied: AppliedFrequency, arn: str
) -> shapes.RepositoryScanningConfiguration:
    return {
        "repositoryArn": arn,
        "repositoryName": found.name,
        "scanOnPush": applied.scans_pushes,
        "scanFrequency": _FREQUENCIES[applied.frequency],
        "appliedScanFilters": _filters(applied.filters),
    }


def _failure(found: RepositoryFrequency, registry: Registry) -> shapes.RepositoryScanningConfigurationFailure:
    return {
        "repositoryName": found.name,
        "failureCode": "REPOSITORY_NOT_FOUND",
        "failureReason": str(RepositoryNotFound(repository=found.name, registry=registry.account)),
    }


def _filters(filters: Iterable[str]) -> list[shapes.ScanningRepositoryFilter]:
    return [{"filter": text, "filterType": "WILDCARD"} for text in filters]


OPERATIONS: Final[Mapping[str, Handler]] = {
    "GetRegistryScanningConfiguration": get_registry_scanning_configuration,
    "PutRegistryScanningConfiguration": put_registry_scanning_configuration,
    "BatchGetRepositoryScanningConfiguration": batch_get_repository_scanning_configuration,
}
