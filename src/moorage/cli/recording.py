"""Audit records of commands: one for each command that changed something, in the audit log of the server.

A record has the words of the command, its parameters and the operating system's user. A table says how each parameter
is recorded, so that records contain no secrets.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click

from moorage import __version__
from moorage.adapters.audit_file import AuditFile
from moorage.adapters.audit_rotation import Rotation, is_stream
from moorage.adapters.data_folder import DataFolder
from moorage.config.settings import Settings
from moorage.core.clock import system_clock
from moorage.core.events.audit import Audit, Command
from moorage.domain import strict_json
from moorage.telemetry import Log

_NOT_LOGGED_IN: Final = 2**32 - 1
_STREAMS: Final = {"/dev/stdout": 1, "/dev/stderr": 2}


def _origin(url: str) -> str:
    """A URL without its path, query and user, in which receivers of events often keep a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _key_ids(key_set: str) -> list[str]:
    """The ids of the keys of a JWK set, into which somebody may have put private keys by mistake."""
    return [str(key.get("kid", "")) for key in strict_json.read(key_set)["keys"]]


RECORDED: Final[Mapping[str, Callable[[Any], Any]]] = {
    "url": _origin,
    "endpoint": _origin,
    "keys": _key_ids,
    **dict.fromkeys(
        (
            "access_key_id",
            "account",
            "account_id",
            "accounts",
            "api_region",
            "at_once",
            "audiences",
            "bytes_per_second",
            "destination",
            "document",
            "event_id",
            "issuer",
            "job_id",
            "key",
            "key_id",
            "kind",
            "max_session",
            "name",
            "names",
            "needs_plugin",
            "only_signed",
            "path",
            "pattern",
            "patterns",
            "policies",
            "policy",
            "prefix",
            "private_networks",
            "profile",
            "profile_region",
            "realms",
            "reason",
            "reference",
            "requirement_id",
            "refresh",
            "repository",
            "rewrites",
            "settings_only",
            "since",
            "tags",
            "target_id",
            "to_account",
            "to_region",
            "username",
            "validity",
            "version",
            "versions",
        ),
        lambda value: value,
    ),
    **dict.fromkeys(
        (
            "abandon",
            "although_all_missing",
            "copy_blobs_only",
            "copy",
            "cosign_key",
            "database_only",
            "file",
            "folder",
            "force",
            "from_endpoint",
            "from_region",
            "grace",
            "hard_links",
            "new_key_file",
            "notation_authority",
            "notation_certificate",
            "prune",
            "read_back",
            "repair_from",
            "resume",
            "place",
            "source",
            "target",
            "unread",
            "upload_life",
            "with_secrets",
            "without_layers",
        ),
        lambda value: str(value) if isinstance(value, Path) else value,
    ),
}
"""Parameters that are recorded, and what of them. Others are not: a new one may be a secret."""


def record(settings: Settings, result: Mapping[str, Any] | None = None) -> None:
    """Record that the running command has changed something. `result` is what it made, without secrets.

    If the audit log cannot be written, the command warns: the change has been made.
    """
    path = settings.audit_path
    if path is None:
        return
    context = click.get_current_context()
    account = context.params.get("account") or context.params.get("account_id") or settings.account
    command = Command(_words(context), _user(account), _parameters(context), result, f"moorage/{__version__}")
    stream = _STREAMS.get(str(path))
    if stream is not None:
        path = _stream_of_server(settings, stream)
        if path is None:
            _warn(settings.audit_log, "no server of this data folder runs here")
            return
    elif is_stream(path):  # Opening a pipe could wait for ever.
        _warn(path, "it is not a file")
        return
    _prepare(path)
    # Without a size: the server rotates the log, and a file that root starts would not be its own.
    with closing(AuditFile(Rotation(path), None, _Warning())) as file:
        Audit(file.write, system_clock, settings.region, reads=False).record_command(command)


def _stream_of_server(settings: Settings, stream: int) -> Path | None:
    """The standard output or error of the running server: that of the command has the command's own output."""
    process = DataFolder(settings.data).server()
    return None if process is None else Path(f"/proc/{process}/fd/{stream}")


def _words(context: click.Context) -> str:
    """The words of the command: `user create`."""
    return " ".join(reversed([one.info_name or "" for one in _with_parents(context)][:-1]))


def _with_parents(context: click.Context | None) -> Iterator[click.Context]:
    while context is not None:
        yield context
        context = context.parent


def _parameters(context: click.Context) -> dict[str, Any]:
    given = ((name, context.params[name]) for name in sorted(context.params.keys() & RECORDED.keys()))
    return {name: RECORDED[name](value) for name, value in given if _is_given(value)}


def _is_given(value: object) -> bool:
    return value is not None and value is not False and value != ()


def _user(account: str) -> dict[str, Any]:
    """The `userIdentity` of the process. `loginName` is the user who logged in, if it is another one (sudo, su)."""
    uid, login = os.getuid(), _login_uid()
    identity = {"type": "SystemUser", "principalId": str(uid), "accountId": account, "userName": _name(uid)}
    return identity if login in (None, uid) else identity | {"loginName": _name(login)}


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _login_uid() -> int | None:
    """The user id of the login, which the kernel keeps through sudo and su (Linux, pam_loginuid); None without one."""
    with suppress(OSError, ValueError):
        login = int(Path("/proc/self/loginuid").read_text("ascii"))
        return None if login == _NOT_LOGGED_IN else login
    return None


def _prepare(path: Path) -> None:
    """Create a missing audit log with the owner of its folder: otherwise the server cannot write a log of root."""
    with suppress(OSError):  # The write fails, too, and the command warns.
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            owner = path.parent.stat()
            if os.geteuid() == 0:
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
        finally:
            os.close(descriptor)


class _Warning(Log):
    """Shows the event of an audit log that cannot be written to the user of the command."""

    def __init__(self) -> None:
        super().__init__(descriptor=-1)  # It writes no lines.

    def event(self, name: str, **facts: str | float | bool) -> None:  # noqa: ARG002 - there is only one
        _warn(facts["file"], facts["reason"])


def _warn(file: object, reason: object) -> None:
    click.echo(f"Warning: the change was made, but not recorded in {file}: {reason}.", err=True)
