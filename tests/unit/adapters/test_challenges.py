"""Challenges of registries, and the scopes that a token is requested for."""

from __future__ import annotations

import pytest

from moorage.adapters.remote_registry.challenges import Challenge, parse_challenges, scopes_to_request


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (['Bearer realm="https://a/t",service="s"'], {"bearer": {"realm": "https://a/t", "service": "s"}}),
        (["Basic realm=x"], {"basic": {"realm": "x"}}),
        (['Bearer realm="a, b=\\"c\\"" , Basic realm="d"'], {"bearer": {"realm": 'a, b="c"'}, "basic": {"realm": "d"}}),
        (["Basic realm=a", "BEARER Realm=b"], {"basic": {"realm": "a"}, "bearer": {"realm": "b"}}),
        (["Negotiate"], {"negotiate": {}}),
        (['Bearer realm="unfinished'], {"bearer": {}, "realm": {}}),
        (["=,=", "", "é"], {}),
    ],
)
def test_challenges_are_read_by_scheme(headers: list[str], expected: dict[str, dict[str, str]]) -> None:
    assert {scheme: challenge.values for scheme, challenge in parse_challenges(headers).items()} == expected


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("", ["repository:a:pull,push"]),
        ("repository:a:pull", ["repository:a:pull,push"]),
        ("repository:mirror/a:pull", ["repository:a:pull,push", "repository:mirror/a:pull"]),
        ("registry:catalog:*", ["repository:a:pull,push", "registry:catalog:*"]),
    ],
)
def test_a_token_has_the_scope_of_the_request_and_others_that_the_registry_names(
    named: str, expected: list[str]
) -> None:
    assert list(scopes_to_request(("repository:a:pull,push",), Challenge("bearer", {"scope": named}))) == expected
