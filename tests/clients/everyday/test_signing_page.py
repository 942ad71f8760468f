"""The first example of docs/signing.md, with the AWS command line."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from tests.api.ecr.pushing import push
from tests.conftest import StartServer
from tests.support.aws import aws_client
from tests.support.clients import require_client, run
from tests.support.images import image
from tests.support.waiting import wait_until

PAGE = Path(__file__).parents[3] / "docs" / "signing.md"


def test_the_example_signs_an_image(fresh_server: StartServer, tmp_path: Path) -> None:
    server = fresh_server()
    text = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)[0]
    create, configure, pushing, describe = (
        shlex.split(one) for one in re.split(r"\n(?=\w)", text.strip()) if not one.startswith("#")
    )
    environment = server.client_environment(tmp_path)

    server.moorage(*create[1:])
    run([require_client("aws"), *configure[1:]], environment)
    assert pushing == ["docker", "push", "localhost:5000/team/app:v1"]
    with aws_client(server) as ecr:
        ecr.create_repository(repositoryName="team/app")
        push(ecr, "team/app", image(seed=1), "v1")

    def status() -> list[str]:
        answer = json.loads(run([require_client("aws"), *describe[1:], "--output", "json"], environment))
        return [one["status"] for one in answer["signingStatuses"]]

    wait_until(lambda: status() == ["COMPLETE"])
