"""Repositories: create and delete them, and change their tag mutability and resource tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, TypeVar

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

P = TypeVar("P")
"""A position in an order of repositories."""

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
    """At most `limit` repositories for which the action is allowed, with names after `after`, sorted by name."""

    def page(tx: Transaction, after: str, size: int) -> Slice[str]:
        found = repositories.page_with_policies(tx, access_request.registry, after, size)
        return Slice(found, found[-1][0].name if len(found) == size else None)

    order = Order(page, lambda repository: repository.name)
    return VisiblePage(*await list_visible_in(order, database, access_request, after, limit))


class Slice(NamedTuple, Generic[P]):
    """Repositories in an order, with their policies; `end` is the last position that was read if there may be more."""

    rows: Sequence[tuple[Repository, str | None]]
    end: P | None


@dataclass(frozen=True, slots=True)
class Order(Generic[P]):
    """An order of the repositories of a registry.

    `read` returns repositories behind a position, of at most that many rows; `position_of` is the position of one.
    """

    read: Callable[[Transaction, P, int], Slice[P]]
    position_of: Callable[[Repository], P]


async def list_visible_in(
    order: Order[P], database: Database, access_request: AccessRequest, after: P, limit: int
) -> tuple[list[Repository], P | None]:
    """At most `limit` repositories for which the action is allowed, and the position of the next page, if there is one.

    A page ends with a repository that the caller may see, so its end reveals no other. Only a caller who may see none
    of very many gets a page that ends elsewhere.
    """
    found: list[Repository] = []
    size = limit + 1
    for _ in range(_SCANS if limit else 0):
        visible, end = await database.read(lambda tx: _scan(tx, order, access_request, after, size))  # noqa: B023 - now
        found += visible
        if len(found) > limit:
            return found[:limit], order.position_of(found[limit - 1])
        if end is None:
            return found, None
        after, size = end, _SCANNED_AT_ONCE
    return found, after if limit else None


def _scan(
    tx: Transaction, order: Order[P], access_request: AccessRequest, after: P, size: int
) -> tuple[list[Repository], P | None]:
    """The visible ones of the next repositories, and the last position if there may be more."""
    visibility = Visibility(tx, access_request)
    rows, end = order.read(tx, after, size)
    return [repository for repository, policy in rows if visibility.allows(repository.name, policy)], end


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
