"""Start a registry for tests in another process, and describe it to its clients.

`moorage run` starts it, for a command that prints its environment and then waits for the end of its input. So the
registry ends with the tests, even if they are killed.
"""

from __future__ import annotations

import base64
import json  # noqa: TID251 - runs in tests, not in the request path
import secrets
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import ascii_lowercase
from typing import IO, Any, Final, NamedTuple

_COMMAND: Final = "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()"
_VARIABLES: Final = ("AWS_", "DOCKER_CONFIG", "MOORAGE_", "REGISTRY_AUTH_FILE")
_STOP_SECONDS: Final = 30.0
_LAB_SECONDS: Final = 60.0
_WITHOUT_PROXIES: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class RegistryNotStarted(Exception):
    """The registry did not start. The text is what `moorage run` said."""


@dataclass(frozen=True)
class Login:
    """What `docker login` needs."""

    host: str
    username: str
    password: str = field(repr=False)


class Repository(NamedTuple):
    """A repository. `uri` is the name of its images, without a tag."""

    name: str
    uri: str
    arn: str


@dataclass(frozen=True)
class Registry:
    """A registry that runs.

    `host` is what names of images begin with, such as `localhost:41234`. `environment` has the variables with which
    AWS clients and Docker clients find it. Each Region is a registry with its own repositories and settings; users and
    policies are those of the account.
    """

    endpoint: str
    host: str
    account: str
    region: str
    environment: Mapping[str, str] = field(repr=False)

    def in_region(self, region: str = "") -> Registry:
        """The same server in another Region; by default in a new one, whose registry is empty."""
        name = region or f"test-{''.join(secrets.choice(ascii_lowercase) for _ in range(12))}-1"
        variables = {"AWS_REGION": name, "AWS_DEFAULT_REGION": name, "MOORAGE_REGION": name}
        return replace(self, region=name, environment={**self.environment, **variables})

    def reset(self) -> None:
        """Return to the state at the start, in all Regions: no repositories, and no users but the root user."""
        self.lab("POST", "reset")

    def lab(self, method: str, name: str, members: Mapping[str, Any] | None = None) -> Any:
        """A request of lab mode, such as `lab("PUT", "time", {"time": "2030-01-31T12:00:00Z"})`; returns the answer.

        Raises urllib.error.HTTPError for a refusal.
        """
        body = None if members is None else json.dumps(members).encode()
        headers = {} if body is None else {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.endpoint}/_moorage/{name}", body, headers, method=method)  # noqa: S310
        with _WITHOUT_PROXIES.open(request, timeout=_LAB_SECONDS) as answer:
            return json.loads(answer.read())

    def client(self, service: str = "ecr", **options: Any) -> Any:
        """A boto3 client of this registry, whatever profile the user has chosen. It needs boto3."""
        import boto3  # noqa: PLC0415 - only for those who use it
        import botocore.session  # noqa: PLC0415

        no_profile = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
        return boto3.session.Session(botocore_session=no_profile).client(
            service,
            **{
                "endpoint_url": self.endpoint,
                "region_name": self.region,
                "aws_access_key_id": self.environment["AWS_ACCESS_KEY_ID"],
                "aws_secret_access_key": self.environment["AWS_SECRET_ACCESS_KEY"],
            }
            | options,
        )

    def create_repository(self, name: str = "", **options: Any) -> Repository:
        """Create a repository; by default with a new name. The options are those of `CreateRepository`."""
        wanted = name or f"test/{secrets.token_hex(4)}"
        made = self.client().create_repository(repositoryName=wanted, **options)["repository"]
        return Repository(made["repositoryName"], made["repositoryUri"], made["repositoryArn"])

    def login(self) -> Login:
        """A login of Docker clients to the registry of this Region, for 12 hours."""
        data = self.client().get_authorization_token()["authorizationData"][0]
        username, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
        return Login(self.host, username, password)

    def write_login(self, folder: Path) -> Mapping[str, str]:
        """Write Docker's configuration with a login to this Region into a folder; returns the variables for it."""
        login, file = self.login(), folder / "config.json"
        auth = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(json.dumps({"auths": {login.host: {"auth": auth}}}), "utf-8")
        return {"DOCKER_CONFIG": str(folder), "REGISTRY_AUTH_FILE": str(file)}


@contextmanager
def registry(*options: str) -> Iterator[Registry]:
    """A registry that is gone at the end. The options are those of `moorage run`. Raises RegistryNotStarted."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "moorage", "run", *options, "--", sys.executable, "-c", _COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C ends the tests first, and they end the registry.
        )
        assert process.stdin is not None  # noqa: S101 - tells mypy what Popen has made
        assert process.stdout is not None  # noqa: S101
        try:
            yield _described(_environment(process.stdout, errors))
        finally:
            process.stdin.close()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def _environment(output: IO[str], errors: IO[bytes]) -> Mapping[str, str]:
    line = output.readline()
    if not line:
        errors.seek(0)
        raise RegistryNotStarted(errors.read().decode(errors="replace").strip() or "the registry did not start")
    found: dict[str, str] = json.loads(line)
    return {name: value for name, value in found.items() if name.startswith(_VARIABLES)}


def _described(environment: Mapping[str, str]) -> Registry:
    return Registry(
        endpoint=environment["AWS_ENDPOINT_URL_ECR"],
        host=environment["MOORAGE_REGISTRY"],
        account=environment["MOORAGE_ACCOUNT"],
        region=environment["MOORAGE_REGION"],
        environment=environment,
    )
