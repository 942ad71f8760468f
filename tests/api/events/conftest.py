"""A receiver, and the `moorage webhook` commands on a server's data folder."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from click.testing import CliRunner, Result

from moorage.cli.main import main
from tests.support.receiver import Message, Receiver, receiving
from tests.support.server import Server


@dataclass(frozen=True)
class Hook:
    """A webhook and its secret."""

    id: str
    secret: str


class Webhooks:
    """`moorage webhook` on one data folder. The commands run in this process, the server in another."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(
            main, ["webhook", *words, "--data", str(self._server.data)], env=self._server.settings
        )

    def __call__(self, *words: str) -> str:
        """The output of a command. Raises AssertionError when the command fails."""
        done = self.run(*words)
        assert done.exit_code == 0, done.stderr
        return done.stdout

    def add(self, url: str, *options: str) -> Hook:
        printed = self("add", url, *options)
        secret = re.search(r"whsec_\S+", printed)
        return Hook(printed.split()[0], secret[0] if secret else "")


@pytest.fixture
def webhooks(server: Server) -> Webhooks:
    """The commands on the shared server. Remove the webhooks that you add."""
    return Webhooks(server)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def hook(webhooks: Webhooks, receiver: Receiver) -> Iterator[Hook]:
    """A webhook of the shared server that sends all events to `receiver`. It is removed after the test."""
    hook = webhooks.add(receiver.url)
    yield hook
    webhooks("remove", hook.id)


def verify(message: Message, secret: str, event_id: str) -> None:
    """Check the signature as a receiver does (Standard Webhooks specification, "Verifying signatures")."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    sent_id, sent_at = message.headers["webhook-id"], message.headers["webhook-timestamp"]
    signed = f"{sent_id}.{sent_at}.".encode() + message.body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert message.headers["webhook-signature"] == expected
    assert abs(time.time() - int(sent_at)) < 60
    assert sent_id == event_id
