"""Pull-through cache rules and secrets on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api.pull_through.calls import (
    HUB,
    create,
)
from tests.support.commands import run_here
from tests.support.server import Server


def test_the_command_line_of_aws_manages_rules(caching: Server, new_secret: Callable[..., str], ecr: Any) -> None:
    region = ecr.meta.region_name

    def aws(*words: str) -> Any:
        command = [sys.executable, "-m", "awscli", "ecr", *words, "--region", region, "--output", "json"]
        ended = subprocess.run(
            command, env=caching.client_environment(Path("/nonexistent")), capture_output=True, check=True, text=True
        )
        return json.loads(ended.stdout)

    hub = ("--ecr-repository-prefix", "docker-hub")
    aws("create-pull-through-cache-rule", *hub, "--upstream-registry-url", HUB, "--credential-arn", new_secret())
    (rule,) = aws("describe-pull-through-cache-rules")["pullThroughCacheRules"]
    assert rule["upstreamRegistry"] == "docker-hub"
    assert aws("delete-pull-through-cache-rule", *hub)["ecrRepositoryPrefix"] == "docker-hub"


def test_the_refresh_time_of_a_rule_is_set_by_a_command(caching: Server, ecr: Any) -> None:
    create(ecr)
    create(ecr, "team/", upstreamRepositoryPrefix="team")
    region = ("--region", ecr.meta.region_name)

    caching.moorage("pull-through", "set", "quay", "--refresh", "1h", *region)
    lines = caching.moorage("pull-through", "list", *region).splitlines()
    assert lines == ["quay\tquay.io\tROOT\tevery 1h", "team/\tquay.io\tteam\tevery 24h"]
    caching.moorage("pull-through", "set", "quay", "--refresh", "24h", *region)
    assert "every 24h" in caching.moorage("pull-through", "list", *region)
    for prefix, refresh in (("none", "1h"), ("quay", "9s"), ("quay", "366d")):
        caching.moorage_error("pull-through", "set", prefix, "--refresh", refresh, *region)


def test_secrets_are_listed_without_their_values(caching: Server, new_secret: Callable[..., str], ecr: Any) -> None:
    region = ("--region", ecr.meta.region_name)
    arn = new_secret(token="very-secret")
    assert new_secret(token="very-secret-too") == arn
    caching.moorage("secret", "put", "other", *region, stdin="very-secret\n")
    caching.moorage("secret", "delete", "other", *region)

    lines = [line.split("\t") for line in caching.moorage("secret", "list", *region).splitlines()]

    assert [line[0] for line in lines] == ["ecr-pullthroughcache/hub", "other"]
    assert lines[0][1] == arn
    assert [line[2].split()[0] for line in lines] == ["changed", "deleted"]
    assert b"very-secret" not in b"".join(path.read_bytes() for path in caching.data.glob("*.db*"))
    assert "marked for deletion" in caching.moorage_error("secret", "put", "other", *region, stdin="x")
    assert "can't find" in caching.moorage_error("secret", "delete", "none", *region)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--upstream", "a=https://b/path", "'a=https://b/path' is not NAME=URL"),
        ("--upstream", "a=https://b other", "only realm=HOST can follow"),
        ("--upstream", "a,a=https://b", "an upstream registry is named twice"),
        ("--mirror", "https://docker.io", "'https://docker.io' is neither a host name nor an address"),
    ],
)
def test_a_server_does_not_start_with_an_invalid_registry(
    tmp_path: Path, option: str, value: str, message: str
) -> None:
    ended = run_here("serve", "--data", tmp_path, option, value)

    assert ended.code == 2
    assert f"{option} is invalid" in ended.err
    assert message in ended.err
