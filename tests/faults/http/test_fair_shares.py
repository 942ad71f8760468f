"""A caller with many requests and one with few, at a real server: the order in which they are served, without times."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from tests.conftest import StartServer
from tests.support.aws import aws_client
from tests.support.server import Server
from tests.support.waiting import wait_until

PUSHER = "AmazonEC2ContainerRegistryFullAccess"
MANY = 64
NEAR = 8
"""The other caller's push is among the first so many, although it is the last to arrive."""

INDEX = "application/vnd.oci.image.index.v1+json"


class User:
    """A user of the server, with connections on which it has authenticated before."""

    def __init__(self, server: Server, name: str, connections: int) -> None:
        server.moorage("user", "create", name, "--policy", PUSHER)
        created = server.moorage("key", "create", "--user", name)
        exports = (line.removeprefix("export ") for line in created.splitlines() if line.startswith("export "))
        key = dict(shlex.split(each)[0].split("=", 1) for each in exports)
        login = base64.b64encode(f"{key['AWS_ACCESS_KEY_ID']}:{key['AWS_SECRET_ACCESS_KEY']}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}"}
        self.connections = [HTTPConnection(server.host, server.port, timeout=60) for _ in range(connections)]
        for connection in self.connections:
            self.get(connection)

    def get(self, connection: HTTPConnection) -> None:
        """A request that only reads, and its response."""
        connection.request("GET", "/v2/", headers=self._headers)
        response = connection.getresponse()
        response.read()
        assert response.status == 200

    def send_push(self, connection: HTTPConnection, repository: str, tag: str) -> None:
        """Send a manifest, an index without images, without waiting for the response."""
        manifest = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "annotations": {"tag": tag}}
        headers = {**self._headers, "Content-Type": INDEX}
        connection.request("PUT", f"/v2/{repository}/manifests/{tag}", json.dumps(manifest).encode(), headers)

    def close(self) -> None:
        for connection in self.connections:
            connection.close()


@contextmanager
def writing_held_up(data: Path) -> Iterator[None]:
    """In the block the server's writer waits, as for a writer of another process."""
    descriptor = os.open(data / "moorage.lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def pushes(server: Server) -> list[str]:
    """The repositories of the pushes, in the order in which the server answered."""
    logged = [json.loads(line) for line in server.output().splitlines() if line.startswith("{")]
    return [line["path"].split("/")[2] for line in logged if line.get("method") == "PUT" and line["status"] == 201]


def test_a_push_of_one_caller_does_not_wait_for_many_of_another(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--workers", "1"])
    with aws_client(server) as ecr:
        for name in ("many", "few"):
            ecr.create_repository(repositoryName=name)
    many, few = User(server, "many", MANY), User(server, "few", 2)

    with writing_held_up(server.data):
        for number, connection in enumerate(many.connections):
            many.send_push(connection, "many", f"v{number}")
        for _ in range(MANY + 8):  # Each takes a round of turns: all pushes could have begun by then.
            few.get(few.connections[1])
        few.send_push(few.connections[0], "few", "v1")
        for _ in range(3):  # The server has seen the push before it answers these.
            few.get(few.connections[1])
    wait_until(lambda: len(pushes(server)) == MANY + 1)

    assert pushes(server).index("few") < NEAR
    many.close()
    few.close()
