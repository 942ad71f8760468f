"""Page tokens: what they reveal, and which ones are accepted."""

from __future__ import annotations

import base64

import pytest

from moorage.core.pages import PageTokens
from moorage.core.vault import Vault
from moorage.domain.errors import InvalidParameter

TOKENS = PageTokens(Vault(b"k" * 32))
POSITION = ("team/secret-merger", 7)


def content(token: str) -> bytes:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


def after(scope: str, token: str) -> tuple[str, int]:
    return TOKENS.page(scope, token, ("", 0), 10).after


def test_a_token_reveals_neither_its_position_nor_whether_another_one_has_the_same() -> None:
    first, second = TOKENS.issue("list", POSITION), TOKENS.issue("list", POSITION)

    assert after("list", first) == after("list", second) == POSITION
    assert first != second
    for token in (first, second):
        assert b"secret" not in content(token)


@pytest.mark.parametrize("alter", range(0, 48, 7))
def test_an_altered_token_is_rejected(alter: int) -> None:
    token = bytearray(content(TOKENS.issue("list", POSITION)))
    token[alter % len(token)] ^= 1

    with pytest.raises(InvalidParameter):
        after("list", base64.urlsafe_b64encode(token).decode())


@pytest.mark.parametrize("token", ["", "x", "nonsense!", "AAAA", "A" * 64])
def test_what_is_no_token_is_rejected(token: str) -> None:
    with pytest.raises(InvalidParameter):
        after("list", token)


def test_a_token_of_another_list_or_server_is_rejected() -> None:
    other = PageTokens(Vault(b"x" * 32))

    for token in (TOKENS.issue("another", POSITION), other.issue("list", POSITION)):
        with pytest.raises(InvalidParameter):
            after("list", token)
