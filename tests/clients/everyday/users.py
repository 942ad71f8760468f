"""Users of a server, created by its commands."""

from __future__ import annotations

import shlex
import sys

from tests.clients.everyday.programs import Credentials
from tests.support.clients import run
from tests.support.server import Server


def moorage(server: Server, *words: str) -> str:
    """The output of the command, run on the server's data folder."""
    program = [sys.executable, "-m", "moorage", *words, "--data", str(server.data)]
    return run(program, server.client_environment(server.data.parent))


def new_user(server: Server, name: str, *policies: str) -> Credentials:
    """The access key of a new user with these managed policies."""
    moorage(server, "user", "create", name, *(word for policy in policies for word in ("--policy", policy)))
    exports = [shlex.split(line)[1] for line in moorage(server, "key", "create", "--user", name).splitlines()]
    return Credentials(*(export.partition("=")[2] for export in exports))
