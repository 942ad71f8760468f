"""Users of a server, created by its commands."""

from __future__ import annotations

import shlex

from tests.clients.everyday.programs import Credentials
from tests.support.server import Server


def new_user(server: Server, name: str, *policies: str) -> Credentials:
    """The access key of a new user with these managed policies."""
    server.moorage("user", "create", name, *(word for policy in policies for word in ("--policy", policy)))
    exports = [shlex.split(line)[1] for line in server.moorage("key", "create", "--user", name).splitlines()]
    return Credentials(*(export.partition("=")[2] for export in exports))
