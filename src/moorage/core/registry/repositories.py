"""Repositories: create and delete them, and change their tag mutability and resource tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from moorage.core.identity.authorization import AccessRequest, Visibility
from moorage.core.limits import Limits
from moorage.domain.errors import InvalidParameter
from moorage.domain.names import Registry, RepositoryName, matches_wildcard
from moorage.domain.registry import resource_tags
from moorage.domain.registry.errors import (
    RepositoryAlreadyExists,
    RepositoryNotEmpty,
    RepositoryNotFound,
)
from moorage.metadata import jobs
from moorage.metadata.database import Database, Transaction
from moorage.metadata.garbage import deleted_repositories
from moorage.metadata.registry import counts, repositories
from moorage.metadata.registry.repositories import Repository, RepositorySettings

_SCANNED_AT_ONCE: Final = 1000
_SCANS: Final = 10
"""How many repositories are tried for one page of a list, in how many reads, if the caller may see few of them."""

_WILDCARD_LIMIT = 2
"""Wildcards in one exclusion filter; ECR rejects more (Terraform's validator and its acceptance test)."""


def get(tx: Transaction, registry: Registry, name: str) -> Repository:
    """Raises RepositoryNotFound."""
    found = repositories.find(tx, registry, name)
    if found is None:
        raise RepositoryNotFound(repository=name, registry=registry.account)
    return found


class VisiblePage(NamedTuple):
    """Repositories that a caller may see. The next page begins after the name `end`; None if there is no next page."""

    repositories: list[Repository]
    end: str | None

    @property
    def ends_visibly(self) -> bool:
        """Whether the caller may see the repository with the name `end`."""
        return bool(self.repositories) and self.repositories[-1].name == self.end


async def list_visible(database: Database, access_request: AccessRequest, after: str, limit: int) -> VisiblePage:
    """At most `limit` repositories for which the action is allowed, with names after `after`, sorted by name.

    A page ends with a repository that the caller may see, so its end reveals no other. Only a caller who may see none
    of very many gets a page that ends elsewhere.
    """
    found: list[Repository] = []
    size = limit + 1
    for _ in range(_SCANS if limit else 0):
        visible, end = await database.read(lambda tx: _scan(tx, access_request, after, size))  # noqa: B023 - runs now
        found += visible
        if len(found) > limit:
            return VisiblePage(found[:limit], found[limit - 1].name)
        if end is None:
            return VisiblePage(found, None)
        after, size = end, _SCANNED_AT_ONCE
    return VisiblePage(found, after if limit else None)


def _scan(tx: Transaction, access_request: AccessRequest, after: str, size: int) -> tuple[list[Repository], str | None]:
    """The visible ones of the next `size` repositories, and the last name if there may be more."""
    visibility = Visibility(tx, access_request)
    rows = repositories.page_with_policies(tx, access_request.registry, after, size)
    visible = [repository for repository, policy in rows if visibility.allows(repository.name, policy)]
    return visible, rows[-1][0].name if len(rows) == size else None


@dataclass(frozen=True, slots=True)
class NewRepository:
    """A repository to create, with its resource tags."""

    registry: Registry
    name: RepositoryName
    settings: RepositorySettings = field(default_factory=RepositorySettings)
    tags: Mapping[str, str] = field(default_factory=dict)


def create(tx: Transaction, new_repository: NewRepository, limits: Limits, now: int) -> Repository:
    """Create a repository as a request describes it.

    Raises RepositoryAlreadyExists, InvalidParameter, TooManyTags, InvalidTagParameter, LimitExceeded, Unavailable.
    """
    resource_tags.check(new_repository.tags)
    return create_checked(tx, new_repository, limits, now)


def create_checked(tx: Transaction, new_repository: NewRepository, limits: Limits, now: int) -> Repository:
    """Create a repository with resource tags that were checked when its template was stored.

    Raises RepositoryAlreadyExists, InvalidParameter, LimitExceeded, Unavailable.
    """
    limits.require_space()
    check_mutability(new_repository.settings.tag_mutability, new_repository.settings.exclusion_filters)
    repository = repositories.insert(tx, new_repository.registry, new_repository.name, new_repository.settings, now)
    if repository is None:
        raise RepositoryAlreadyExists(repository=new_repository.name, registry=new_repository.registry.account)
    limits.quotas.check("repositories", counts.repositories_of(tx, new_repository.registry))
    _put_tags(tx, repository, new_repository.tags)
    return repository


def delete(tx: Transaction, repository: Repository, now: int, *, force: bool) -> None:
    """Delete a repository; its images can be undeleted for a while. Raises RepositoryNotEmpty unless `force`.

    Its name is free at once. So that other changes do not wait, a large repository leaves the rest to a job.
    """
    if not force and repositories.has_images(tx, repository):
        raise RepositoryNotEmpty(repository=repository.name, registry=repository.registry.account)
    deleted_repositories.add(tx, repository, now)
    if not deleted_repositories.remove_slice(tx, repository.id):
        jobs.enqueue(tx, deleted_repositories.JOB, str(repository.id), {}, now)


def set_tag_mutability(tx: Transaction, repository: Repository, mutability: str, filters: tuple[str, ...]) -> None:
    """Set the tag mutability. Raises InvalidParameter if it does not allow the filters, or needs some."""
    check_mutability(mutability, filters)
    repositories.set_tag_mutability(tx, repository, mutability, filters)


def set_scan_on_push(tx: Transaction, repository: Repository, *, scan_on_push: bool) -> None:
    """Set whether images are scanned when they are pushed."""
    repositories.set_scan_on_push(tx, repository, scan_on_push)


def check_mutability(mutability: str, filters: tuple[str, ...]) -> None:
    """Check that `…_WITH_EXCLUSION` has filters, and other settings have none. Raises InvalidParameter."""
    parameter = "imageTagMutabilityExclusionFilters"
    if mutability.endswith("_WITH_EXCLUSION"):
        if not filters:
            reason = f"ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as {mutability}"
            raise InvalidParameter(parameter=parameter, constraint=reason)
    elif filters:
        reason = f"ImageTagMutabilityExclusionFilters are not allowed when imageTagMutability is set as {mutability}"
        raise InvalidParameter(parameter=parameter, constraint=reason)
    if any(text.count("*") > _WILDCARD_LIMIT for text in filters):
        raise InvalidParameter(parameter=parameter, constraint=f"A filter can have at most {_WILDCARD_LIMIT} wildcards")


def is_immutable(settings: RepositorySettings, tag: str) -> bool:
    """Whether a tag cannot be moved to another image (ECR user guide, "Image tag mutability")."""
    excluded = any(matches_wildcard(pattern, tag) for pattern in settings.exclusion_filters)
    match settings.tag_mutability:
        case "IMMUTABLE":
            return True
        case "IMMUTABLE_WITH_EXCLUSION":
            return not excluded
        case "MUTABLE_WITH_EXCLUSION":
            return excluded
        case _:
            return False


def add_tags(tx: Transaction, repository: Repository, tags: Mapping[str, str]) -> None:
    """Add or replace resource tags. Raises InvalidTagParameter, TooManyTags."""
    resource_tags.check(tags)
    _put_tags(tx, repository, tags)
    if tags:
        resource_tags.check_number(len(repositories.resource_tags(tx, repository)))


def _put_tags(tx: Transaction, repository: Repository, tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        repositories.put_resource_tag(tx, repository, key, value)


def remove_tags(tx: Transaction, repository: Repository, keys: list[str]) -> None:
    """Remove resource tags; missing keys are ignored."""
    for key in keys:
        repositories.delete_resource_tag(tx, repository, key)
