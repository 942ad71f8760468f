"""Repositories as responses show them, in each service that does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moorage.api.call import seconds
from moorage.core.services import Services
from moorage.metadata.registry.repositories import Repository


def repository_view(services: Services, found: Repository) -> dict[str, Any]:
    settings = found.settings
    view: dict[str, Any] = {
        "repositoryArn": found.arn,
        "registryId": found.registry.account,
        "repositoryName": found.name,
        "repositoryUri": services.addresses.repository_uri(found.registry, found.name),
        "createdAt": seconds(found.created_at),
        "imageTagMutability": settings.tag_mutability,
        "imageScanningConfiguration": {"scanOnPush": settings.scan_on_push},
        "encryptionConfiguration": encryption_view(settings.encryption_type, settings.kms_key),
    }
    if settings.exclusion_filters:
        view["imageTagMutabilityExclusionFilters"] = filters_view(settings.exclusion_filters)
    return view


def encryption_view(kind: str, key: str | None) -> dict[str, str]:
    return {"encryptionType": kind} if key is None else {"encryptionType": kind, "kmsKey": key}


def filters_view(filters: Iterable[str]) -> list[dict[str, str]]:
    return [{"filterType": "WILDCARD", "filter": text} for text in filters]
