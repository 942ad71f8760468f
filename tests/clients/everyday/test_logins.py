"""Every way to log in, with each of the clients, and every way to be refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from moorage.adapters.data_folder import DataFolder
from moorage.core.clock import system_clock
from moorage.core.identity.authentication import DOCKER_TOKEN_LIFE, Authenticator
from moorage.core.identity.authentication import Credentials as Proven
from moorage.core.vault import Vault
from moorage.domain.identity.callers import Caller
from moorage.domain.names import Registry
from moorage.metadata.engines.sqlite.database import SqliteDatabase
from tests.clients.everyday.people import moorage, new_user
from tests.clients.everyday.programs import LOGIN_OPTIONS, Credentials, Programs
from tests.support.clients import require_client, run
from tests.support.images import image, write_docker_archive
from tests.support.server import Server

pytestmark = pytest.mark.client

People = Callable[..., Programs]
READS_PLAIN_HTTP = {
    "docker": ("pull",),
    "podman": ("pull", "--tls-verify=false"),
    "skopeo": ("inspect", "--raw", "--tls-verify=false"),
    "crane": ("digest",),
}
"""How each program is made to read an image, up to its name."""


def reading(programs: Programs, program: str, repository: str) -> tuple[str, ...]:
    name = programs.image(repository) if program == "skopeo" else programs.reference(repository)
    return (program, *READS_PLAIN_HTTP[program], name)


@pytest.mark.parametrize("program", LOGIN_OPTIONS)
def test_the_password_of_the_aws_command_line_is_piped_into_a_login(
    program: str, strangers: People, server: Server, repository: str
) -> None:
    somebody = strangers()
    environment = server.client_environment(somebody.home)
    password = run([require_client("aws"), "ecr", "get-login-password"], environment)

    somebody.run(*login(program, somebody, "AWS"), stdin=password)

    assert "unknown" in somebody.refused(*reading(somebody, program, repository)).lower()


@pytest.mark.parametrize("program", LOGIN_OPTIONS)
def test_an_access_key_is_good_as_user_name_and_password(
    program: str, strangers: People, server: Server, repository: str
) -> None:
    key, secret = server.environment["AWS_ACCESS_KEY_ID"], server.environment["AWS_SECRET_ACCESS_KEY"]
    somebody = strangers(Credentials(key, secret))

    told = somebody.refused(*reading(somebody, program, repository))

    assert "unknown" in told.lower()
    assert "Requested image not found" in told


@pytest.mark.parametrize("user", ["AWS", "root-key", "nobody"])
@pytest.mark.parametrize("program", LOGIN_OPTIONS)
def test_a_wrong_password_is_refused(
    program: str, user: str, strangers: People, server: Server, repository: str
) -> None:
    somebody = strangers()
    name = server.environment["AWS_ACCESS_KEY_ID"] if user == "root-key" else user

    told = log_in_in_vain(program, somebody, Credentials(name, "wrong"), repository)

    assert any(word in told for word in ("401 Unauthorized", "invalid username/password")), told


@pytest.mark.parametrize("program", LOGIN_OPTIONS)
def test_a_token_is_refused_when_its_twelve_hours_are_over(
    program: str, strangers: People, server: Server, repository: str
) -> None:
    somebody = strangers()

    told = log_in_in_vain(program, somebody, Credentials("AWS", expired_token(server)), repository)

    assert any(word in told for word in ("403 Forbidden", "403 (Forbidden)", "has expired")), told


def test_docker_says_what_to_do_when_a_token_expired_after_the_login(
    strangers: People, programs: Programs, server: Server, repository: str, tmp_path: Path
) -> None:
    """crane's login asks nobody, and writes the file that docker reads."""
    name = programs.reference(repository)
    somebody = strangers()
    somebody.run(*login("crane", somebody, "AWS"), stdin=expired_token(server))
    somebody.run("docker", "load", "--input", str(write_docker_archive(tmp_path / "i.tar", image(docker=True), name)))

    told = somebody.refused("docker", "push", name)

    somebody.run("docker", "image", "rm", name)
    assert "denied: Your authorization token has expired. Reauthenticate and try again." in told


@pytest.mark.parametrize("program", LOGIN_OPTIONS)
def test_nothing_is_read_without_a_login(program: str, strangers: People, repository: str) -> None:
    somebody = strangers()

    told = somebody.refused(*reading(somebody, program, repository)).lower()

    assert any(word in told for word in ("unauthorized", "no basic auth credentials", "authentication required")), told


def test_a_login_ends_when_its_access_key_is_deactivated(strangers: People, server: Server, repository: str) -> None:
    credentials = new_user(server, "leaves", "AmazonEC2ContainerRegistryReadOnly")
    somebody = strangers(credentials)
    assert somebody.run("crane", "ls", f"{somebody.host}/{repository}") == ""

    moorage(server, "key", "deactivate", credentials.user)

    assert "401 Unauthorized" in somebody.refused("crane", "ls", f"{somebody.host}/{repository}")


def login(program: str, somebody: Programs, user: str) -> tuple[str, ...]:
    return (program, *LOGIN_OPTIONS[program], user, "--password-stdin", somebody.host)


def log_in_in_vain(program: str, somebody: Programs, credentials: Credentials, repository: str) -> str:
    """What the login says, and for crane, which only writes down what it is told, its first request."""
    words = login(program, somebody, credentials.user)
    if program != "crane":
        return somebody.refused(*words, stdin=credentials.password)
    somebody.run(*words, stdin=credentials.password)
    return somebody.refused("crane", "ls", f"{somebody.host}/{repository}")


def expired_token(server: Server) -> str:
    """A token that GetAuthorizationToken gave the root user more than twelve hours ago."""
    registry = Registry("000000000000", "us-east-1")
    key = server.environment["AWS_ACCESS_KEY_ID"]
    caller = Caller(registry.account, registry.region, "", "root", key)
    folder, issued = DataFolder(server.data), system_clock() - DOCKER_TOKEN_LIFE - 1
    with closing(SqliteDatabase(folder.database)) as database:
        authenticator = Authenticator(database, Vault(folder.master_key()), lambda: issued, registry.region)
        return authenticator.issue_docker_token(Proven("", caller), registry)[0]
