"""SearchRepositories: prefixes, orders, pages, and what the caller may see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.api.ecr.wire import refusal
from tests.api.services.calls import ACCOUNT, Person, allow, client_of, person_with
from tests.support.server import Server

AllOf = Callable[..., list[Any]]
NAMES = ["find-me/b", "find-me/a", "find-me.c", "find-me/a/b", "find-me", "find-m", "find-me0"]
"""In the order of their creation."""

ARN = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository"


@pytest.fixture(scope="module", autouse=True)
def created(server: Server) -> Iterator[None]:
    ecr = client_of(server, "ecr")
    for name in NAMES:
        ecr.create_repository(repositoryName=name)
    yield
    for name in NAMES:
        ecr.delete_repository(repositoryName=name)


def names_of(found: list[Any]) -> list[str]:
    return [repository["repositoryName"] for repository in found]


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("prefix", ["find-me", "find-me/", "find-m", "find-me/a/b", "find-nothing"])
@pytest.mark.parametrize("order", ["ASCENDING", "DESCENDING"])
@pytest.mark.parametrize("sort", ["NAME", "CREATED"])
def test_repositories_are_found_by_prefix_in_each_order(
    moorage: Any, all_of: AllOf, sort: str, order: str, prefix: str, size: int
) -> None:
    found = all_of(
        moorage.search_repositories, "repositories", prefix=prefix, sortBy=sort, sortOrder=order, maxResults=size
    )

    matching = [name for name in NAMES if name.startswith(prefix)]
    if sort == "NAME":
        matching.sort()
    if order == "DESCENDING":
        matching.reverse()
    assert names_of(found) == matching


def test_repositories_look_as_ecr_shows_them(server: Server, moorage: Any) -> None:
    (shown,) = client_of(server, "ecr").describe_repositories(repositoryNames=["find-me/a"])["repositories"]

    assert moorage.search_repositories(prefix="find-me/a", maxResults=1)["repositories"] == [shown]


def test_without_a_prefix_all_repositories_are_listed_in_the_order_of_their_names(
    server: Server, moorage: Any, all_of: AllOf
) -> None:
    everything = all_of(client_of(server, "ecr").describe_repositories, "repositories")

    assert all_of(moorage.search_repositories, "repositories", maxResults=3) == everything
    by_creation = all_of(moorage.search_repositories, "repositories", sortBy="CREATED", maxResults=3)
    assert [name for name in names_of(by_creation) if name in NAMES] == NAMES


def test_a_caller_finds_only_what_it_may_describe(server: Server, all_of: AllOf) -> None:
    person = person_with(server, allow("ecr:DescribeRepositories", resource=f"{ARN}/find-me/*"))
    search = client_of(server, "moorage", person).search_repositories

    assert names_of(all_of(search, "repositories", maxResults=1)) == ["find-me/a", "find-me/a/b", "find-me/b"]
    assert names_of(all_of(search, "repositories", sortBy="CREATED", prefix="find")) == [
        "find-me/b",
        "find-me/a",
        "find-me/a/b",
    ]


def test_a_caller_who_may_describe_nothing_is_denied(server: Server) -> None:
    search = client_of(server, "moorage", person_with(server)).search_repositories

    status, code, text = refusal(search)
    assert (status, code) == (400, "AccessDeniedException")
    assert "is not authorized to perform: ecr:DescribeRepositories" in text
    assert search(prefix="find-me")["repositories"] == []


def test_other_accounts_and_regions_are_not_searched(server: Server, all_of: AllOf) -> None:
    exports = server.moorage("account", "create", "222222222222").splitlines()
    key, secret = (line.partition("=")[2] for line in exports if line.startswith("export "))
    stranger = client_of(server, "moorage", Person("root", key, secret))
    elsewhere = client_of(server, "moorage", region_name="eu-west-1")

    assert all_of(stranger.search_repositories, "repositories") == []
    assert all_of(elsewhere.search_repositories, "repositories", prefix="find-me") == []


def test_a_token_of_another_search_is_refused(moorage: Any) -> None:
    token = moorage.search_repositories(prefix="find-me", maxResults=1)["nextToken"]

    for other in ({"prefix": "find-m"}, {"sortBy": "CREATED"}, {"sortOrder": "DESCENDING"}, {}):
        request = {"prefix": "find-me", "nextToken": token, **other} if other else {"nextToken": token}
        assert refusal(moorage.search_repositories, **request) == (
            400,
            "ValidationException",
            "The nextToken value is invalid",
        )
