"""oras, regctl, cosign, helm, buildah, skopeo and crane, used by one user with one server.

The tests pass the options for plain HTTP. With a TLS server those options are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.support.clients import program_environment, refusal, require_client, run
from tests.support.server import Server
from tests.support.transport import for_transport, has_tls, trust

LOGINS = {
    "oras": ("login", "--plain-http", "--username", "AWS", "--password-stdin"),
    "regctl": ("registry", "login", "--user", "AWS", "--pass-stdin"),
    "cosign": ("login", "--username", "AWS", "--password-stdin"),
    "helm": ("registry", "login", "--plain-http", "--username", "AWS", "--password-stdin"),
    "buildah": ("login", "--tls-verify=false", "--username", "AWS", "--password-stdin"),
    "skopeo": ("login", "--tls-verify=false", "--username", "AWS", "--password-stdin"),
    "crane": ("auth", "login", "-u", "AWS", "--password-stdin"),
}
"""The login command of each program, up to the host. docs/clients.md shows the same commands."""


class Programs:
    """`run("oras", "push", name, file)`: standard output of a program that must succeed."""

    def __init__(self, home: Path, server: Server, password: str) -> None:
        self.home = home
        self.host = f"localhost:{server.port}"
        self._server = server
        self._password = password
        self._logged_in: set[str] = set()

    def name(self, repository: str, reference: str = "v1") -> str:
        """The name of an image: with a tag, or with a digest."""
        return f"{self.host}/{repository}{'@' if ':' in reference else ':'}{reference}"

    def run(self, program: str, *words: str | Path, extra: Mapping[str, str] | None = None) -> str:
        command = self._command(program)
        return run([*command, *for_transport(self._server, words)], self._environment(extra))

    def refused(self, program: str, *words: str | Path, extra: Mapping[str, str] | None = None) -> str:
        """The error message of a program that must fail."""
        command = self._command(program)
        return refusal([*command, *for_transport(self._server, words)], self._environment(extra))

    def _command(self, program: str) -> list[str | Path]:
        command: list[str | Path] = [require_client(program)]
        if program == "buildah":
            storage = self.home / "buildah"
            command += ["--root", storage / "images", "--runroot", storage / "run", "--storage-driver=vfs"]
        if program not in self._logged_in:
            if program == "regctl" and not has_tls(self._server):
                run([*command, "registry", "set", "--skip-check", "--tls", "disabled", self.host], self._environment())
            login = for_transport(self._server, LOGINS[program])
            run([*command, *login, self.host], self._environment(), stdin=self._password)
            self._logged_in.add(program)
        return command

    def _environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        # regctl and helm keep files in folders outside HOME.
        return program_environment(
            self.home, {"XDG_CACHE_HOME": str(self.home / "cache"), **trust(self._server), **(extra or {})}
        )
