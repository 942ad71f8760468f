"""`domain/strict_json.py` is the only reader of JSON from outside. Other modules decode only what Moorage wrote.

`config/documents.py` reads TOML and YAML, and names equal keys.
"""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "moorage"
READER = "domain/strict_json.py"
OWN_TEXTS = {
    "adapters/scanners/reports.py": "reports with millions of values, which nobody else reads",
    "adapters/scanners/launcher.py": "the specification that the sandbox wrote",
    "aws/service_model.py": "files of this package",
    "core/events/cloudevents.py": "bodies of events that Moorage wrote",
    "core/declared/document.py": "stored policies, in Moorage's form",
    "core/identity/apply.py": "compares a stored policy with one that was read",
    "domain/identity/policies/positions.py": "finds where statements are in a policy that the reader has read",
    "core/lifecycle/audit_records.py": "stored lifecycle policies, in Moorage's form",
    "core/replication/remote/settings.py": "credentials of destinations, which Moorage sealed",
    "core/operating/audit_records.py": "records of the audit log, which Moorage wrote; other texts are left out",
    "core/registry/referrers.py": "stored manifests, of which only digests are needed",
    "aws/codec.py": "finds the blob in a request; the reader reads all else",
    "config/lines.py": "keys of texts that the reader has read",
    "config/documents.py": "TOML and YAML, with the rules of the reader",
    "testing/starting.py": "the environment that `moorage run` has made, in the tests of users",
    "config/sources.py": "TOML, in which a key that occurs twice is an error",
}
"""Modules that may decode, with what they decode. Those in `metadata` decode their own rows."""

LIBRARIES = {"json", "msgspec.json", "msgspec.yaml", "msgspec.toml", "orjson", "simplejson", "tomllib", "ujson", "yaml"}
DECODERS = {"decode", "Decoder", "loads", "load", "raw_decode", "JSONDecoder"}


def test_only_the_strict_reader_reads_json_from_outside() -> None:
    decoding = {
        path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if decodes(ast.parse(path.read_text()))
    }

    assert {path for path in decoding if not path.startswith("metadata/")} - {READER} == set(OWN_TEXTS)


def decodes(tree: ast.Module) -> bool:
    return any(is_decoder(node) for node in ast.walk(tree))


def test_only_one_module_loads_the_reader_of_yaml() -> None:
    loading = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value == "yaml"
    }

    assert loading == {"config/documents.py"}


def is_decoder(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module in LIBRARIES
    return isinstance(node, ast.Attribute) and node.attr in DECODERS and ast.unparse(node.value) in LIBRARIES
