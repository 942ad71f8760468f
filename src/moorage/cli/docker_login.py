"""A folder for DOCKER_CONFIG with the login to one registry, and with what the user's own folder has besides logins."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from moorage.adapters.files.durable import replace_file
from moorage.domain import strict_json
from moorage.domain.strict_json import BadJson

_SHARED: Final = ("cli-plugins", "contexts", "buildx")
"""Folders of docker that have no logins."""


class _Configuration(msgspec.Struct, rename="camel"):
    """What is used of docker's configuration."""

    current_context: str | None = None


def log_in(folder: Path, host: str, user_folder: Path, variables: Mapping[str, str]) -> Path:
    """Make the folder, with a login by the access key of `variables`; returns its configuration file.

    Docker's plugins and contexts are those of the user. Logins of the user stay where they are: a command that a
    registry is made for needs no others, and could lose them.
    """
    folder.mkdir(mode=0o700)
    for name in _SHARED:
        if (user_folder / name).is_dir():
            (folder / name).symlink_to((user_folder / name).absolute())
    login = f"{variables['AWS_ACCESS_KEY_ID']}:{variables['AWS_SECRET_ACCESS_KEY']}"
    configuration: dict[str, Any] = {"auths": {host: {"auth": base64.b64encode(login.encode()).decode()}}}
    context = _context_of(user_folder / "config.json")
    if context is not None:
        configuration["currentContext"] = context
    file = folder / "config.json"
    replace_file(file, msgspec.json.encode(configuration))
    return file


def _context_of(file: Path) -> str | None:
    """The context that the user's docker uses; None without one, and for a file that docker could not read either."""
    try:
        return strict_json.read_as(_Configuration, file.read_bytes()).current_context
    except (OSError, BadJson):
        return None
