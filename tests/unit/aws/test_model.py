"""The service model: generated files are up to date, patches are applied, and no pattern is slow."""

from __future__ import annotations

import re
import runpy
import time
from pathlib import Path

import pytest

from moorage.aws.service_model import MODELS, OPERATIONS, SHAPES
from moorage.domain.errors import UnknownOperation

ROOT = Path(__file__).parents[3]
PREFIX = "AmazonEC2ContainerRegistry_V20150921"
PATTERNS = sorted(name for name, shape in SHAPES.items() if shape.pattern)


@pytest.mark.parametrize("service", MODELS)
def test_the_models_match_the_installed_botocore(service: str) -> None:
    """After an update of botocore run tools/write_model.py and tools/write_shapes.py, and read the diff."""
    written = (ROOT / f"src/moorage/aws/models/{service}.json").read_text(encoding="utf-8")

    assert written == runpy.run_path(str(ROOT / "tools/write_model.py"))["model_text"](service)


@pytest.mark.parametrize("service", MODELS)
def test_the_shapes_match_the_models(service: str) -> None:
    tool = runpy.run_path(str(ROOT / "tools/write_shapes.py"))
    written = (ROOT / f"src/moorage/{tool['FOLDERS'].get(service, service)}/shapes.py").read_text(encoding="utf-8")

    assert written == tool["shapes_text"](service)


def test_all_62_operations_are_found_by_their_target() -> None:
    assert len(OPERATIONS) == 62
    assert all(MODELS["ecr"].operation(f"{PREFIX}.{name}").name == name for name in OPERATIONS)


@pytest.mark.parametrize(
    "target",
    [
        None,
        "",
        "PutImage",
        ".PutImage",
        f"{PREFIX}.",
        f"{PREFIX}.putImage",
        f"{PREFIX}.PutImage.",
        f"x{PREFIX}.PutImage",
    ],
)
def test_any_other_target_is_an_unknown_operation(target: str | None) -> None:
    with pytest.raises(UnknownOperation):
        MODELS["ecr"].operation(target)


def test_every_error_of_an_operation_is_an_exception_of_the_model() -> None:
    assert all(SHAPES[error].exception for each in OPERATIONS.values() for error in each.errors)
    assert SHAPES["ServerException"].fault


def hostile_texts(pattern: str) -> list[str]:
    """Texts of 255 characters that nearly match: every literal start of the pattern, then runs of what it repeats."""
    start = re.match(r"\^?((?:[a-z]+:)*)", pattern)
    head = start.group(1) if start else ""
    runs = [
        "a",
        "-",
        "a-",
        "a--",
        "a_",
        "a__",
        "a.",
        "a/",
        "*",
        "a*",
        "0",
        "aA",
        "-a",
        "a/a-",
        "a:a",
        "arn:aws-",
        "\\w",
    ]
    return [(head + run * 255)[:254] + end for run in runs for end in "!\n/-a"]


@pytest.mark.parametrize("name", PATTERNS)
def test_every_pattern_decides_255_hostile_characters_in_10_milliseconds(name: str) -> None:
    pattern = SHAPES[name].pattern or ""
    compiled = re.compile(pattern, re.ASCII)

    for text in hostile_texts(pattern):
        assert min(_seconds(compiled, text) for _ in range(3)) < 0.010, text


def _seconds(pattern: re.Pattern[str], text: str) -> float:
    start = time.perf_counter()
    pattern.fullmatch(text)
    return time.perf_counter() - start


def test_the_linear_scanning_pattern_accepts_what_the_model_accepts() -> None:
    """Compared on every text of up to six characters with one character of each class."""
    official = re.compile(r"^[a-z0-9*](?:[._\-/a-z0-9*]?[a-z0-9*]+)*$", re.ASCII)
    ours = re.compile(SHAPES["ScanningRepositoryFilterValue"].pattern or "", re.ASCII)
    texts = [""]
    for _ in range(6):
        texts = [text + character for text in texts for character in "a*./!"]

        assert all(bool(official.fullmatch(text)) == bool(ours.fullmatch(text)) for text in texts)
