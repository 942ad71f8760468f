"""Floods of requests by one caller: the server's memory stays bounded, and another caller is served.

The floods are those of `moorage_bench.floods`. `make soak` runs each for a minute with the bounds of docs/benchmark.md;
the short form only compares the memory, because a busy machine changes rates.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import pytest

from moorage.aws.signing import SigningKey
from moorage_bench.floods.kinds import FLOODS, Flood
from moorage_bench.floods.runner import MEMORY_LIMIT, Result, Runner
from moorage_bench.targets import Credentials, Target
from tests.support.server import Server

PUSHER = "AmazonEC2ContainerRegistryFullAccess"
SHORT_SECONDS, SHORT_SCALE = 2.0, 0.25
LONG_SECONDS = 60.0


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """The root user as the honest client, and a user who may push as the flooding caller."""
    server = Server(tmp_path_factory.mktemp("floods") / "data")
    server.start()
    root = server.environment
    server.moorage("user", "create", "flooder", "--policy", PUSHER)
    created = server.moorage("key", "create", "--user", "flooder")
    key = dict(words[1].split("=", 1) for words in map(shlex.split, created.splitlines()) if words[:1] == ["export"])
    honest, flooder = (
        Target(server.url, Credentials(key=_signing_key(variables)), server.processes()[0]) for variables in (root, key)
    )
    yield Runner(honest, flooder, print)
    server.stop()


def _signing_key(variables: dict[str, str]) -> SigningKey:
    return SigningKey(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"], "us-east-1", "ecr")


EACH_FLOOD = [pytest.param(flood, id=flood.name) for flood in FLOODS]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("flood", EACH_FLOOD)
def test_a_flood_takes_bounded_memory(runner: Runner, flood: Flood) -> None:
    result = _run(runner, flood, SHORT_SECONDS, SHORT_SCALE)

    assert result.memory <= MEMORY_LIMIT
    assert result.failures == []


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("flood", EACH_FLOOD)
def test_an_honest_client_keeps_its_share_during_a_flood(runner: Runner, flood: Flood) -> None:
    assert _run(runner, flood, LONG_SECONDS).problems == []


def _run(runner: Runner, flood: Flood, seconds: float, scale: float = 1.0) -> Result:
    return runner.run([flood], seconds, scale)[0]
