"""Write `src/moorage/aws/ecr_model.json`: the part of botocore's ECR model that validation and encoding need.

python tools/write_model.py

Only this tool and tests need botocore. The program reads the written file.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

TARGET = Path(__file__).parent.parent / "src" / "moorage" / "aws" / "ecr_model.json"
MODEL = "data/ecr/2015-09-21/service-2.json.gz"
KEPT = ("type", "required", "min", "max", "pattern", "enum", "exception", "fault")


def model_text() -> str:
    """The file's text: one line for each operation and shape, sorted, so that diffs are readable."""
    model = msgspec.json.decode(gzip.decompress(files("botocore").joinpath(MODEL).read_bytes()))
    operations = {name: _operation(operation) for name, operation in model["operations"].items()}
    shapes = {name: _shape(shape) for name, shape in model["shapes"].items()}
    prefix = _json(model["metadata"]["targetPrefix"])
    return (
        f'{{\n"target_prefix": {prefix},\n'
        f'"operations": {{\n{_lines(operations)}\n}},\n'
        f'"shapes": {{\n{_lines(shapes)}\n}}\n}}\n'
    )


def _operation(operation: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": operation["name"],
        "input_shape": operation["input"]["shape"],
        "output_shape": operation["output"]["shape"],
        "errors": [error["shape"] for error in operation["errors"]],
    }


def _shape(shape: Mapping[str, Any]) -> dict[str, Any]:
    """Members keep the order of the model, in which violations are searched."""
    return dict(_parts(shape))


def _parts(shape: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in KEPT:
        if key in shape:
            yield key, shape[key]
    if "members" in shape:
        yield "members", {name: member["shape"] for name, member in shape["members"].items()}
    for key in ("member", "key", "value"):
        if key in shape:
            yield key, shape[key]["shape"]


def _lines(entries: Mapping[str, Any]) -> str:
    return ",\n".join(f"{_json(name)}: {_json(entries[name])}" for name in sorted(entries))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


if __name__ == "__main__":
    TARGET.write_text(model_text(), encoding="utf-8")
    print(f"wrote {TARGET.name}")
