"""What a small push costs: counted, so that no change makes it more expensive unnoticed (docs/decisions/0066)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from moorage.adapters.files import durable
from moorage.metadata.engines.postgres.versions import VersionReader
from moorage.metadata.engines.sqlite.connections import SqliteTransaction
from moorage.metadata.engines.sqlite.database import SqliteDatabase
from moorage.metadata.engines.sqlite.writer import Writer
from tests.docker.oci.client import Client
from tests.support.databases import ON_POSTGRESQL
from tests.support.images import digest, image, layer

SWITCHES = 15 if ON_POSTGRESQL else 5
"""On PostgreSQL, reads and writes run in threads, too."""

STATEMENTS = 22 if ON_POSTGRESQL else 20
WHOLE_STATEMENTS = 24 if ON_POSTGRESQL else 20
"""On PostgreSQL with the beginning and the end of transactions, and with the queries of the version of the data."""


@pytest.fixture
def cost(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts what the program does from now on."""
    counter: Counter[str] = Counter()

    def count(owner: Any, name: str, kind: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def counted(*arguments: Any, **named: Any) -> Any:
            counter[kind] += 1
            return original(*arguments, **named)

        monkeypatch.setattr(owner, name, counted)

    count(ThreadPoolExecutor, "submit", "switches to a thread")
    count(SqliteDatabase, "write_later", "switches to a thread")
    count(Writer, "run", "commits")
    count(durable, "sync", "syncs of files and folders")
    count(SqliteTransaction, "_execute", "statements")
    count(VersionReader, "_resolve", "statements")

    run = psycopg.Connection.execute

    def counted(connection: Any, query: str | bytes, *arguments: Any, **named: Any) -> Any:
        counter["statements"] += str(query).count(";") + 1
        return run(connection, query, *arguments, **named)

    monkeypatch.setattr(psycopg.Connection, "execute", counted)
    return counter


def push(root: Client, repository: str, seed: int) -> None:
    """Push an image with one layer in 7 requests, as docker does after its HEAD requests."""
    pushed = image([layer(4_096, seed)])
    for blob in pushed.blobs:
        location = root.send("POST", f"/v2/{repository}/blobs/uploads/").headers["location"]
        assert root.send("PATCH", location, blob.content).status == 202
        assert root.send("PUT", f"{location}?digest={digest(blob.content)}").status == 201
    path, kind = f"/v2/{repository}/manifests/v{seed}", {"content-type": pushed.manifest.media_type}
    assert root.send("PUT", path, pushed.manifest.content, kind).status == 201


def push_in_whole(root: Client, repository: str, seed: int) -> None:
    """Push an image with one layer in 7 requests: HEAD, POST and PUT of each blob, and PUT of the manifest."""
    pushed = image([layer(4_096, seed)])
    for blob in pushed.blobs:
        assert root.head(f"/v2/{repository}/blobs/{digest(blob.content)}").status == 404
        location = root.send("POST", f"/v2/{repository}/blobs/uploads/").headers["location"]
        assert root.send("PUT", f"{location}?digest={digest(blob.content)}", blob.content).status == 201
    path, kind = f"/v2/{repository}/manifests/v{seed}", {"content-type": pushed.manifest.media_type}
    assert root.send("PUT", path, pushed.manifest.content, kind).status == 201


def test_the_statements_of_a_push_of_whole_blobs(root: Client, repository: str, cost: Counter[str]) -> None:
    push_in_whole(root, repository, 3)  # fills the caches of what decides about access
    cost.clear()

    push_in_whole(root, repository, 4)

    assert cost["statements"] <= WHOLE_STATEMENTS


def test_the_cost_of_a_small_push(root: Client, repository: str, cost: Counter[str]) -> None:
    push(root, repository, 1)  # fills the caches of what decides about access
    cost.clear()

    push(root, repository, 2)

    assert cost["switches to a thread"] <= SWITCHES
    assert cost["commits"] <= 3
    assert cost["syncs of files and folders"] <= 4
    assert cost["statements"] <= STATEMENTS
