"""Read and write declarations: YAML, TOML or JSON, by the name of the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from moorage.config import documents
from moorage.config.documents import BadDocument, at_line
from moorage.config.lines import Lines
from moorage.core.declared.document import Declaration
from moorage.declarations.shapes import violations
from moorage.domain import strict_json
from moorage.domain.strict_json import BadJson

D = TypeVar("D", bound=Declaration)


def read(file: Path, kind: type[D]) -> tuple[D, Lines]:
    """A declaration, with the key files of identity providers that it names. Raises BadDocument, OSError.

    `kind` is Declaration, or a type that adds keys to it.
    """
    declaration, lines = documents.read_with_lines(kind, file)
    for place, reason in violations(kind, declaration):
        raise BadDocument(at_line(lines.of(place), f"{named(place)}: {reason}"))
    for issuer, provider in declaration.oidc_providers.items():
        if provider.keys_file is None or provider.keys is not None:
            continue
        try:
            provider.keys = strict_json.read_as(dict[str, Any], (file.parent / provider.keys_file).read_bytes())
        except (BadJson, OSError) as error:
            place = ("oidc_providers", issuer, "keys_file")
            raise BadDocument(at_line(lines.of(place), f"{named(place)}: {error}")) from None
    return declaration, lines


def named(place: tuple[str | int, ...]) -> str:
    """A place as messages show it."""
    return " > ".join(f"number {part + 1}" if isinstance(part, int) else part for part in place)


def as_json(declaration: Declaration) -> str:
    """A declaration as the text of a JSON file."""
    return msgspec.json.format(msgspec.json.encode(declaration), indent=2).decode() + "\n"


def as_yaml(declaration: Declaration) -> str:
    """A declaration as the text of a YAML file. Raises BadDocument."""
    return documents.as_yaml(msgspec.to_builtins(declaration))
