"""The documents match the code, as far as a program can compare the two."""

from __future__ import annotations

import asyncio
import os
import re
import runpy
import shlex
from pathlib import Path

import click
import msgspec
import pytest

from moorage import failpoints
from moorage.cli.main import main
from moorage.config.settings import TABLE
from moorage.config.sources import load
from moorage.config.table import REGISTRY
from moorage.telemetry import Log

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "moorage"
DOCS = ROOT / "docs"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
MODULE = re.compile(r"`([\w/]+\.py)`")


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def table_rows(text: str) -> list[list[str]]:
    """The cells of all table rows, without the backquotes around them."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("|---")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def code(cell: str) -> str:
    return cell.strip("`")


# --- Generated parts --------------------------------------------------------------------------------------------


def test_the_coverage_table_matches_the_code() -> None:
    """If not, run tools/write_coverage.py."""
    assert text_of("docs/coverage.md") == runpy.run_path(str(ROOT / "tools/write_coverage.py"))["coverage_text"]()


def test_the_coverage_table_has_all_operations_of_ecr() -> None:
    states = [row[1] for row in table_rows(text_of("docs/coverage.md"))[1:]]

    assert len(states) == 62
    assert set(states) <= {"built", "not yet"}


def test_the_tables_of_further_services_match_the_code() -> None:
    """If not, run tools/write_coverage.py."""
    written = runpy.run_path(str(ROOT / "tools/write_coverage.py"))["services_text"]()

    assert text_of("docs/aws-services.md") == written


def test_the_readme_counts_the_operations_like_the_table() -> None:
    """If not, run tools/write_coverage.py."""
    assert text_of("README.md") == runpy.run_path(str(ROOT / "tools/write_coverage.py"))["readme_text"]()


def test_the_readme_names_the_oldest_python_and_the_defaults_of_settings() -> None:
    readme = text_of("README.md")
    oldest = re.search(r'^requires-python = ">=([\d.]+)"', text_of("pyproject.toml"), re.MULTILINE)
    rows = {row[0].split()[0].strip("`"): code(row[1]) for row in table_rows(readme) if row[0].startswith("`--")}
    defaults = {option: entry.default or "none" for entry in TABLE for option in entry.options}

    assert oldest
    assert f"Python {oldest[1]} or later" in readme
    for option in ("--listen", "--domain"):
        assert rows[option] == defaults[option]


def test_modules_settings_and_commands_are_listed_completely() -> None:
    """If not, run tools/write_reference.py."""
    documents: dict[Path, str] = runpy.run_path(str(ROOT / "tools/write_reference.py"))["documents"]()

    for path, text in documents.items():
        assert path.read_text("utf-8") == text, path.name


def test_parts_import_only_what_the_table_of_the_architecture_allows() -> None:
    everywhere = {"bounds", "telemetry", "metrics", "failpoints", "first_use", "shares"}
    for parts, _, allowed in (row for row in table_rows(text_of("docs/architecture.md")) if len(row) == 3):
        for part in re.findall(r"`(\w+)(?:\.py)?`", parts) if "everything" not in allowed else ():
            assert imports_of(part) <= {part, *everywhere, *re.findall(r"`(\w+)`", allowed)}, part


def imports_of(part: str) -> set[str]:
    paths = [*(PACKAGE / part).rglob("*.py"), *PACKAGE.glob(f"{part}.py")]
    assert paths, part
    return {
        name for path in paths for name in re.findall(r"^from moorage\.(\w+)", path.read_text("utf-8"), re.MULTILINE)
    }


# --- Links and names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_have_a_target(path: Path) -> None:
    targets = LINK.findall(FENCED.sub("", path.read_text("utf-8")))
    inside = [target for target in targets if not target.startswith(("http://", "https://", "mailto:"))]

    assert [target for target in inside if not has_target(path, target)] == []


def has_target(document: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    found = (document.parent / name).resolve() if name else document
    return found.exists() and (not anchor or anchor in anchors(found))


def anchors(path: Path) -> set[str]:
    """The anchor of each heading: lower case, words joined by hyphens."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", path.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
