"""containerd with the server as its mirror (docs/pull-through.md): it names the registry of an image with `ns=`."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.api.ecr.pushing import push
from tests.conftest import StartServer
from tests.support.aws import aws_client
from tests.support.clients import program_environment, require_client, run, unavailable
from tests.support.images import Image, image, layer
from tests.support.server import Server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.client

PAGE = (Path(__file__).parents[3] / "docs" / "pull-through.md").read_text("utf-8")
RULES = {"hub": "registry-1.docker.io", "quay": "quay.io"}
NAMESPACES = {"docker.io": "library/nginx", "quay.io": "team/app"}
"""The registries of the images' names, and a repository in each."""


class Containerd(NamedTuple):
    """A running daemon with its own folder and socket."""

    folder: Path

    @property
    def configuration(self) -> str:
        folders = (f'{name} = "{self.folder / name}"' for name in ("root", "state"))
        address = f'[grpc]\naddress = "{self.folder / "socket"}"'
        return "\n".join(("version = 2", *folders, 'disabled_plugins = ["io.containerd.grpc.v1.cri"]', address))

    def ctr(self, *words: str) -> str:
        program = require_client("ctr")
        return run([program, "--address", self.folder / "socket", *words], program_environment(self.folder))

    def is_ready(self) -> bool:
        command = [require_client("ctr"), "--address", str(self.folder / "socket"), "version"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextmanager
def running_containerd() -> Iterator[Containerd]:
    program = require_client("containerd")
    if os.geteuid() != 0:
        unavailable("containerd runs as root only")
    # Not in pytest's folder: the path of a socket can have 107 characters.
    with tempfile.TemporaryDirectory(prefix="ctr-", ignore_cleanup_errors=True) as name:
        daemon = Containerd(Path(name))
        configuration = daemon.folder / "config.toml"
        configuration.write_text(daemon.configuration)
        process = subprocess.Popen(
            [program, "--config", configuration],
            env=program_environment(daemon.folder),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(daemon.is_ready)
            yield daemon
        finally:
            process.terminate()
            process.wait()


def write_hosts(folder: Path, server: Server, *, with_header: bool) -> None:
    """The page's file for each of the registries, with the server's address and key, or without the header."""
    found = re.search(r"<!-- containerd -->\n```toml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    text = found[1] if with_header else found[1][: found[1].index("  [host.")]
    written = {
        "https://registry-1.docker.io": "http://127.0.0.1:1",
        "https://moorage.example.com:5000": server.url,
        in_base64("KEY:SECRET"): in_base64(credentials(server)),
    }
    for registry in NAMESPACES:
        place = folder / registry / "hosts.toml"
        place.parent.mkdir(parents=True)
        place.write_text(replaced(text, written))


def replaced(text: str, written: Mapping[str, str]) -> str:
    for old, new in written.items():
        text = text.replace(old, new)
    return text


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def credentials(server: Server) -> str:
    return ":".join(server.environment[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))


def pushed_to(upstream: Server) -> dict[str, Image]:
    images = {}
    with aws_client(upstream) as ecr:
        for registry, repository in NAMESPACES.items():
            ecr.create_repository(repositoryName=repository)
            images[registry] = push(ecr, repository, image([layer(registry.encode())]), "v1")
    return images


def mirror_of(upstream: Server, start: StartServer) -> Server:
    """A server with rules for both registries. The upstream server stands for both."""
    options = [word for url in RULES.values() for word in ("--upstream", f"{url}={upstream.url}")]
    server = start(extra_args=["--workers", "1", *options])
    username, token = credentials(upstream).split(":")
    secret = json.dumps({"username": username, "accessToken": token})
    with aws_client(server, "secretsmanager", endpoint=server.url) as secrets, aws_client(server) as ecr:
        arn = secrets.create_secret(Name="ecr-pullthroughcache/both", SecretString=secret)["ARN"]
        for prefix, url in RULES.items():
            ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl=url, credentialArn=arn)
    return server


@pytest.mark.parametrize("with_header", [True, False], ids=["header", "user"])
def test_containerd_pulls_from_its_mirror_what_it_would_pull_from_two_registries(
    fresh_server: StartServer, tmp_path: Path, with_header: bool
) -> None:
    """Each pull is the first one. Nothing else than the mirror listens."""
    upstream = fresh_server(extra_args=["--workers", "1"])
    images = pushed_to(upstream)
    mirror = mirror_of(upstream, fresh_server)
    write_hosts(tmp_path, mirror, with_header=with_header)
    login = () if with_header else ("--user", credentials(mirror))

    with running_containerd() as containerd:
        for registry, repository in NAMESPACES.items():
            name = f"{registry}/{repository}:v1"
            options = ("--snapshotter", "native", "--hosts-dir", str(tmp_path), *login)
            containerd.ctr("images", "pull", *options, name)
            listed = containerd.ctr("images", "list", f"name=={name}")
            assert images[registry].manifest.digest in listed

    with aws_client(mirror) as ecr:
        found = {one["repositoryName"] for one in ecr.describe_repositories()["repositories"]}
    assert found == {"hub/library/nginx", "quay/team/app"}
