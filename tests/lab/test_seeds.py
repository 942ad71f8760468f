"""Seeds: what a lab begins with."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.wire import client_of
from tests.conftest import StartServer
from tests.lab.conftest import Lab
from tests.operations.cli.conftest import Command
from tests.support.images import Image, image, index, write_layout

SEED = """\
policies:
  read:
    Version: "2012-10-17"
    Statement: [{Effect: Allow, Action: "ecr:DescribeRepositories", Resource: "*"}]
users:
  ann: {policies: [read]}
keys:
  ann: {id: ANNKEY, secret: ann-secret}
registries:
  us-east-1:
    repositories:
      team/app: {tag_mutability: IMMUTABLE, tags: {team: red}}
images:
  - {repository: team/app, layout: layout, tags: [v1, v2]}
accounts:
  "210987654321":
    registries:
      eu-west-1: {repositories: {theirs: {}}}
    images:
      - {repository: theirs, region: eu-west-1, layout: index, reference: multi, tags: [all]}
"""


def one_image() -> Image:
    return image(seed=5)


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    children = [image(seed=1), image(seed=2)]
    write_layout(tmp_path / "layout", one_image())
    write_layout(tmp_path / "index", index(children), "multi", children=children)
    file = tmp_path / "seed.yaml"
    file.write_text(SEED)
    return file


def test_a_server_begins_with_its_seed_and_returns_to_it(fresh_server: StartServer, seed: Path) -> None:
    server = fresh_server(extra_args=("--lab", "--seed", str(seed)))
    lab, ecr = Lab(server), client_of(server)
    ann = client_of(server, aws_access_key_id="ANNKEY", aws_secret_access_key="ann-secret")

    for _ in range(2):
        found = ecr.describe_images(repositoryName="team/app")["imageDetails"]
        assert [(one["imageDigest"], sorted(one["imageTags"])) for one in found] == [
            (one_image().manifest.digest, ["v1", "v2"])
        ]
        assert ann.describe_repositories()["repositories"][0]["imageTagMutability"] == "IMMUTABLE"
        ecr.delete_repository(repositoryName="team/app", force=True)
        lab.call("POST", "reset")
    assert "210987654321" in server.moorage("account", "list")


def test_a_seed_over_http_is_added_as_a_whole_or_not_at_all(lab: Lab, ecr: Any, tmp_path: Path) -> None:
    write_layout(tmp_path / "layout", one_image())
    wanted = {
        "registries": {"us-east-1": {"repositories": {"team/app": {"tag_mutability": "IMMUTABLE"}}}},
        "images": [{"repository": "team/app", "layout": str(tmp_path / "layout"), "tags": ["v1"]}],
    }

    assert lab.call("POST", "seed", wanted)["changes"] == 2
    assert ecr.list_images(repositoryName="team/app")["imageIds"][0]["imageTag"] == "v1"

    wanted["registries"]["us-east-1"]["repositories"]["more"] = {}  # type: ignore[index]
    write_layout(tmp_path / "other", image(seed=9))
    wanted["images"].append({"repository": "team/app", "layout": str(tmp_path / "other"), "tags": ["v1"]})  # type: ignore[attr-defined]
    status, message = lab.refusal("POST", "seed", json.dumps(wanted, indent=1).encode())
    assert status == 400
    assert message.startswith("line ")
    assert "already exists" in message
    assert [one["repositoryName"] for one in ecr.describe_repositories()["repositories"]] == ["team/app"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"  ann: {policies: [read]}": "  ann: {polices: [read]}"}, "line 6: "),
        ({"layout: layout": "layout: nowhere"}, "line 14: images > number 1: "),
        ({"reference: multi": "reference: other"}, "line 20: "),
        ({"repository: team/app": "repository: Team"}, "line 14: "),
        ({"  ann: {id": "  bob: {id"}, "line 8: keys > bob: "),
        ({"id: ANNKEY": "id: ASIAX"}, "line 8: "),
        ({'  "210987654321":': '  "21098":'}, "line 16: "),
        ({"  ann: {policies: [read]}": "  ann: &cycle {policies: [*cycle]}"}, "line 6: this value contains itself"),
    ],
)
def test_a_seed_that_is_wrong_is_refused_with_its_line_before_anything_is_created(
    command: Command, seed: Path, tmp_path: Path, change: Mapping[str, str], message: str
) -> None:
    text = SEED
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new, 1)
    seed.write_text(text)

    ended = command("run", "--seed", str(seed), "--", sys.executable, "-c", "print('it ran')")

    assert ended.code == 1, ended
    assert message in ended.err
    assert "it ran" not in ended.out
    assert "Traceback" not in ended.err


def test_damaged_and_missing_blobs_of_a_layout_are_refused(command: Command, seed: Path, tmp_path: Path) -> None:
    digest = one_image().blobs[-1].digest.partition(":")[2]
    blob = tmp_path / "layout" / "blobs" / "sha256" / digest
    content = blob.read_bytes()
    for damaged, message in ((b"x" * len(content), "is damaged"), (content[:-1], "bytes, not"), (None, "is missing")):
        blob.unlink()
        if damaged is not None:
            blob.write_bytes(damaged)
        ended = command("run", "--seed", str(seed), "--", "true")
        assert ended.code == 1
        assert f"line 14: images > number 1: the blob sha256:{digest}" in ended.err
        assert message in ended.err
        blob.write_bytes(content)


def test_a_run_begins_with_a_seed_at_a_time(command: Command, seed: Path) -> None:
    script = (
        "import boto3; ecr = boto3.client('ecr');"
        "print(ecr.describe_images(repositoryName='team/app')['imageDetails'][0]['imagePushedAt'].year)"
    )
    ended = command("run", "--seed", str(seed), "--time", "2031-05-05", "--", sys.executable, "-c", script)

    assert (ended.code, ended.out) == (0, "2031\n"), ended.err
