"""Sessions whose time is over, presented in every way that might make them look younger."""

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
    """A session of root's of one hour, really made by this server's key, at another time."""
    vault = Vault(DataFolder(server.data).master_key())
    begun = system_clock() - begun_hours_ago * HOUR
    return Sessions(vault, lambda: begun).issue(server.environment["AWS_ACCESS_KEY_ID"], HOUR)


def test_a_session_that_is_over_is_refused_whatever_the_request_says_of_its_time(server: Server, wire: Wire) -> None:
    old = session_of(server, begun_hours_ago=2)
    proof = {"key": old.key, "secret": old.secret, "token": old.token}

    assert wire.call("DescribeRegistry", **proof).refusal == EXPIRED
    for minutes in (90, 61, 14):
        then = datetime.now(UTC) - timedelta(minutes=minutes)
        assert wire.call("DescribeRegistry", when=then, **proof).refusal == EXPIRED


def test_a_session_that_goes_on_does_not_let_old_requests_be_sent_again(server: Server, wire: Wire) -> None:
    """Signature Version 4: a request is good for fifteen minutes, however long its session is."""
    good = session_of(server, begun_hours_ago=0)
    proof = {"key": good.key, "secret": good.secret, "token": good.token}

    assert wire.call("DescribeRegistry", **proof).status == 200
    for minutes in (-20, 20):
        other = datetime.now(UTC) + timedelta(minutes=minutes)
        refused = wire.call("DescribeRegistry", when=other, **proof).refusal
        assert (refused.status, refused.code) == (400, "InvalidSignatureException")


def test_the_token_of_one_session_does_not_lengthen_another(server: Server, wire: Wire) -> None:
    old, new = session_of(server, begun_hours_ago=2), session_of(server, begun_hours_ago=0)

    mixed = wire.call("DescribeRegistry", key=old.key, secret=old.secret, token=new.token).refusal
    assert mixed.code == "UnrecognizedClientException"
    mixed = wire.call("DescribeRegistry", key=new.key, secret=new.secret, token=old.token).refusal
    assert mixed.code == "UnrecognizedClientException"
