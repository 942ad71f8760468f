"""Write the generated parts of documents: modules, settings, commands and their exit codes.

.venv/bin/python tools/write_reference.py

Each table is between two markers, `<!-- NAME -->` and `<!-- /NAME -->`. All other text is written by hand.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from moorage.cli.exit_codes import ANSWERS_NO, MEANINGS
from moorage.cli.main import main
from moorage.config.settings import TABLE, Settings
from moorage.config.table import REGISTRY, Entry

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "moorage"
DOCS = ROOT / "docs"
REGISTRY_OPTIONS = {entry.name for entry in TABLE if REGISTRY in entry.commands} | {"config"}


def modules_text() -> str:
    """A table of all modules by package, each with the first line of its docstring."""
    rows = [f"| `{path.relative_to(PACKAGE).as_posix()}` | {_cell(_first_line(path))} |" for path in _modules()]
    return "\n".join(["| module | what it is for |", "|---|---|", *rows])


def _modules() -> list[Path]:
    """Modules of the package itself first, then those of its parts. Packages come before their modules."""
    found = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]
    return sorted(found, key=lambda path: (path.parent != PACKAGE, path.parent, path.name != "__init__.py", path.name))


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    if docstring is None:
        raise ValueError(f"{path.name} has no docstring")
    return docstring.partition("\n")[0]


def settings_text() -> str:
    """The table of settings, each with its option, its variable, its default and its meaning."""
    head = ["| setting | option of `moorage serve` | variable | default | meaning |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(_setting_row(entry) for entry in TABLE)])


def _setting_row(entry: Entry) -> str:
    option = " / ".join(f"`{name}`" for name in entry.options) or "none"
    meaning = f"{entry.summary} {entry.details}".strip()
    cells = [f"`{entry.name}`", option, f"`{entry.variable}`", _default(entry), meaning]
    return f"| {' | '.join(map(_cell, cells))} |"


def _default(entry: Entry) -> str:
    """The default, as in a TOML file."""
    value = getattr(Settings(), entry.name)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{entry.default}`" if entry.default else "none"


def exit_codes_text() -> str:
    """The table of exit codes, and what "no" means for each command that answers a question."""
    codes = [f"| {code} | {_cell(meaning)} |" for code, meaning in MEANINGS.items()]
    answers = [f"| `moorage {command}` | {_cell(meaning)} |" for command, meaning in ANSWERS_NO.items()]
    return "\n".join(
        ["| exit code | meaning |", "|---|---|", *codes, "", "| command | exit code 3 means |", "|---|---|", *answers]
    )


def commands_text() -> str:
    """A section for each command, with its usage, its help and its options, as in `--help`."""
    found = list(commands(main, "moorage"))
    registry = next(command for path, command in found if path == "moorage verify")
    rows = _rows(registry, lambda option: option.name in REGISTRY_OPTIONS)
    intro = "All commands that open the database or the blob store of a registry take these options."
    return "\n\n".join(["## Registry options", intro, _option_table(rows), *(_section(*each) for each in found)])


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """The command and all commands below it, each with its words."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from commands(below, f"{path} {name}")


def _section(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    parts = [f"## {path}", f"`{usage}`", *_paragraphs(command.help or "")]
    takes_registry_options = path != "moorage serve" and {option.name for option in command.params} >= REGISTRY_OPTIONS
    rows = _rows(command, lambda option: not takes_registry_options or option.name not in REGISTRY_OPTIONS)
    if rows:
        parts.append(_option_table(rows))
    if takes_registry_options:
        parts.append(f"{'And' if rows else 'Options:'} the [registry options](#registry-options).")
    return "\n\n".join(parts)


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        yield textwrap.fill(" ".join(paragraph.split()), 100, break_long_words=False, break_on_hyphens=False)


def _option_table(rows: list[str]) -> str:
    return "\n".join(["| option | meaning |", "|---|---|", *rows])


def _rows(command: click.Command, is_shown: Callable[[click.Option], bool]) -> list[str]:
    context = click.Context(command)
    options = [option for option in command.params if isinstance(option, click.Option) and is_shown(option)]
    return [row for option in options for row in _row(context, option)]


def _row(context: click.Context, option: click.Option) -> Iterator[str]:
    record = option.get_help_record(context)
    if record is not None:
        names, meaning = record
        variable = f" (variable `{option.envvar}`)" if option.envvar else ""
        yield f"| `{_cell(names)}` | {_cell(' '.join(meaning.split()))}{variable} |"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def with_part(text: str, name: str, part: str) -> str:
    """A document with the text between its markers replaced. Raises ValueError if it has no such markers."""
    before, start, rest = text.partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- /{name} -->\n")
    if not start or not end:
        raise ValueError(f"no markers for {name}")
    return f"{before}{start}\n{part}\n\n{end}{after}"


def documents() -> dict[Path, str]:
    """The documents with up-to-date generated parts."""
    parts = {
        "architecture.md": {"modules": modules_text()},
        "configuration.md": {"settings": settings_text()},
        "commands.md": {"exit-codes": exit_codes_text(), "commands": commands_text()},
    }
    return {DOCS / file: _with_parts((DOCS / file).read_text("utf-8"), replaced) for file, replaced in parts.items()}


def _with_parts(text: str, parts: dict[str, str]) -> str:
    for name, part in parts.items():
        text = with_part(text, name, part)
    return text


if __name__ == "__main__":
    for target, text in documents().items():
        target.write_text(text, encoding="utf-8")
        print(f"wrote {target.name}")