STATUS = re.compile(r"Status: (?:accepted(?:, amended by (\d{4}(?: and \d{4})*))?|superseded by (\d{4}))")


def test_decisions_are_numbered_without_a_gap_and_have_three_parts() -> None:
    for number, path in enumerate(DECISIONS, 1):
        text = path.read_text("utf-8")
        assert path.name.startswith(f"{number:04}-")
        assert text.startswith(f"# {number:04}: ")
        assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == ["Context", "Choice", "Consequences"]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.name[:4])
def test_the_status_of_a_decision_names_the_later_ones_that_changed_it(path: Path) -> None:
    """If a part of a decision does not apply any more, its text links to the decision that changed it."""
    _, _, status, *_ = path.read_text("utf-8").splitlines()
    found = STATUS.fullmatch(status)
    assert found, status
    changed_by = re.findall(r"\d{4}", status)

    assert changed_by == sorted(set(changed_by))
    assert all(path.name[:4] < number for number in changed_by)
    assert set(changed_by) <= {decision.name[:4] for decision in DECISIONS}
    if found[1]:
        assert all(f"[{number}]({number}-" in path.read_text("utf-8") for number in changed_by)


# --- Settings and commands --------------------------------------------------------------------------------------


def leaf_commands() -> dict[str, click.Command]:
    """All commands that are not groups, by their words."""
    found = runpy.run_path(str(ROOT / "tools/write_reference.py"))["commands"](main, "moorage")
    return {path: command for path, command in found if not isinstance(command, click.Group)}


def options_of(command: click.Command) -> set[str]:
    return {name for option in command.params for name in (*option.opts, *option.secondary_opts)}


def test_every_setting_of_a_command_is_an_option_of_it() -> None:
    found = leaf_commands()

    for entry in TABLE:
        for name in entry.commands:
            if name != REGISTRY:
                assert set(entry.options) <= options_of(found[f"moorage {name}"]), entry.name


def test_every_option_of_the_server_is_a_setting() -> None:
    settings = {name for entry in TABLE for name in entry.options}

    assert options_of(leaf_commands()["moorage serve"]) == {*settings, "--config"}


def test_all_commands_that_open_a_registry_take_the_same_options() -> None:
    registry = {"--config", *(name for entry in TABLE if REGISTRY in entry.commands for name in entry.options)}
    found = leaf_commands()
    without = {path for path, command in found.items() if not registry <= options_of(command)}

    assert registry == {"--config", "--data", "--database", "--blobs"}
    assert without == {"moorage ready", "moorage run", "moorage bench"}


def test_the_default_data_folder_is_the_documented_one(tmp_path: Path) -> None:
    assert load({}, {"XDG_DATA_HOME": str(tmp_path)}).data == tmp_path / "moorage"
    assert load({}, {"HOME": str(tmp_path)}).data == tmp_path / ".local/share/moorage"


