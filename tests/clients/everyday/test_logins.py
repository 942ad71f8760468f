"""All ways to log in with each client, and all ways to be rejected."""

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
from tests.clients.everyday.programs import LOGIN_OPTIONS, Credentials, Programs
from tests.clients.everyday.users import new_user
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
"""The command of each program that reads an image, up to the image's name."""


def reading(programs: Programs, program: str, repository: str) -> tuple[str, ...]:
    name = programs.image(repository) if program == "skopeo" else programs.reference(repository)
    return (program, *READS_PLAIN_HTTP[program], name)


@pytest.mark.parametrize("program", LOGIN_OPTIONS)
def test_the_password_of_the_aws_command_line_is_piped_into_a_login(
    program: str, strangers: People, server: Server, repository: str
) -> None:
    user_programs = strangers()
    environment = server.client_environment(user_programs.home)
    password = run([require_client("aws"), "ecr", "get-login-password"], environment)

    user_programs.run(*login(program, user_programs, "AWS"), stdin=password)

    assert "unknown" in user_programs.refused(*reading(user_programs, program, repository)).lower()


@pytest.mark.parametrize("program", LOGIN_OPTIONS)
def test_an_access_key_works_as_user_name_and_password(
    program: str, strangers: People, server: Server, repository: str
) -> None:
    key, secret = server.environment["AWS_ACCESS_KEY_ID"], server.environment["AWS_SECRET_ACCESS_KEY"]
    user_programs = strangers(Credentials(key, secret))

    message = user_programs.refused(*reading(user_programs, program, repository))

    assert "unknown" in message.lower()
    assert "Requested image not found" in message


@pytest.mark.parametrize("user", ["AWS", "root-key", "nobody"])
@pytest.mark.parametrize("program", LOGIN_OPTIONS)
def test_a_wrong_password_is_rejected(
    program: str, user: str, strangers: People, server: Server, repository: str
) -> None:
    user_programs = strangers()
    name = server.environment["AWS_ACCESS_KEY_ID"] if user == "root-key" else user

    message = rejected_login(program, user_programs, Credentials(name, "wrong"), repository)

    assert any(word in message for word in ("401 Unauthorized", "invalid username/password")), message


@pytest.mark.parametrize("program", LOGIN_OPTIONS)
def test_a_token_is_rejected_after_twelve_hours(
    program: str, strangers: People, server: Server, repository: str
) -> None:
    user_programs = strangers()

    message = rejected_login(program, user_programs, Credentials("AWS", expired_token(server)), repository)

    assert any(word in message for word in ("403 Forbidden", "403 (Forbidden)", "has expired")), message


def test_docker_reports_what_to_do_when_a_token_expired_after_the_login(
    strangers: People, programs: Programs, server: Server, repository: str, tmp_path: Path
) -> None:
    """crane's login sends no request and writes the file that docker reads."""
    name = programs.reference(repository)
    user_programs = strangers()
    user_programs.run(*login("crane", user_programs, "AWS"), stdin=expired_token(server))
    user_programs.run(
        "docker", "load", "--input", str(write_docker_archive(tmp_path / "i.tar", image(docker=True), name))
    )

    message = user_programs.refused("docker", "push", name)

    user_programs.run("docker", "image", "rm", name)
    assert "denied: Your authorization token has expired. Reauthenticate and try again." in message


@pytest.mark.parametrize("program", LOGIN_OPTIONS)
def test_nothing_is_read_without_a_login(program: str, strangers: People, repository: str) -> None:
    user_programs = strangers()

    message = user_programs.refused(*reading(user_programs, program, repository)).lower()

    assert any(word in message for word in ("unauthorized", "no basic auth credentials", "authentication required")), (
        message
    )


def test_a_login_ends_when_its_access_key_is_deactivated(strangers: People, server: Server, repository: str) -> None:
    credentials = new_user(server, "leaves", "AmazonEC2ContainerRegistryReadOnly")
    user_programs = strangers(credentials)
    assert user_programs.run("crane", "ls", f"{user_programs.host}/{repository}") == ""

    server.moorage("key", "deactivate", credentials.user)

    assert "401 Unauthorized" in user_programs.refused("crane", "ls", f"{user_programs.host}/{repository}")


def login(program: str, user_programs: Programs, user: str) -> tuple[str, ...]:
    return (program, *LOGIN_OPTIONS[program], user, "--password-stdin", user_programs.host)


def rejected_login(program: str, user_programs: Programs, credentials: Credentials, repository: str) -> str:
    """The message of the login. crane's login only stores the credentials, so for crane the message of its first
    request.
    """
    words = login(program, user_programs, credentials.user)
    if program != "crane":
        return user_programs.refused(*words, stdin=credentials.password)
    user_programs.run(*words, stdin=credentials.password)
    return user_programs.refused("crane", "ls", f"{user_programs.host}/{repository}")


def expired_token(server: Server) -> str:
    """A token that GetAuthorizationToken returned to the root user more than twelve hours ago."""
    registry = Registry("000000000000", "us-east-1")
    key = server.environment["AWS_ACCESS_KEY_ID"]
    caller = Caller(registry.account, registry.region, "", "root", key)
    folder, issued = DataFolder(server.data), system_clock() - DOCKER_TOKEN_LIFE - 1
    with closing(SqliteDatabase(folder.database)) as database:
        authenticator = Authenticator(database, Vault(folder.master_key()), lambda: issued, registry.region)
        return authenticator.issue_docker_token(Proven("", caller), registry)[0]
