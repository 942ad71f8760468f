"""Write `docs/coverage.md` and the tables of `docs/aws-services.md`: which operations Moorage supports.

    .venv/bin/python tools/write_coverage.py

The service models list all operations. `AWS_SERVICES` in `app.py` has the supported ones and their handlers.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from moorage import app
from moorage.api.service import AwsService
from moorage.aws import service_model
from moorage.ecr import operations as ecr_operations

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "coverage.md"
SERVICES = ROOT / "docs" / "aws-services.md"
README = ROOT / "README.md"
REFERENCES = {
    "ecr": "https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_{}.html",
    "iam": "https://docs.aws.amazon.com/IAM/latest/APIReference/API_{}.html",
    "kms": "https://docs.aws.amazon.com/kms/latest/APIReference/API_{}.html",
    "moorage": "operating-api.md#{anchor}",
    "secretsmanager": "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_{}.html",
    "signer": "https://docs.aws.amazon.com/signer/latest/api/API_{}.html",
}
HEAD = """# Coverage of the ECR API

Look up which ECR operations Moorage supports, and which file handles each one.

**{built} of {all} operations are built.** Moorage also supports `GetCallerIdentity`,
`GetSessionToken`, `AssumeRole` and `AssumeRoleWithWebIdentity` of STS, and the
[registry endpoint](docker.md) for docker clients.

A signed request for any other operation answers 400 `UnsupportedOperationException`. The error
message names the operation.

`tools/write_coverage.py` generates this page. Do not edit it.

"""
TABLE = "| operation | state | handler |\n|---|---|---|\n"


def coverage_text() -> str:
    """The whole page, with the operations of the service model in alphabetical order."""
    ecr = next(service for service in app.AWS_SERVICES if service.model.name == service_model.ECR_API)
    return HEAD.format(built=len(ecr.handlers), all=len(ecr.model.operations)) + _table(ecr)


def services_text() -> str:
    """The page of the further services with their tables. Raises ValueError if it has no place for one."""
    text = SERVICES.read_text("utf-8")
    for service in app.AWS_SERVICES:
        name = service.model.name
        if name == service_model.ECR_API:
            continue
        number = f"**{len(service.handlers)} of {len(service.model.operations)} operations are built.**"
        part = f"<!-- {name} -->\n\n{number}\n\n{_table(service)}\n<!-- /{name} -->"
        text, found = re.subn(rf"<!-- {name} -->.*<!-- /{name} -->", part, text, flags=re.DOTALL)
        if found != 1:
            raise ValueError(f"{SERVICES.name} has no place for {name}")
    return text


def _table(service: AwsService[Any]) -> str:
    """The operations of a service in alphabetical order."""
    return TABLE + "".join(_line(service, name) for name in sorted(service.model.operations))


def _line(service: AwsService[Any], name: str) -> str:
    link = f"[{name}]({REFERENCES[service.model.name].format(name, anchor=name.lower())})"
    handler = service.handlers.get(name)
    if handler is None:
        return f"| {link} | not yet | |\n"
    module = handler.__module__.removeprefix("moorage.").replace(".", "/")
    return f"| {link} | built | `{module}.py` |\n"


def readme_text() -> str:
    """The README with the number of built operations. Raises ValueError unless the README names it exactly once."""
    number = f"{len(ecr_operations.OPERATIONS)} of the {len(service_model.OPERATIONS)} operations of ECR"
    text, found = re.subn(r"\d+ of the \d+ operations of ECR", number, README.read_text("utf-8"))
    if found != 1:
        raise ValueError("README.md names the number of built operations once")
    return text


if __name__ == "__main__":
    for target, text in {TARGET: coverage_text(), SERVICES: services_text(), README: readme_text()}.items():
        target.write_text(text, encoding="utf-8")
        print(f"wrote {target.name}")
