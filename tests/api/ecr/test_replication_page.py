"""The example of docs/replication.md runs: its rule, its registry policy and its backfill."""

from __future__ import annotations

import json
import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.pushing import push
from tests.api.ecr.replicating import Site
from tests.api.ecr.wire import client_of
from tests.conftest import StartServer
from tests.support.images import image
from tests.support.server import Server

PAGE = (Path(__file__).parents[3] / "docs" / "replication.md").read_text("utf-8")
NAME = "team/app"


def block(name: str) -> str:
    """The block of the page behind a marker."""
    found = re.search(rf"<!-- {name} -->\n```\w*\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, name
    return found[1]


def put_rules(ecr: Any) -> None:
    """Put the configuration of the page."""
    words = shlex.split(block("regions").partition("moorage ecr describe-registry")[0].replace("\\\n", " "))
    assert words[:3] == ["moorage", "ecr", "put-replication-configuration"]
    ecr.put_replication_configuration(replicationConfiguration=json.loads(words[-1]))


def site(server: Server, region: str, account: str, **credentials: str) -> Site:
    return Site(client_of(server, region=region, **credentials), region, account)


def test_the_example_of_the_page_replicates_and_its_backfill_completes(
    fresh_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = fresh_server()
    source, target = (site(server, region, "000000000000") for region in ("us-east-1", "eu-west-1"))
    source.ecr.create_repository(repositoryName=NAME)
    before = push(source.ecr, NAME, image(seed=1), "before")
    put_rules(source.ecr)
    after = push(source.ecr, NAME, image(seed=2), "v1")
    source.wait(NAME, after)
    assert target.images(NAME) == {after.manifest.digest: {"v1"}}

    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    script = tmp_path / "backfill.py"
    script.write_text(block("backfill"))
    runpy.run_path(str(script))

    printed = capsys.readouterr().out
    assert printed.startswith("COMPLETE {'totalReplicationCount': 2, 'completedReplicationCount': 2")
    assert target.images(NAME) == source.images(NAME) != {before.manifest.digest: {"before"}}


def test_the_registry_policy_of_the_page_lets_images_in(fresh_server: StartServer) -> None:
    server = fresh_server()
    account = "111122223333"
    exports = server.moorage("account", "create", account).splitlines()
    key, secret = (shlex.split(line)[1].partition("=")[2] for line in exports)
    receiver = site(server, "eu-west-1", account, aws_access_key_id=key, aws_secret_access_key=secret)
    source = site(server, "us-east-1", "000000000000")
    receiver.ecr.put_registry_policy(policyText=block("receiver"))
    source.ecr.create_repository(repositoryName=NAME)
    source.replicate_to(receiver)

    pushed = push(source.ecr, NAME, image(seed=1), "v1")

    assert source.wait(NAME, pushed) == [("eu-west-1", "COMPLETE", "")]
    assert receiver.images(NAME) == {pushed.manifest.digest: {"v1"}}
