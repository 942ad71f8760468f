"""Session tokens: they end at their time, and neither a clock nor a forged token extends them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from moorage.core.identity.sessions import RoleSession, Session, SessionKey, Sessions
from moorage.core.vault import Vault
from moorage.domain.errors import ExpiredToken, UnrecognizedClient
from moorage.domain.units import HOUR, SECOND

START = 1_800_000_000 * SECOND


class Time:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def vault() -> Vault:
    return Vault(bytes(range(32)))


@pytest.fixture
def sessions(vault: Vault, time: Time) -> Sessions:
    return Sessions(vault, time)


def test_a_session_has_the_values_of_its_request(sessions: Sessions) -> None:
    role = RoleSession("AROA1", "build-7", '{"Statement": []}', ("arn:aws:iam::aws:policy/x",))

    made = sessions.issue("AKIA1", HOUR, role)

    session = sessions.read(made.key, made.token)
    assert (session.parent, session.role) == ("AKIA1", role)
    assert (session.issued, session.expires) == (START, START + HOUR)
    assert sessions.secret_of(session) == made.secret
    assert made.secret not in repr(made)


def test_a_session_ends_at_its_time_and_does_not_become_valid_again_when_the_clock_moves(
    sessions: Sessions, time: Time
) -> None:
    made = sessions.issue("AKIA1", HOUR)
    time.now = START + HOUR - 1
    assert sessions.read(made.key, made.token).expires == START + HOUR
    for now in (START + HOUR, START + 2 * HOUR):
        time.now = now
        with pytest.raises(ExpiredToken):
            sessions.read(made.key, made.token)


def test_a_token_with_a_longer_duration_is_rejected(sessions: Sessions, vault: Vault) -> None:
    made = sessions.issue("AKIA1", HOUR)
    session = sessions.read(made.key, made.token)

    def forged(**changes: Any) -> str:
        return Vault(bytes(32)).stamp(msgspec.msgpack.encode(msgspec.structs.replace(session, **changes)), "session")

    for token in (
        forged(expires=START + 1000 * HOUR),
        forged(),
        vault.stamp(msgspec.msgpack.encode(session), "docker"),
        vault.stamp(msgspec.msgpack.encode([made.key, "AKIA1", START]), "session"),
        vault.stamp(b"\xff", "session"),
        made.token[:-1],
        "",
    ):
        with pytest.raises(UnrecognizedClient):
            sessions.read(made.key, token)


def test_key_and_token_belong_together(sessions: Sessions) -> None:
    first, second = sessions.issue("AKIA1", HOUR), sessions.issue("AKIA1", HOUR)

    assert first.secret != second.secret
    with pytest.raises(UnrecognizedClient):
        sessions.read(first.key, second.token)
    with pytest.raises(UnrecognizedClient):
        sessions.read("ASIA\xff", first.token)


def test_restrictions_are_part_of_the_secret(vault: Vault) -> None:
    """A token without its restrictions would need another secret to sign with."""
    free = Session("ASIA1", "AKIA1", START, START + HOUR, RoleSession("AROA1", "me"))
    bound = Session("ASIA1", "AKIA1", START, START + HOUR, RoleSession("AROA1", "me", "{}"))
    sessions = Sessions(vault, lambda: START)

    assert sessions.secret_of(free) != sessions.secret_of(bound)
    assert (free.role is not None and free.role.is_restricted) is False
    assert isinstance(sessions.issue("AKIA1", HOUR), SessionKey)
