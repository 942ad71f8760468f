"""Write what documents take from the code: the modules of docs/architecture.md, the commands of docs/commands.md.

    .venv/bin/python tools/write_reference.py

Each table stands between two markers, `<!-- NAME -->` and `<!-- /NAME -->`; all other text is written by hand.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import click

from moorage.cli.main import main

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "moorage"
DOCS = ROOT / "docs"


def modules_text() -> str:
    """A table of all modules by package, each with the first line of its docstring."""
    rows = [f"| `{path.relative_to(PACKAGE).as_posix()}` | {_cell(_first_line(path))} |" for path in _modules()]
    return "\n".join(["| module | what it is for |", "|---|---|", *rows])


def _modules() -> list[Path]:
    """Modules of the package itself first, then those of its parts; packages stand before what is in them."""
    found = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]
    return sorted(found, key=lambda path: (path.parent != PACKAGE, path.parent, path.name != "__init__.py", path.name))


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    if docstring is None:
        raise ValueError(f"{path.name} has no docstring")
    return docstring.partition("\n")[0]


def commands_text() -> str:
    """A section for each command, with its usage, its help and its options, as `--help` shows them."""
    return "\n\n".join(_section(path, command) for path, command in commands(main, "moorage"))


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """The command and all below it, each with the words that call it."""
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
    parts = [f"## {path}", f"`{usage}`", " ".join((command.help or "").split())]
    rows = [row for option in command.params if isinstance(option, click.Option) for row in _row(context, option)]
    if rows:
        parts.append("\n".join(["| option | meaning |", "|---|---|", *rows]))
    return "\n\n".join(parts)


def _row(context: click.Context, option: click.Option) -> Iterator[str]:
    record = option.get_help_record(context)
    if record is not None:
        names, meaning = record
        variable = f" (variable `{option.envvar}`)" if option.envvar else ""
        yield f"| `{_cell(names)}` | {_cell(' '.join(meaning.split()))}{variable} |"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def with_part(text: str, name: str, part: str) -> str:
    """A document with the text between its markers replaced. Raises ValueError when it has no such markers."""
    before, start, rest = text.partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- /{name} -->\n")
    if not start or not end:
        raise ValueError(f"no markers for {name}")
    return f"{before}{start}\n{part}\n\n{end}{after}"


def documents() -> dict[Path, str]:
    """The documents with generated parts, as they should be."""
    parts = {"architecture.md": ("modules", modules_text()), "commands.md": ("commands", commands_text())}
    return {
        DOCS / file: with_part((DOCS / file).read_text("utf-8"), name, part) for file, (name, part) in parts.items()
    }


if __name__ == "__main__":
    for target, text in documents().items():
        target.write_text(text, encoding="utf-8")
        print(f"wrote {target.name}")
