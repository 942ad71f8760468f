"""`moorage usage`: the bytes of repositories, teams and accounts."""

from __future__ import annotations

from typing import Any

from tests.api.ecr.pushing import push
from tests.conftest import StartServer
from tests.support.aws import aws_client
from tests.support.images import Image, image, layer


def size_of(*images: Image) -> int:
    return sum(map(len, {blob.content for one in images for blob in one.blobs}))


def table(text: str) -> dict[str, list[str]]:
    return {name: numbers for name, *numbers in (line.split("\t") for line in text.splitlines())}


def test_bytes_are_shown_by_repository_team_and_account(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--workers", "1"])
    shared = layer(50_000, seed=1)
    one, two = image([shared, layer(20_000, seed=2)]), image([shared, layer(3_000, seed=3)])
    with aws_client(server) as ecr:
        for name, pushed in (("team/app", one), ("team/web", two), ("other", one), ("empty", None)):
            ecr.create_repository(repositoryName=name)
            if pushed is not None:
                push(ecr, name, pushed, "v1")
    home = "000000000000/us-east-1"

    def row(*figures: Any) -> list[str]:
        return [str(figure) for figure in figures]

    own_of_two = size_of(two) - len(shared.content)
    assert table(server.moorage("usage")) == {
        f"{home}/empty": row(0, 0, 0, 0),
        f"{home}/other": row(1, 3, size_of(one), 0),
        f"{home}/team/app": row(1, 3, size_of(one), 0),
        f"{home}/team/web": row(1, 3, size_of(two), own_of_two),
        "stored": row("-", 5, size_of(one, two), "-"),
    }
    by_team = table(server.moorage("usage", "--by", "prefix"))
    assert by_team[f"{home}/team"] == row(2, 6, size_of(one) + size_of(two), own_of_two)
    assert table(server.moorage("usage", "--by", "account"))["000000000000"][:2] == row(3, 9)
