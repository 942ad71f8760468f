"""Expired sessions stay expired, whichever date a request carries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from moorage.adapters.data_folder import DataFolder
from moorage.core.clock import system_clock
from moorage.core.identity.sessions import SessionKey, Sessions
from moorage.core.vault import Vault
from moorage.domain.units import HOUR
from tests.api.ecr.wire import Wire
from tests.support.server import Server

EXPIRED = (400, "ExpiredTokenException", "The security token included in the request is expired")


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    client = Wire(server)
    yield client
    client.close()


def session_of(server: Server, *, begun_hours_ago: int) -> SessionKey:
    """A session of the root user of one hour, issued with this server's key at an earlier time."""
    vault = Vault(DataFolder(server.data).master_key())
    begun = system_clock() - begun_hours_ago * HOUR
    return Sessions(vault, lambda: begun).issue(server.environment["AWS_ACCESS_KEY_ID"], HOUR)


def test_an_expired_session_is_rejected_for_any_date_of_the_request(server: Server, wire: Wire) -> None:
    old = session_of(server, begun_hours_ago=2)
    proof = {"key": old.key, "secret": old.secret, "token": old.token}

    assert wire.call("DescribeRegistry", **proof).refusal == EXPIRED
    for minutes in (90, 61, 14):
        then = datetime.now(UTC) - timedelta(minutes=minutes)
        assert wire.call("DescribeRegistry", when=then, **proof).refusal == EXPIRED


def test_a_valid_session_does_not_make_old_requests_valid(server: Server, wire: Wire) -> None:
    """Signature Version 4: a request is valid for fifteen minutes, however long its session is."""
    good = session_of(server, begun_hours_ago=0)
    proof = {"key": good.key, "secret": good.secret, "token": good.token}

    assert wire.call("DescribeRegistry", **proof).status == 200
    for minutes in (-20, 20):
        wrong_date = datetime.now(UTC) + timedelta(minutes=minutes)
        refused = wire.call("DescribeRegistry", when=wrong_date, **proof).refusal
        assert (refused.status, refused.code) == (400, "InvalidSignatureException")


def test_a_token_does_not_extend_another_session(server: Server, wire: Wire) -> None:
    old, new = session_of(server, begun_hours_ago=2), session_of(server, begun_hours_ago=0)

    mixed = wire.call("DescribeRegistry", key=old.key, secret=old.secret, token=new.token).refusal
    assert mixed.code == "UnrecognizedClientException"
    mixed = wire.call("DescribeRegistry", key=new.key, secret=new.secret, token=old.token).refusal
    assert mixed.code == "UnrecognizedClientException"