def test_the_settings_file_of_the_documents_is_valid(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", text_of("docs/configuration.md"), re.DOTALL)
    assert example
    file = tmp_path / "moorage.toml"
    file.write_text(example[1])

    settings = load({"config": str(file)}, {})

    assert (str(settings.listen), settings.workers, settings.access_log) == ("127.0.0.1:5001", 2, False)


def test_every_command_and_option_of_the_program_is_documented() -> None:
    everything = "\n".join(path.read_text("utf-8") for path in DOCUMENTS)
    reference = runpy.run_path(str(ROOT / "tools/write_reference.py"))

    for path, command in reference["commands"](main, "moorage"):
        assert path in everything
        for option in command.params:
            for name in [*option.opts, *option.secondary_opts] if isinstance(option, click.Option) else []:
                assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", everything), f"{path} {name}"


# --- The first push ---------------------------------------------------------------------------------------------


def first_push() -> list[str]:
    """The lines of the README's first push, as a user copies them."""
    found = re.search(r"<!-- first-push -->\n```sh\n(.*?)```", text_of("README.md"), re.DOTALL)
    assert found
    return found[1].splitlines()


def test_the_first_push_has_five_lines_in_the_readme() -> None:
    lines = first_push()

    assert [re.split(r" -|(?<=push) |(?<=tag) ", line)[0] for line in lines] == [
        'eval "$(.venv/bin/moorage env',
        "aws ecr create-repository",
        "aws ecr get-login-password | docker login",
        "docker tag",
        "docker push",
    ]


def test_the_first_push_uses_the_address_folder_and_repository_of_make_serve() -> None:
    folder = re.search(r"^DATA \?= \./(\S+)$", text_of("Makefile"), re.MULTILINE)
    host = load({}, {}).public_host
    assert folder

    env, create, login, tag, push = first_push()

    assert env == f'eval "$(.venv/bin/moorage env --data {folder[1]})"'
    repository = shlex.split(create)[-1]
    assert login.endswith(f"docker login --username AWS --password-stdin {host}")
    assert shlex.split(tag)[-1] == shlex.split(push)[-1]
    assert shlex.split(push)[-1].startswith(f"{host}/{repository}:")


def test_every_command_that_starts_a_server_names_its_registry() -> None:
    """Without that, the reader starts another, empty registry beside the one of the first push."""
    unnamed = [
        f"{path.name}: {line}"
        for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
        for block in re.findall(r"^```sh\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
        if re.search(r"\bmoorage serve\b", line)
        and not re.search(r"--data |--config |MOORAGE_DATA=", line)
        and "MOORAGE_DATABASE=" not in block
    ]

    assert unnamed == []


# --- Promises and logs ------------------------------------------------------------------------------------------


def test_each_of_the_twelve_promises_names_what_keeps_and_shows_it() -> None:
    text = text_of("docs/promises.md")
    states = [row for row in table_rows(text) if re.match(r"P\d+ ", row[0])]
    sections = re.findall(r"^## (P\d+): (.+)\n\n((?:.+\n+?)+\n(?:.+\n)+)", text, re.MULTILINE)

    assert [section[0] for section in sections] == [f"P{number}" for number in range(1, 13)]
    assert [row[0] for row in states] == [f"{number} {title}" for number, title, _ in sections]
    assert all(row[1] for row in states)
    for number, _, body in sections:
        assert re.findall(r"^- (Kept|Shown) by: ", body, re.MULTILINE) == ["Kept", "Shown"], number


def test_the_failpoints_of_the_table_are_those_of_the_code() -> None:
    rows = [row for row in table_rows(text_of("docs/promises.md")) if re.fullmatch(r"[UMGVTSBD]\d+", row[0])]
    documented = {row[0]: set(MODULE.findall(row[1])) for row in rows}
    passed: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for point in re.findall(r'failpoints\.hit\("(\w+)"\)', path.read_text("utf-8")):
            passed.setdefault(point, set()).add(path.relative_to(PACKAGE).as_posix())
    groups = re.findall(r"\b([A-Z])1(?: to \1(\d+))?\b", failpoints.__doc__ or "")

    assert documented == passed
    assert {f"{group}{number}" for group, last in groups for number in range(1, int(last or 1) + 1)} == set(passed)


def test_a_log_line_has_the_documented_members() -> None:
    class Sent:
        id, method, path, client = "id", "GET", "/v2/", "127.0.0.1"

    class Details:
        operation, caller_name = "op", "AKIA"

    section = text_of("docs/operations.md").partition("## Logs\n")[2].partition("\n## ")[0]
    documented = {name for row in table_rows(section)[1:] for name in re.findall(r"`(\w+)`", row[0])}
    reader, writer = os.pipe()

    async def log_one() -> None:
        log = Log(descriptor=writer)
        log.request(Sent(), Details(), 200, 0.001)
        log.flush()

    asyncio.run(log_one())
    os.close(writer)
    with os.fdopen(reader, "rb") as lines:
        line = msgspec.json.decode(lines.read())

    assert set(line) == documented
