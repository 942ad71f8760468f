"""Write `docs/coverage.md`: which ECR operations Moorage supports.

    .venv/bin/python tools/write_coverage.py

The service model lists all operations. `ECR_OPERATIONS` in `app.py` lists the supported ones and their handlers.
"""

from __future__ import annotations

import re
from pathlib import Path

from moorage import app
from moorage.aws import service_model

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "coverage.md"
README = ROOT / "README.md"
REFERENCE = "https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_{}.html"
HEAD = """# Coverage of the ECR API

Look up which ECR operations Moorage supports, and which file handles each one.

**{built} of {all} operations are built.** Moorage also supports `GetCallerIdentity`,
`GetSessionToken`, `AssumeRole` and `AssumeRoleWithWebIdentity` of STS, and the
[registry endpoint](docker.md) for docker clients.

A signed request for any other operation answers 400 `UnsupportedOperationException`. The error
message names the operation.

`tools/write_coverage.py` generates this page. Do not edit it.

| operation | state | handler |
|---|---|---|
"""


def coverage_text() -> str:
    """The whole page, with the operations of the service model in alphabetical order."""
    lines = [_line(name) for name in sorted(service_model.OPERATIONS)]
    return HEAD.format(built=len(app.ECR_OPERATIONS), all=len(lines)) + "".join(lines)


def _line(name: str) -> str:
    handler = app.ECR_OPERATIONS.get(name)
    if handler is None:
        return f"| [{name}]({REFERENCE.format(name)}) | not yet | |\n"
    module = handler.__module__.removeprefix("moorage.").replace(".", "/")
    return f"| [{name}]({REFERENCE.format(name)}) | built | `{module}.py` |\n"


def readme_text() -> str:
    """The README with the number of built operations. Raises ValueError unless the README names it exactly once."""
    number = f"{len(app.ECR_OPERATIONS)} of the {len(service_model.OPERATIONS)} operations of ECR"
    text, found = re.subn(r"\d+ of the \d+ operations of ECR", number, README.read_text("utf-8"))
    if found != 1:
        raise ValueError("README.md names the number of built operations once")
    return text


if __name__ == "__main__":
    for target, text in {TARGET: coverage_text(), README: readme_text()}.items():
        target.write_text(text, encoding="utf-8")
        print(f"wrote {target.name}")
