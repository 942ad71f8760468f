"""The limits of docs/security.md are those of the code, and its tests exist."""

from __future__ import annotations

import re
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import cast

import pytest

from moorage.config.settings import TABLE

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text("utf-8")
ROWS = re.findall(r"^\| ([^|]+) \| ([\d,]+)(?: (s|ms|KiB|MiB))? \| (.+?) \|$", TEXT, re.MULTILINE)
FACTORS = {"": 1, "s": 1, "ms": 0.001, "KiB": 1 << 10, "MiB": 1 << 20}
CONSTANT = re.compile(r"`([\w.]+)` of `([\w/]+)\.py`")
SETTING = re.compile(r"`(\w+)`")


def value_of(place: str) -> float:
    """The value of a constant, or the default of a setting."""
    if found := CONSTANT.fullmatch(place):
        module = import_module(f"moorage.{found[2].replace('/', '.')}")
        return float(str(reduce(_member, found[1].split("."), cast("object", module))))
    found = SETTING.fullmatch(place)
    assert found, place
    default = next(setting.default for setting in TABLE if setting.name == found[1])
    assert default, place
    return float(default.removesuffix("s"))


def _member(owner: object, name: str) -> object:
    """An attribute, or the default of a field of a dataclass with slots."""
    fields = getattr(owner, "__dataclass_fields__", {})
    return fields[name].default if name in fields else getattr(owner, name)


@pytest.mark.parametrize(("limit", "number", "unit", "place"), ROWS)
def test_a_limit_has_the_value_of_the_code(limit: str, number: str, unit: str, place: str) -> None:
    assert int(number.replace(",", "")) * FACTORS[unit] == value_of(place), limit


def test_the_table_has_every_limit_of_a_connection() -> None:
    fields = import_module("moorage.http.server.limits").ConnectionLimits.__dataclass_fields__
    limits = {name for name in fields if f"ConnectionLimits.{name}`" in TEXT}

    assert set(fields) - limits <= {
        "body",  # the setting body_timeout
        "connections",  # the setting max_connections
        "connections_per_client",  # the setting max_connections_per_client
        "discard",
        "discard_bytes",
        "is_exempt",
        "stop",
        "window",
    }
