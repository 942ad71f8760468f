"""`python -m tests.fuzz [NAME …] --seconds 30`: fuzz parsers until the time or the number of cases is over.

An exception that is not a refusal, and a case that takes longer than 100 ms, end the run of a parser; its input is in
`.fuzz/NAME/`. Without names, all parsers are fuzzed. `--keep` adds the inputs that reach more code to the corpora, as
few and as short ones as possible.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.fuzz.parsers import PARSERS

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
MAX_BYTES = 4096
MAX_KEPT_BYTES = 512
LAST_LINES = 40


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m tests.fuzz")
    arguments.add_argument("parsers", nargs="*", metavar="NAME", help=", ".join(PARSERS))
    arguments.add_argument("--seconds", type=int, default=30, help="for each parser")
    arguments.add_argument("--cases", type=int, default=0, help="for each parser; 0: no limit")
    arguments.add_argument("--jobs", type=int, default=2, help="parsers that are fuzzed at the same time")
    arguments.add_argument("--keep", action="store_true", help="add inputs that reach more code to the corpora")
    options = arguments.parse_args()
    with ThreadPoolExecutor(options.jobs) as pool:
        fuzzed = list(pool.map(partial(_is_right, options), options.parsers or PARSERS))
    sys.exit(not all(fuzzed))


def _is_right(options: argparse.Namespace, parser: str) -> bool:
    """Fuzz one parser in a process of its own, and print the outcome."""
    found = ROOT / ".fuzz" / parser
    found.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={options.seconds}", *([f"-runs={options.cases}"] if options.cases else [])]
    ended = _run(parser, f"-max_len={MAX_BYTES}", *limits, str(found), str(CORPUS / parser))
    if ended.returncode:
        last = "\n".join([*ended.stdout.splitlines(), *ended.stderr.splitlines()][-LAST_LINES:])
        _say(f"{parser}: failed\n{last}")
        return False
    cases = int(ended.stderr.rpartition("number_of_executed_units: ")[2].split("\n")[0])
    _say(f"{parser}: {cases} cases")
    if options.keep:
        _keep(parser, found)
    if cases < options.cases:
        _say(f"{parser}: not {options.cases} cases in {options.seconds} s")
        return False
    return True


def _keep(parser: str, found: Path) -> None:
    """Add the found inputs that reach more code to the corpus. Raises CalledProcessError if libFuzzer fails."""
    words = [f"-max_len={MAX_KEPT_BYTES}", "-set_cover_merge=1", str(CORPUS / parser), str(found)]
    _run(parser, *words).check_returncode()


def _run(parser: str, *words: str) -> subprocess.CompletedProcess[str]:
    fixed = [f"-artifact_prefix={ROOT / '.fuzz' / parser}/", "-timeout=20", "-print_final_stats=1"]
    command = [sys.executable, "-m", "tests.fuzz.one", parser, *fixed, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
