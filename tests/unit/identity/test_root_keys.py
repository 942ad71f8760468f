"""Which secrets may protect a server that others can reach."""

from __future__ import annotations

import secrets
import string

import pytest

from moorage.core.identity.key_ids import new_secret
from moorage.domain.identity.root_keys import weakness_of


@pytest.mark.parametrize(
    ("secret", "weakness"),
    [
        ("test", "it has fewer than 32 characters"),
        ("aaaaaaaabbbbbbbbaaaaaaaabbbbbbbb", "it has fewer than 10 different characters"),
        ("correcthorsebatterycorrecthorsebattery", "a part of 8 characters occurs in it twice"),
        ("x9abcdefghKq7wPz31LmT0vYcRbN5sWd", "8 characters of it are in alphabetical or numerical order"),
        ("x987654321Kq7wPz31LmT0vYcRbN5sWd", "8 characters of it are in alphabetical or numerical order"),
        ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AWS has published it as an example"),
    ],
)
def test_a_secret_that_people_type_is_weak(secret: str, weakness: str) -> None:
    assert weakness_of(secret) == weakness


def test_a_random_secret_is_strong() -> None:
    letters = string.ascii_lowercase + string.digits
    made = [new_secret(), "".join(secrets.choice(letters) for _ in range(32)), secrets.token_hex(32)]

    assert [weakness_of(secret) for secret in made] == [None, None, None]
