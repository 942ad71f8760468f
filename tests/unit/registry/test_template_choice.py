"""The template that applies to a name: the code compared with the user guide, taken literally."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage.core.registry.templates import CREATE_ON_PUSH, matching
from moorage.domain.names import Registry, RepositoryName
from moorage.domain.repository_prefixes import ROOT
from moorage.metadata.database import Transaction
from moorage.metadata.engines.sqlite.schema import migrate
from moorage.metadata.engines.sqlite.writer import Writer, open_writer
from moorage.metadata.registry import templates
from moorage.metadata.registry.templates import Template

HERE, THERE = Registry("000000000000", "us-east-1"), Registry("000000000000", "eu-west-1")
OCCASIONS = (CREATE_ON_PUSH, "REPLICATION", "PULL_THROUGH_CACHE")

paths = st.lists(st.sampled_from(["a", "ab", "b", "a-b"]), min_size=1, max_size=4).map("/".join)
prefixes = st.one_of(paths, paths.map("{}/".format), st.just(ROOT))
known = st.lists(
    st.tuples(prefixes, st.lists(st.sampled_from(OCCASIONS), min_size=1, unique=True).map(tuple)),
    max_size=8,
    unique_by=lambda pair: pair[0].removesuffix("/"),
)


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writer]:
    path: Path = tmp_path_factory.mktemp("templates") / "moorage.db"
    migrate(path)
    with open_writer(path) as opened:
        yield opened


def expected(listed: list[tuple[str, tuple[str, ...]]], name: str) -> str | None:
    """The longest prefix (a slash is always added) of the templates for this use; otherwise ROOT."""
    fitting = [prefix for prefix, occasions in listed if CREATE_ON_PUSH in occasions]
    longest = max(
        (prefix for prefix in fitting if prefix != ROOT and name.startswith(prefix.removesuffix("/") + "/")),
        key=len,
        default=None,
    )
    return longest if longest is not None else ROOT if ROOT in fitting else None


@given(listed=known, name=paths)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_the_template_with_the_longest_prefix_of_its_use_applies(
    writer: Writer, listed: list[tuple[str, tuple[str, ...]]], name: str
) -> None:
    def choose(tx: Transaction) -> Template | None:
        tx.run("DELETE FROM repository_template")
        for prefix, occasions in listed:
            assert templates.insert(tx, HERE, Template(prefix, occasions))
        templates.insert(tx, THERE, Template(ROOT, OCCASIONS))
        return matching(tx, HERE, RepositoryName(name), CREATE_ON_PUSH)

    found = writer.transact(choose)

    assert (found.prefix if found else None) == expected(listed, name)
