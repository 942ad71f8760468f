"""`python -m tools.mutants`: check a sample of the mutants of each topic, and print the share that tests noticed.

mutmut and cosmic-ray change either the test's own process only, or the working tree. Tests of garbage collection start
servers, and several mutants run at once, so each mutant here has a copy of the package on PYTHONPATH, which servers
inherit.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.mutants.changes import Change, changes_of

ROOT: Final = Path(__file__).parents[2]
LEAST_SHARE: Final = 0.85
TEST_SECONDS: Final = 180


@dataclass(frozen=True, slots=True)
class Topic:
    """Modules, and the tests that must notice a change: quick ones first, then those that start servers."""

    name: str
    modules: tuple[str, ...]
    tests: tuple[tuple[str, ...], ...]


TOPICS: Final = (
    Topic(
        "authorization",
        (
            "domain/identity/actions.py",
            "domain/identity/policies/*.py",
            "core/identity/authorization.py",
            "core/identity/principals.py",
        ),
        (
            ("tests/unit/policies", "tests/unit/identity/test_principals.py"),
            ("tests/api/ecr/test_matrix.py", "tests/docker/oci/test_matrix.py", "tests/api/identity"),
        ),
    ),
    Topic(
        "garbage",
        ("core/garbage/*.py",),
        (
            ("tests/unit/garbage", "tests/operations/garbage/test_collection.py"),
            ("tests/operations/garbage/test_verify.py", "tests/operations/garbage/test_undelete.py"),
            ("tests/operations/garbage",),
        ),
    ),
    Topic(
        "lifecycle",
        ("domain/lifecycle/*.py", "core/lifecycle/*.py"),
        (("tests/unit/lifecycle",), ("tests/api/ecr/test_lifecycle.py",)),
    ),
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one module."""

    module: str
    change: Change

    @property
    def name(self) -> str:
        return f"{self.module} {self.change.name}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants")
    parser.add_argument("--topic", choices=[topic.name for topic in TOPICS], action="append")
    parser.add_argument("--sample", type=int, default=100, help="mutants of each topic; 0 checks all of them")
    parser.add_argument("--seed", type=int, default=1, help="another seed draws another sample")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    too_few = False
    for topic in TOPICS:
        if not options.topic or topic.name in options.topic:
            too_few |= _check(topic, options) < LEAST_SHARE
    sys.exit(too_few)


def _check(topic: Topic, options: argparse.Namespace) -> float:
    known = tomllib.loads((Path(__file__).parent / "surviving.toml").read_text())
    mutants = [mutant for mutant in mutants_of(topic) if mutant.name not in known]
    if options.sample:
        generator = random.Random(options.seed)  # noqa: S311 - a sample, not a secret
        mutants = generator.sample(mutants, min(options.sample, len(mutants)))
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        outcomes = list(pool.map(lambda numbered: _survives(topic, Path(folder), *numbered), enumerate(mutants)))
    killed = outcomes.count(False)
    print(f"{topic.name}: {killed} of {len(mutants)} mutants killed ({killed / len(mutants):.0%})", flush=True)
    return killed / len(mutants)


def mutants_of(topic: Topic) -> list[Mutant]:
    package = ROOT / "src" / "moorage"
    paths = [path for pattern in topic.modules for path in sorted(package.glob(pattern))]
    return [Mutant(str(path.relative_to(package)), change) for path in paths for change in changes_of(path.read_text())]


def _survives(topic: Topic, folder: Path, number: int, mutant: Mutant) -> bool:
    """Whether all tests pass with this change. Prints the mutant at once if they do."""
    copy = folder / str(number)
    shutil.copytree(ROOT / "src", copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "moorage" / mutant.module).write_text(mutant.change.source)
    survives = all(_pass(tests, copy) for tests in topic.tests)
    shutil.rmtree(copy)
    if survives:
        print(f"survived: {mutant.module}:{mutant.change.line} {mutant.change.name}", flush=True)
    else:
        print(".", end="", file=sys.stderr, flush=True)
    return survives


def _pass(tests: tuple[str, ...], copy: Path) -> bool:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not long and not client"]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ended = subprocess.run(
            [*command, f"--timeout={TEST_SECONDS}", *tests],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            timeout=2 * TEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return ended.returncode == 0


if __name__ == "__main__":
    main()
