"""What a destination outside the server gets: patterns of tags, ranges of versions, and prefixes of names."""

from __future__ import annotations

import pytest

from moorage.domain.replication.destinations import Rewrite, Selection, check_patterns
from moorage.domain.replication.versions import VersionRange


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">=1.2 <2", "1.2.0 v1.2 1.9.9 1.10", "1.1.9 2.0.0 2 1.5.0-rc.1 latest 1.2.3.4"),
        ("^1.2.3", "1.2.3 1.9", "1.2.2 2.0.0"),
        ("^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2"),
        ("^0.0.3", "0.0.3", "0.0.4"),
        ("~1.2.3", "1.2.3 1.2.9", "1.3.0"),
        ("~1", "1.0.0 1.9.0", "2.0.0"),
        ("1.2", "1.2.0 1.2.7+build.5", "1.3.0"),
        ("=1.2.3", "1.2.3 v1.2.3", "1.2.4"),
        (">1.0.0-rc.1", "1.0.0-rc.2 1.0.0-rc.11 1.0.0 2.0.0-alpha", "1.0.0-rc.1 1.0.0-beta"),
        ("<=2.0.0-rc.1", "2.0.0-rc.1 2.0.0-alpha 1.0.0", "2.0.0 2.0.0-rc.2"),
    ],
)
def test_versions_belong_to_a_range(text: str, inside: str, outside: str) -> None:
    """The order of versions is that of semver.org, section 11."""
    versions = VersionRange.parse(text)

    assert [tag for tag in inside.split() if not versions.includes(tag)] == []
    assert [tag for tag in outside.split() if versions.includes(tag)] == []


@pytest.mark.parametrize("text", ["", "latest", ">=", ">=1.2,<2", "1.2.3 || 2", "1" * 300, "01.2"])
def test_a_range_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="range of versions"):
        VersionRange.parse(text)


def test_one_match_of_patterns_or_versions_is_enough() -> None:
    selection = Selection(tags=("prod-*", "latest"), versions="^2")
    tags = ["prod-1", "latest", "2.5", "dev", "1.0"]

    assert [tag for tag in tags if selection.takes_tag(tag)] == ["prod-1", "latest", "2.5"]
    assert all(map(Selection().takes_tag, tags))
    assert selection.takes_tag(f"sha256-{'0' * 64}.sig"), "a signature follows its image"


@pytest.mark.parametrize("pattern", ["", "a b", "v[0-9]", "x" * 129, "a/b"])
def test_a_pattern_that_no_tag_can_match_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a pattern of tags"):
        check_patterns([pattern])


def test_there_are_at_most_20_patterns() -> None:
    with pytest.raises(ValueError, match="at most 20"):
        check_patterns(["v*"] * 21)


@pytest.mark.parametrize(
    ("repository", "there"),
    [("team/app", "mirror/app"), ("team/base/os", "base/os"), ("other/app", "all/other/app")],
)
def test_the_longest_prefix_is_rewritten(repository: str, there: str) -> None:
    rewrites = tuple(map(Rewrite.parse, ("=all/", "team/=mirror/", "team/base/=base/")))

    assert Selection(rewrites=rewrites).name_there(repository) == there
    assert Selection().name_there(repository) == repository


@pytest.mark.parametrize("text", ["team", "Team/=x/", "a//=b", "../=x"])
def test_a_rewrite_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HERE=THERE"):
        Rewrite.parse(text)
