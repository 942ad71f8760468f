"""Registries that replicate to each other, in Regions of their own on the shared server."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.api.ecr.wire import ACCOUNT, client_of
from tests.support.images import Image
from tests.support.server import Server
from tests.support.waiting import wait_until

NAME = "team/app"

_letters = ("".join(letters) for letters in itertools.product("abcdefghijklmnopqrstuvwxyz", repeat=4))


@dataclass(frozen=True)
class Site:
    """The registry of an account in a Region, with a client of ECR for it."""

    ecr: Any
    region: str
    account: str = ACCOUNT

    @property
    def destination(self) -> dict[str, str]:
        """The registry as a destination in a rule."""
        return {"region": self.region, "registryId": self.account}

    def replicate_to(self, *sites: Site, filters: Sequence[str] = (), deletions: bool | None = None) -> None:
        """Put a configuration with one rule."""
        rule: dict[str, Any] = {"destinations": [site.destination for site in sites]}
        if filters:
            rule["repositoryFilters"] = [{"filter": text, "filterType": "PREFIX_MATCH"} for text in filters]
        if deletions is not None:
            rule["deleteReplication"] = {"enabled": deletions}
        self.ecr.put_replication_configuration(replicationConfiguration={"rules": [rule]})

    def statuses(self, repository: str, image: Image | str) -> list[tuple[str, str, str]]:
        """Region, status and failure code of an image at each destination."""
        digest = image if isinstance(image, str) else image.manifest.digest
        answer = self.ecr.describe_image_replication_status(repositoryName=repository, imageId={"imageDigest": digest})
        assert answer["imageId"]["imageDigest"] == digest
        return [(each["region"], each["status"], each.get("failureCode", "")) for each in answer["replicationStatuses"]]

    def wait(self, repository: str, *images: Image | str) -> list[tuple[str, str, str]]:
        """Wait until nothing of these images is in progress; returns the statuses of the last one."""
        for image in images:
            wait_until(partial(self._is_done, repository, image))
        return self.statuses(repository, images[-1])

    def _is_done(self, repository: str, image: Image | str) -> bool:
        found = self.statuses(repository, image)
        return bool(found) and all(status != "IN_PROGRESS" for _, status, _ in found)

    def images(self, repository: str) -> dict[str, set[str]]:
        """The tags of each image of a repository, by digest; empty if there is no such repository."""
        found: dict[str, set[str]] = {}
        with suppress(self.ecr.exceptions.RepositoryNotFoundException):
            for page in self.ecr.get_paginator("list_images").paginate(repositoryName=repository):
                for each in page["imageIds"]:
                    found.setdefault(each["imageDigest"], set()).update(filter(None, [each.get("imageTag")]))
        return found


def new_region() -> str:
    """A Region of AWS's form that no other test uses."""
    return f"eu-{next(_letters)}-1"


@contextmanager
def site(server: Server, account: str = ACCOUNT, **credentials: str) -> Iterator[Site]:
    """A registry in a new Region."""
    region = new_region()
    client = client_of(server, region=region, **credentials)
    try:
        yield Site(client, region, account)
    finally:
        client.close()
