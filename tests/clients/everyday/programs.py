"""docker, podman, skopeo and crane, used by one user with one server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.support.clients import program_environment, refusal, require_client, run
from tests.support.dockerd import Dockerd
from tests.support.server import Server
from tests.support.transport import for_transport, trust

TAKE_PLAIN_HTTP = "--tls-verify=false"
LOGIN_OPTIONS = {
    "docker": ("login", "--username"),
    "podman": ("login", TAKE_PLAIN_HTTP, "--username"),
    "skopeo": ("login", TAKE_PLAIN_HTTP, "--username"),
    "crane": ("auth", "login", "-u"),
}
"""The login command of each program, up to the user name (docs/docker.md)."""


class Credentials(NamedTuple):
    """`AWS` with a token, or an access key with its secret."""

    user: str
    password: str


class Programs:
    """`run("crane", "ls", name)`. With credentials, each program logs in before its first use.

    `home` holds the user's credentials and podman's images. docker's images are in the daemon, which starts when
    needed.
    """

    def __init__(
        self, home: Path, server: Server, daemon: Callable[[], Dockerd], credentials: Credentials | None = None
    ) -> None:
        self.home = home
        self.server = server
        self.host = f"localhost:{server.port}"
        self._daemon = daemon
        self._credentials = credentials
        self._logged_in: set[str] = set()

    def reference(self, repository: str, tag: str = "v1") -> str:
        """The name of an image of this server for docker, podman and crane."""
        return f"{self.host}/{repository}:{tag}"

    def image(self, repository: str, tag: str = "v1") -> str:
        """The name of an image for skopeo."""
        return f"docker://{self.reference(repository, tag)}"

    def run(self, program: str, *words: str, stdin: str = "") -> str:
        """The standard output of a program that must succeed."""
        self._ready(program)
        return run(self._command(program, words), self._environment(program), stdin=stdin)

    def refused(self, program: str, *words: str, stdin: str = "") -> str:
        """The error message of a program that must fail."""
        self._ready(program)
        return refusal(self._command(program, words), self._environment(program), stdin=stdin)

    def skopeo_copy(self, source: str, target: str, *options: str) -> str:
        """`skopeo copy`, with TLS off at both ends."""
        return self.run("skopeo", "copy", "--src-tls-verify=false", "--dest-tls-verify=false", *options, source, target)

    def _ready(self, program: str) -> None:
        if self._credentials is not None and program not in self._logged_in:
            user, password = self._credentials
            words = (*LOGIN_OPTIONS[program], user, "--password-stdin", self.host)
            run(self._command(program, words), self._environment(program), stdin=password)
            self._logged_in.add(program)

    def _command(self, program: str, words: tuple[str, ...]) -> list[str | Path]:
        command: list[str | Path] = [require_client(program)]
        if program == "podman":
            folders = {"--root": "images", "--runroot": "run", "--tmpdir": "tmp"}
            command += [f"{option}={self.home / 'podman' / folder}" for option, folder in folders.items()]
            command += ["--storage-driver=vfs", "--events-backend=none"]
        return [*command, *for_transport(self.server, words)]

    def _environment(self, program: str) -> dict[str, str]:
        daemon = {"DOCKER_HOST": self._daemon().address} if program == "docker" else {}
        return program_environment(self.home, {**trust(self.server), **daemon})
