"""Nothing that a process keeps between requests grows without a bound: each cache and each collection has a row here.

A cache whose keys come from clients is a `bounded_cache`, which bounds the size of its entries, too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "moorage"
HELPER = "bounds.py"
BUDGET = 20 << 20

FIXED_KEYS = {
    "aws/codec.py _blob_member": "names of shapes",
    "aws/codec.py _blob_reader": "names of members",
    "aws/constraints.py _check_of": "names of shapes",
    "aws/constraints.py rule_of": "names of shapes",
    "console/static_files.py _files": "the files of the build",
    "domain/identity/actions.py operation_of": "actions of the tables",
    "domain/strict_json.py _check_of_type": "types of the program",
    "metadata/engines/dialects.py combined": "statements of the program",
    "metadata/engines/dialects.py for_postgres": "statements of the program",
    "metadata/engines/dialects.py for_sqlite": "statements of the program",
    "metadata/engines/dialects.py inserting": "statements of the program, for at most 16 rows",
    "metadata/migration/tables.py tables": "no argument",
    "metadata/migrations/scripts.py schema_steps": "no argument",
}
"""Caches without a bound in bytes: their keys are in the program, so no client can add one."""

COLLECTIONS = {
    "adapters/files/large_append.py _tasks": "pieces of one upload in progress",
    "adapters/files/large_append.py _waiting": "pieces of one upload in progress",
    "adapters/files/running_digests.py _by_upload": "4,096 hashers",
    "adapters/image_folders/bundles.py _inherited": "layers of the images that one command exports",
    "adapters/image_folders/layouts.py _found": "one",
    "adapters/remote_registry/registries.py _sessions": "two",
    "adapters/remote_registry/silences.py _until": "1,024 addresses",
    "adapters/remote_registry/tokens.py _kept": "512 tokens of 32 KiB",
    "adapters/remote_registry/tokens.py _obtaining": "requests in progress",
    "adapters/s3/append.py _sending": "parts of one upload in progress",
    "adapters/s3/append.py unused": "part numbers of one upload",
    "aws/findings.py listed": "five broken constraints of one request",
    "core/garbage/collect.py counts": "kinds of garbage",
    "core/garbage/collect.py sizes": "kinds of garbage",
    "core/identity/key_last_used.py _recorded": "8,192 access keys",
    "core/identity/key_last_used.py _writing": "writes in progress",
    "core/signing/guard.py _results": "8,192 results",
    "core/migration/storage_keys.py missing": "the blobs that are pushed during one pass of a migration",
    "core/pull_through/blobs.py _running": "fetches in progress, and at most 1,000 that wait",
    "core/pull_through/growing.py _chunks": "4 MiB of one blob",
    "core/pull_through/manifests.py _running": "requests in progress",
    "core/pull_through/referrers.py _recent": "64 lists of 256 KiB",
    "core/pull_through/remembered.py _refusals": "4,096 refusals",
    "core/pull_through/slots.py _held": "fetches in progress",
    "core/pull_through/slots.py _waiting": "1,000 fetches that wait",
    "core/registry/open_uploads.py _arriving": "uploads in progress",
    "core/registry/open_uploads.py _unrecorded": "8,192 uploads",
    "core/registry/open_uploads.py _unrecorded_of": "8,192 uploads",
    "core/registry/open_uploads.py ahead": "64 KiB and one chunk of one upload",
    "core/registry/pulls.py _pending": "images pulled within two seconds",
    "core/transfer/importing.py _seen": "the images of one repository, of one command",
    "domain/lifecycle/selection.py _youngest": "one run of a policy",
    "domain/lifecycle/selection.py selected": "one run of a policy",
    "domain/registry/encryption.py _named": "keys of the settings",
    "failpoints.py _armed": "failpoints of the settings",
    "http/small_blobs.py _contents": "4 MiB of small blobs",
    "http/shares/body_budget.py _held": "requests in progress",
    "http/shares/body_budget.py _waiting": "requests in progress",
    "http/server/parser.py _headers": "one head: HEAD_BYTES",
    "http/server/parser.py pieces": "one read of the socket",
    "http/server/parser.py requests": "one read of the socket",
    "http/server/worker_process.py _by_client": "connections",
    "http/server/worker_process.py _connections": "connections",
    "http/shares/active_shares.py _recent": "1,024 slots",
    "http/shares/known_credentials.py _failures": "addresses within a minute",
    "http/shares/known_credentials.py _known": "8,192 hashes of credentials",
    "http/shares/turns.py _in_progress": "requests in progress",
    "http/shares/turns.py _paused_until": "1,000 shares and those that are paused for a second at most",
    "http/shares/turns.py _waiting": "requests in progress",
    "lab/faults.py _rules": "100 rules",
    "lab/lab.py _deletions": "one for each reset, while it deletes",
    "lab/lab.py _snapshots": "16 snapshots of 500,000 rows each",
    "lab/rates.py _buckets": "1,000 operations and Regions",
    "lab/requests.py _entries": "10,000 requests",
    "lab/responses.py _first_ranges": "1,000 uploads",
    "metadata/engines/postgres/cache.py _pending": "requests in progress",
    "metadata/engines/postgres/cache.py _revisions": "lookups of a request",
    "metadata/engines/postgres/cache.py waiters": "requests in progress",
    "metadata/engines/postgres/database.py _connections": "database_connections",
    "metadata/engines/postgres/database.py _waiting": "2,000 calls",
    "metadata/engines/postgres/versions.py _in_flight": "requests in progress",
    "metadata/engines/postgres/versions.py _resumed": "requests in progress",
    "metadata/engines/postgres/versions.py _waiting": "requests in progress",
    "metadata/engines/result_cache.py results": "2,048 results of 16 MiB",
    "metadata/engines/sqlite/batches.py _served": "64 writes of a batch",
    "metadata/engines/sqlite/writer.py _waiting": "writes in progress",
    "metadata/gauges.py _values": "two kinds of content",
    "metrics.py _operations": "200 names",
    "metrics.py _upstreams": "100 names",
    "oci/known_access.py _granted": "1 MiB of texts",
    "sendfile.py _in_memory": "the file systems of blobs",
    "shares.py _waiting": "requests in progress",
    "telemetry.py _lines": "64 KiB, or 0.2 seconds",
    "telemetry.py _seldom": "64 events",
    "worker.py _running": "jobs in progress",
}
"""Collections that begin empty and belong to an object or a module, with what bounds them."""

EMPTY = {"dict", "list", "set", "Counter", "OrderedDict", "defaultdict", "deque"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text("utf-8"))


def uses(*names: str) -> Iterator[tuple[str, str, ast.expr]]:
    """The functions that are cached by a decorator of these names: module, function, and the decorator."""
    for path, tree in modules():
        if path == HELPER:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                yield from ((path, node.name, one) for one in node.decorator_list if called(one) in names)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Call) and called(node.func) in names:
                yield path, ast.unparse(node.args[0]), node.func


def called(node: ast.expr) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def imported(*names: str) -> dict[str, int]:
    """How often each module refers to one of these names, apart from its imports."""
    found = {
        path: sum(isinstance(node, ast.Name | ast.Attribute) and called(node) in names for node in ast.walk(tree))
        for path, tree in modules()
        if path != HELPER
    }
    return {path: number for path, number in found.items() if number}


def test_caches_without_a_bound_in_bytes_have_keys_of_the_program() -> None:
    found = {f"{path} {function}" for path, function, _ in uses("cache", "lru_cache", "cached_property")}

    assert found == set(FIXED_KEYS)
    names = ("cache", "lru_cache", "cached_property")
    assert sum(imported(*names).values()) == len(FIXED_KEYS), "a cache that is not a decorator"


def test_the_sizes_of_all_bounded_caches_together_are_small() -> None:
    """In characters and bytes of their keys. Parsed policies take more (`BYTES_PER_CHARACTER`)."""
    sizes = {f"{path} {function}": size_of(path, use) for path, function, use in uses("bounded_cache")}

    assert len(sizes) == sum(imported("bounded_cache").values())
    assert sizes, "no cache was found"
    assert sum(sizes.values()) <= BUDGET, sizes


def size_of(path: str, use: ast.expr) -> int:
    """The `size` of a use of `bounded_cache`: a number, a shift, or a constant of its module."""
    assert isinstance(use, ast.Call)
    named = {keyword.arg: keyword.value for keyword in use.keywords}
    value = named.get("size") or use.args[1]
    if isinstance(value, ast.Name):
        return int(vars(import_module(f"moorage.{path.removesuffix('.py').replace('/', '.')}"))[value.id])
    assert isinstance(value, ast.BinOp), ast.unparse(value)
    assert isinstance(value.op, ast.LShift), ast.unparse(value)
    return int(ast.literal_eval(value.left)) << int(ast.literal_eval(value.right))


def test_every_collection_that_outlives_a_call_has_a_known_bound() -> None:
    assert sorted(set(collections())) == sorted(COLLECTIONS)


def collections() -> Iterator[str]:
    for path, tree in modules():
        for node in ast.walk(tree):
            for target in targets_of(node):
                if isinstance(target, ast.Attribute) or (isinstance(target, ast.Name) and node in tree.body):
                    yield f"{path} {target.attr if isinstance(target, ast.Attribute) else target.id}"


def targets_of(node: ast.AST) -> list[ast.expr]:
    """The targets of an assignment of an empty collection."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None or not is_empty(node.value):
        return []
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def is_empty(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return called(value) in EMPTY and not value.args
    return (isinstance(value, ast.Dict) and not value.keys) or (isinstance(value, ast.List) and not value.elts)
