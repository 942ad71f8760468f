"""The corpora of the fuzzed parsers as normal tests, and ten million cases in `make soak`."""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.parsers import PARSERS, parse
from tests.fuzz.timing import require_quick
from tests.support.clients import unavailable

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
CASES = 10_000_000
"""Of all parsers together."""

_log = logging.getLogger(__name__)


@pytest.mark.parametrize("parser", PARSERS)
def test_every_input_of_the_corpus_is_read_or_refused_quickly(parser: str) -> None:
    inputs = sorted((CORPUS / parser).iterdir())

    assert inputs
    for path in inputs:
        data = path.read_bytes()
        require_quick(lambda data=data: parse(parser, data))  # type: ignore[misc]  # a default binds the loop's value


@pytest.mark.parametrize("size", [1, 100, 4096, 100_000, 1_000_000])
@pytest.mark.parametrize("parser", PARSERS)
def test_long_inputs_of_one_character_are_read_or_refused(parser: str, size: int) -> None:
    for character in b"\x00\xff[{\"'*/:,=-9aA \n%+":
        parse(parser, bytes([character]) * size)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("parser", PARSERS)
def test_no_generated_input_ends_a_parser_with_an_internal_error(parser: str) -> None:
    if importlib.util.find_spec("atheris") is None:
        unavailable("atheris has no wheel for this platform")
    command = [sys.executable, "-m", "tests.fuzz", parser, "--seconds", "3600", "--cases", str(CASES // len(PARSERS))]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout
    _log.info(ended.stdout)
