"""The commands of docs/host-names.md, with docker and a daemon whose `/etc/hosts` has the page's line."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.api.ecr.pushing import push
from tests.support.aws import aws_client
from tests.support.clients import program_environment, require_client, run
from tests.support.dockerd import Dockerd, running_dockerd
from tests.support.http_client import Docker
from tests.support.images import image, layer, write_docker_archive
from tests.support.server import Server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.client

PAGE = (Path(__file__).parents[3] / "docs" / "host-names.md").read_text("utf-8")
STAND_IN = f"""#!{sys.executable}
import json, sys

with open("kubectl.json", "a") as calls:
    print(json.dumps(sys.argv[1:]), file=calls)
"""
PUSHED = image([layer(b"Hello from Docker!\n", docker=True)], docker=True)


def block(name: str) -> str:
    """The block of the page behind a marker."""
    found = re.search(rf"<!-- {name} -->\n```\w*\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, name
    return found[1]


@pytest.fixture(scope="module")
def page_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the options of the page. Only the port and the data folder differ."""
    server = Server(tmp_path_factory.mktemp("page") / "data")
    words = block("serve").split()
    options = words[words.index("moorage-data") + 1 :]
    server.start(extra_args=[word.replace("5000", str(server.port)) for word in options])
    yield server
    server.stop()


@pytest.fixture(scope="module")
def daemon() -> Iterator[Dockerd]:
    with running_dockerd("127.0.0.1 localhost\n" + block("hosts")) as daemon:
        yield daemon


@pytest.fixture
def script(page_server: Server, tmp_path: Path) -> Script:
    return Script(page_server, tmp_path)


class Script:
    """Runs blocks of the page in a folder that looks like the project's, with a stand-in for kubectl.

    The stand-in writes its arguments to `kubectl.json`, because the machines of the tests have no cluster.
    """

    def __init__(self, server: Server, folder: Path) -> None:
        self._server, self._folder = server, folder
        (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
        (folder / "moorage-data").symlink_to(server.data)
        kubectl = folder / "bin" / "kubectl"
        kubectl.parent.mkdir()
        kubectl.write_text(STAND_IN)
        kubectl.chmod(0o755)

    def run(self, *names: str, docker_host: str = "") -> str:
        given = program_environment(self._folder, {**self._server.settings, "DOCKER_HOST": docker_host})
        environment = given | {"PATH": f"{self._folder / 'bin'}:{given['PATH']}"}
        lines = "".join(map(block, names)).replace("5000", str(self._server.port))
        return run(["sh", "-e", "-c", f"cd '{self._folder}'\n{lines}"], environment, timeout=280)

    def kubectl(self) -> list[list[str]]:
        """The arguments of each call of kubectl."""
        return [json.loads(line) for line in (self._folder / "kubectl.json").read_text().splitlines()]


def test_docker_pushes_and_pulls_at_a_host_name_as_on_aws(
    script: Script, page_server: Server, daemon: Dockerd, tmp_path: Path
) -> None:
    require_client("aws")
    daemon.docker("load", "--input", str(write_docker_archive(tmp_path / "image.tar", PUSHED, "hello-world:latest")))

    output = script.run("push", docker_host=daemon.address)

    with aws_client(page_server) as ecr:
        address = ecr.describe_repositories()["repositories"][0]["repositoryUri"]
    daemon.docker("image", "rm", f"{address}:v1", "hello-world:latest")
    assert address == f"000000000000.dkr.ecr.us-east-1.localhost:{page_server.port}/team/app"
    assert "Login Succeeded" in output
    assert "v1: digest: sha256:" in output


def test_the_start_prints_the_names_of_the_page(page_server: Server) -> None:
    wait_until(lambda: "must resolve to this machine: see docs/host-names.md." in page_server.output())
    lines = [line.strip() for line in page_server.output().splitlines()]
    host = f"000000000000.dkr.ecr.us-east-1.localhost:{page_server.port}"

    assert f"docker push {host}/team/app:v1" in lines
    assert f"aws ecr get-login-password | docker login --username AWS --password-stdin {host}" in lines
    assert f"{host.partition(':')[0]} must resolve to this machine: see docs/host-names.md." in lines


def test_nodes_and_pods_of_a_cluster_pull_with_a_key_that_does_not_end(script: Script, page_server: Server) -> None:
    """containerd sends the requests of a pull with the credentials of the secret, or of k3s' file."""
    with aws_client(page_server) as ecr:
        ecr.create_repository(repositoryName="team/pods")
        push(ecr, "team/pods", PUSHED, "v1")
    script.run("puller", "secret")
    created, patched = script.kubectl()
    given = dict(word.removeprefix("--docker-").split("=", 1) for word in created if word.startswith("--docker-"))
    file = block("k3s").replace("5000", str(page_server.port))
    file = file.replace("AKIA...", given["username"]).replace("the secret access key", given["password"])
    settings = msgspec.yaml.decode(file)

    name = created[created.index("docker-registry") + 1]
    assert json.loads(patched[-1]) == {"imagePullSecrets": [{"name": name}]}
    assert pulled(page_server, given["server"], given["username"], given["password"])
    for host, mirror in settings["mirrors"].items():
        assert mirror["endpoint"] == [f"http://{host}"]
        assert pulled(page_server, host, **settings["configs"][host]["auth"])
    assert not pulled(page_server, given["server"], given["username"], "another secret")


def pulled(server: Server, host: str, username: str, password: str) -> bool:
    """Whether a client with these credentials gets the image at this host."""
    client = Docker(server.host, server.port, password, username)
    answers = [
        client.get(f"/v2/team/pods/{path}?ns={host}", {"Host": host})
        for path in ("manifests/v1", *(f"blobs/{blob.digest}" for blob in PUSHED.blobs))
    ]
    return [answer.body for answer in answers] == [PUSHED.manifest.content, *(blob.content for blob in PUSHED.blobs)]
