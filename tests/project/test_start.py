"""What a server imports before it serves: libraries that only some registries need come when they are first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

NOT_AT_START = {
    "aiohttp": "remote registries, buckets, scanners",
    "attr": "aiohttp",
    "joserfc": "tokens of OpenID Connect",
    "opentelemetry": "traces",
    "psycopg": "PostgreSQL",
    "yaml": "identities files",
    "botocore": "nothing but tools and tests",
    "moorage.adapters.remote_registry.registries": "replication and the pull-through cache",
    "moorage.adapters.s3.client": "buckets",
    "moorage.adapters.scanners.harbor": "scanner adapters",
    "moorage.lab": "lab mode",
    "moorage.core.identity.oidc_tokens": "tokens of OpenID Connect",
    "moorage.ecr.shapes": "the type checker",
    "moorage.iam.shapes": "the type checker",
    "moorage.metadata.engines.postgres.engine": "PostgreSQL",
}
"""Modules, with what needs them."""


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import moorage.cli.serve", set(NOT_AT_START)),
        ("import moorage.cli.ready", {*NOT_AT_START, "apsw", "cryptography", "moorage.app", "uvloop"}),
        ("import moorage.cli.main", {*NOT_AT_START, "apsw", "asyncio", "cryptography", "moorage.app", "uvloop"}),
    ],
    ids=["serve", "ready", "command"],
)
def test_a_command_does_not_import_what_only_others_need(statement: str, unwanted: set[str]) -> None:
    code = f"{statement}\nimport sys\nprint('\\n' + ' '.join(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    imported = set(ended.stdout.splitlines()[-1].split())

    assert "moorage.cli" in imported
    assert not imported & unwanted
