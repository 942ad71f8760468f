"""A receiver, and the commands of `moorage webhook` on a server's data folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from click.testing import CliRunner, Result

from moorage.cli.main import main
from tests.support.receiver import Receiver, receiving
from tests.support.server import Server


@dataclass(frozen=True)
class Hook:
    """A webhook that was added, with its secret."""

    id: str
    secret: str


class Webhooks:
    """`moorage webhook` on one data folder, run in this process: the server is in another one."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(
            main, ["webhook", *words, "--data", str(self._server.data)], env=self._server.settings
        )

    def __call__(self, *words: str) -> str:
        """What the command prints. Raises AssertionError when it fails."""
        done = self.run(*words)
        assert done.exit_code == 0, done.stderr
        return done.stdout

    def add(self, url: str, *options: str) -> Hook:
        printed = self("add", url, *options)
        secret = re.search(r"whsec_\S+", printed)
        return Hook(printed.split()[0], secret[0] if secret else "")


@pytest.fixture
def webhooks(server: Server) -> Webhooks:
    """The commands on the shared server; remove what you add."""
    return Webhooks(server)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def hook(webhooks: Webhooks, receiver: Receiver) -> Iterator[Hook]:
    """A webhook of the shared server for all events, which end at `receiver`; gone after the test."""
    one = webhooks.add(receiver.url)
    yield one
    webhooks("remove", one.id)
