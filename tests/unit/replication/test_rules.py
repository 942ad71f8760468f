"""Filters are prefixes, and destinations of overlapping rules count once (ECR user guide, "Private image replication").

The table of the user guide: the filter `prod` selects repositories whose names begin with `prod`.
"""

from __future__ import annotations

import pytest

from moorage.domain.errors import InvalidParameter
from moorage.domain.names import Registry
from moorage.domain.replication.rules import Rule, Target, check, destinations_of, targets_of

HERE, THERE, ELSEWHERE = (Registry("000000000000", region) for region in ("us-east-1", "eu-west-1", "eu-west-2"))


@pytest.mark.parametrize(
    ("prefixes", "name", "expected"),
    [
        ((), "anything", True),
        (("prod",), "prod", True),
        (("prod",), "prod/app", True),
        (("prod",), "production", True),
        (("prod",), "my/prod", False),
        (("prod/",), "prod", False),
        (("prod/",), "prod/app", True),
        (("test", "prod"), "prod-1", True),
        (("test", "prod"), "pro", False),
    ],
)
def test_a_filter_is_a_prefix(prefixes: tuple[str, ...], name: str, *, expected: bool) -> None:
    assert Rule((THERE,), prefixes).applies_to(name) is expected


def test_a_destination_of_several_rules_counts_once_and_deletions_go_there_if_one_of_them_says_so() -> None:
    rules = [Rule((THERE, ELSEWHERE)), Rule((THERE,), ("team/",), replicates_deletions=True)]

    assert targets_of(rules, "team/app") == [Target(THERE, True), Target(ELSEWHERE, False)]
    assert targets_of(rules, "other") == [Target(THERE, False), Target(ELSEWHERE, False)]
    assert destinations_of(rules) == [THERE, ELSEWHERE]
    assert targets_of([], "team/app") == []


@pytest.mark.parametrize(
    ("source", "destination", "text"),
    [
        ("us-east-1", "us-east-1", "Replication destination cannot be the same as the source registry"),
        ("us-east-1", "us-gov-west-1", "must be in the partition aws"),
        ("cn-north-1", "us-east-1", "must be in the partition aws-cn"),
    ],
)
def test_a_destination_is_another_registry_of_the_partition(source: str, destination: str, text: str) -> None:
    rule = Rule((Registry("000000000000", destination),))

    with pytest.raises(InvalidParameter, match=text):
        check([rule], Registry("000000000000", source))


def test_the_same_region_of_another_account_and_another_region_of_a_partition_are_destinations() -> None:
    check([Rule((Registry("111122223333", HERE.region), THERE))], HERE)
    check([Rule((Registry("000000000000", "cn-northwest-1"),))], Registry("000000000000", "cn-north-1"))
