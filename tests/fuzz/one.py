"""Fuzz one parser in this process: `python -m tests.fuzz` starts it with the options of libFuzzer."""

from __future__ import annotations

import sys

import atheris

from tests.fuzz.timing import require_quick

with atheris.instrument_imports(include=["moorage"]):
    from tests.fuzz import parsers


def main() -> None:
    _, parser, *options = sys.argv
    itself = f"{sys.executable} -m tests.fuzz.one {parser}"  # libFuzzer runs it again when it merges corpora
    atheris.Setup([itself, *options], lambda data: require_quick(lambda: parsers.parse(parser, data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
