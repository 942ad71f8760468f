"""Caches keep no more than their bounds, for any requests."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import takewhile

import pytest

from moorage.bounds import bounded_cache
from moorage.domain.identity.policies.document import (
    BYTES_PER_CHARACTER,
    CACHED_CHARACTERS,
    PolicyKind,
    parse_policy,
)
from moorage.metadata.engines.result_cache import ResultCache
from moorage.oci.access import _registry_of_host

MIB = 1 << 20


def test_a_result_is_computed_once_as_long_as_it_is_kept() -> None:
    computed: list[str] = []

    @bounded_cache(entries=8, size=10)
    def upper(text: str) -> str:
        computed.append(text)
        return text.upper()

    assert [upper("one"), upper("two"), upper("one"), upper("two")] == ["ONE", "TWO", "ONE", "TWO"]
    assert computed == ["one", "two"]
    assert upper("three") == "THREE"  # 11 characters: the others are dropped
    assert upper("three") == "THREE"
    assert upper("one") == "ONE"
    assert computed == ["one", "two", "three", "one"]


def test_exceptions_are_not_kept() -> None:
    computed: list[str] = []

    @bounded_cache(entries=8, size=100)
    def reject(text: str) -> str:
        computed.append(text)
        raise ValueError(text)

    for _ in range(2):
        with pytest.raises(ValueError, match="one"):
            reject("one")
    assert computed == ["one", "one"]


def memory_after(call: Callable[[int], object], number: int) -> int:
    """How many bytes the program keeps after these calls."""
    tracemalloc.start()
    try:
        for one in range(number):
            call(one)
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_long_host_names_take_no_memory() -> None:
    assert memory_after(lambda number: _registry_of_host(f"{number}".ljust(60_000, "x")), 1_000) < MIB


def policy(number: int, condition: str) -> str:
    """A repository policy."""
    return (
        f'{{"Version":"2012-10-17","Id":"{number}","Statement":{{"Effect":"Allow","Principal":"*","Action":"ecr:*",'
        f'"Condition":{{"StringLike":{{"aws:UserAgent":"{condition}"}}}}}}}}'
    )


def test_large_policies_are_kept_in_a_small_number() -> None:
    """Anybody who may set policies or assume roles can have thousands of large ones parsed."""
    texts = [policy(number, "x" * 10_000) for number in range(400)]
    parsed = [parse_policy(text, PolicyKind.REPOSITORY) for text in texts]

    newest_first = zip(reversed(texts), reversed(parsed), strict=True)
    kept = takewhile(lambda pair: parse_policy(pair[0], PolicyKind.REPOSITORY) is pair[1], newest_first)
    assert 1 <= len(list(kept)) <= CACHED_CHARACTERS // 10_000


def test_a_pattern_of_many_different_characters_takes_little_memory() -> None:
    characters = "".join(map(chr, range(0x4E00, 0x4E00 + 9_000)))

    parse_policy(policy(1, "?"), PolicyKind.REPOSITORY)
    kept = memory_after(lambda number: parse_policy(policy(number, f"{characters}?"), PolicyKind.REPOSITORY), 1)

    assert kept < BYTES_PER_CHARACTER * len(characters)


def test_results_of_lookups_are_counted_in_bytes() -> None:
    cache = ResultCache()
    for number in range(100):
        cache.add(number, bytes(MIB), MIB)
    kept = len(cache.results)
    cache.add("larger than all", bytes(17 * MIB), 17 * MIB)

    assert 1 <= kept <= 16
    assert not cache.results
