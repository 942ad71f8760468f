"""IAM policies for tests, as JSON."""

from __future__ import annotations

import json
from typing import Any

VERSION = "2012-10-17"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": VERSION, "Statement": list(statements)})


def allowing(*actions: str, resource: str = "*") -> str:
    """An identity policy that allows these actions."""
    return policy({"Effect": "Allow", "Action": list(actions), "Resource": resource})
