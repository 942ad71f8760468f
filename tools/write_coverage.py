"""Write `docs/coverage.md`: which of ECR's operations are built.

    .venv/bin/python tools/write_coverage.py

The service model says which operations there are, and the ECR door which of them it handles.
"""

from __future__ import annotations

from pathlib import Path

from moorage.aws import service_model
from moorage.ecr import endpoint

TARGET = Path(__file__).parent.parent / "docs" / "coverage.md"
REFERENCE = "https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_{}.html"
HEAD = """# Coverage of the ECR API

Written by `tools/write_coverage.py`: do not edit. A request for an operation that is not built must be signed like any
other; it is then answered with 400 `UnsupportedOperationException`, which names the operation.

**{built} of {all} operations are built.** Beside them there are `GetCallerIdentity`, `GetSessionToken`,
`AssumeRole` and `AssumeRoleWithWebIdentity` of STS, and [the docker door](docker.md).

| operation | state | handler |
|---|---|---|
"""


def coverage_text() -> str:
    """The page: a line for each operation of the model, in the order of the alphabet."""
    lines = [_line(name) for name in sorted(service_model.OPERATIONS)]
    return HEAD.format(built=len(endpoint.OPERATIONS), all=len(lines)) + "".join(lines)


def _line(name: str) -> str:
    handler = endpoint.OPERATIONS.get(name)
    if handler is None:
        return f"| [{name}]({REFERENCE.format(name)}) | not yet | |\n"
    module = handler.__module__.removeprefix("moorage.").replace(".", "/")
    return f"| [{name}]({REFERENCE.format(name)}) | built | `{module}.py` |\n"


if __name__ == "__main__":
    TARGET.write_text(coverage_text(), encoding="utf-8")
    print(f"wrote {TARGET.name}")
