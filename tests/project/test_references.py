"""Files, symbols, options, commands, variables and decisions that documents, docstrings and comments name exist.

Each recogniser looks for one form in which names are written, so plain prose never fails. Names of other programs are
in `names_of_others.py`, each with its reason.
"""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterable, Iterator
from functools import cache
from sys import stdlib_module_names

import botocore.session
import click
import pytest
from botocore import xform_name
from tests.project import references
from tests.project.names_of_others import (
    DOTTED_OF_OTHERS,
    FILES_OF_OTHERS,
    GLOBAL_OPTIONS_OF_AWS,
    NOT_SYMBOLS,
    OPTIONS_OF_OTHERS,
    PLACEHOLDERS,
    WORDS_OF_OTHERS,
)
from tests.project.references import PACKAGE, ROOT, Line

from moorage.cli.aws import MODELS_OF_CLIENTS
from moorage.cli.main import main
from moorage.config.settings import TABLE
from moorage_bench.floods.__main__ import main as floods

# --- Recognisers ------------------------------------------------------------------------------------------------

URL = re.compile(r"https?://\S+")
CODE = re.compile(r"`([^`]+)`")
WORD = re.compile(r"[A-Za-z_]\w*")
DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
CALL = re.compile(r"\([^()]*\)$")
CALLED = re.compile(r"(?<![\w.])([a-z_]\w*)\(\)")
OPTION = re.compile(r"(?<![\w-])--[a-z](?:[\w-]*\w)?")
COMMAND = re.compile(r"(?:`|^ *|\$\(|&& |bin/)moorage ((?:[a-z][\w-]*(?: |$|(?=`)))+)([^`|]*)")
AWS_COMMAND = re.compile(r"(?:`|^ *|\$\(|bin/)(?:aws|moorage) ((?:ecr|moorage|sts) [a-z][a-z-]+)([^`|]*)")
VARIABLE = re.compile(r"\bMOORAGE_[A-Z0-9_]*[A-Z0-9]\b")
TARGET = re.compile(r"(?:^|`)make ([a-z]+)")
DECISION = re.compile(r"\b[Dd]ecisions?[ /](\d{4})|\[(\d{4})\]\(\d{4}-")

MODULE_FILE = re.compile(r"(?<![\w/.-])[\w./-]+\.(?:py|sql)\b")
"""Anywhere in a text. Also documents under `docs/`, and names in backquotes in one of our folders."""

DOCUMENT = re.compile(r"(?<![\w/.-])docs/[\w./-]+\.md\b")
FOLDERS = {
    path.relative_to(base).parts[0]
    for base in (ROOT, PACKAGE)
    for path in references.files()
    if path.is_relative_to(base) and path.parent != base
}
IN_A_FOLDER = re.compile(rf"(?<=`)(?:{'|'.join(map(re.escape, sorted(FOLDERS)))})/[\w./-]+(?=`)(?<!aws/ecr)")
"""`aws/ecr` is an alias of KMS."""


def everything() -> tuple[Line, ...]:
    return references.documents() + references.settings_files() + references.remarks()


def of_the_program() -> tuple[Line, ...]:
    return references.documents() + references.remarks_of_the_program()


def found(lines: Iterable[Line], pattern: re.Pattern[str]) -> Iterator[tuple[Line, str]]:
    for line in lines:
        for match in pattern.finditer(URL.sub("", line.text)):
            yield line, next(group for group in (*match.groups(), match[0]) if group is not None)


# --- Files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", [MODULE_FILE, DOCUMENT, IN_A_FOLDER], ids=["modules", "documents", "folders"])
def test_files_exist(pattern: re.Pattern[str]) -> None:
    """Relative to the root, to the package, or to the file that names them."""
    texts = references.documents() + references.remarks() if pattern is MODULE_FILE else everything()
    missing = [
        f"{line}: {name}"
        for line, name in found(texts, pattern)
        if "TOPIC" not in name  # docs/patterns.md: the files of a future topic.
        and name not in FILES_OF_OTHERS
        and not any(
            (base / name).exists() for base in (ROOT, PACKAGE, PACKAGE / "metadata/migrations", line.path.parent)
        )
    ]

    assert not missing, "\n".join(missing)


def test_decisions_exist_and_hold() -> None:
    """Only decisions may name superseded decisions."""
    decisions = {path.name[:4]: path.read_text("utf-8") for path in (ROOT / "docs/decisions").glob("*.md")}
    holding = {number for number, text in decisions.items() if "\nStatus: superseded" not in text}

    wrong = [
        f"{line}: {number}"
        for line, number in found(everything(), DECISION)
        if number not in (decisions if line.path.parent.name == "decisions" else holding)
    ]

    assert not wrong, "\n".join(wrong)


# --- Symbols ----------------------------------------------------------------------------------------------------


def test_words_in_backquotes_occur_in_the_code() -> None:
    """`name`, `name()` or `name(argument, …)`. An identifier that is not in the code was renamed."""
    missing = [
        f"{line}: {name}"
        for line, name in found(of_the_program(), CODE)
        if WORD.fullmatch(word := CALL.sub("", name))
        and not VARIABLE.fullmatch(word)
        and word not in references.words() | WORDS_OF_OTHERS.keys()
    ]

    assert not missing, "\n".join(missing)


def test_functions_with_parentheses_occur_in_the_code() -> None:
    missing = [
        f"{line}: {name}()"
        for line, name in found(of_the_program(), CALLED)
        if name not in references.words() | WORDS_OF_OTHERS.keys()
    ]

    assert not missing, "\n".join(missing)


def test_names_with_dots_lead_to_a_member() -> None:
    """`module.function`, `Class.method`, or a module by the end of its name."""
    missing = [
        f"{line}: {name}"
        for line, name in found(of_the_program(), CODE)
        if DOTTED.fullmatch(symbol := CALL.sub("", name))
        and symbol.rpartition(".")[2] not in NOT_SYMBOLS
        and symbol not in DOTTED_OF_OTHERS
        and not is_known(symbol, line)
    ]

    assert not missing, "\n".join(missing)


def is_known(symbol: str, line: Line) -> bool:
    """Whether the symbol is ours and exists, or may be another program's: its first part may be any object's name."""
    first, second, *_ = symbol.split(".")
    if first in references.classes():
        return second in references.classes()[first]
    if references.is_local(line.path, first):
        return second in references.words()
    found_in = [member in references.members_of_module(module) for module, member in splits(symbol)]
    return any(found_in) or is_module(symbol) or (not found_in and first in references.words() | stdlib_module_names)


def splits(symbol: str) -> Iterator[tuple[str, str]]:
    """Each module that the beginning of the symbol may name, with the rest of the symbol."""
    parts = symbol.removeprefix("moorage.").split(".")
    for size in range(1, len(parts)):
        beginning = ".".join(parts[:size])
        for module in references.modules():
            if f".{module}".endswith(f".{beginning}"):
                yield module, parts[size]


def is_module(symbol: str) -> bool:
    return any(f".{module}".endswith(f".{symbol.removeprefix('moorage.')}") for module in references.modules())


# --- Commands ---------------------------------------------------------------------------------------------------


@cache
def options_by_command() -> dict[str, set[str]]:
    reference = runpy.run_path(str(ROOT / "tools/write_reference.py"))
    return {
        path.removeprefix("moorage").strip(): {"--help", *options_of(command)}
        for path, command in reference["commands"](main, "moorage")
    }


def options_of(command: click.Command) -> list[str]:
    return [name for option in command.params for name in (*option.opts, *option.secondary_opts)]


def joined(lines: Iterable[Line]) -> Iterator[Line]:
    """Join lines that a shell would join."""
    begun: Line | None = None
    for line in lines:
        whole = line if begun is None else begun._replace(text=begun.text + line.text)
        begun = whole._replace(text=whole.text[:-1]) if whole.text.endswith("\\") else None
        if begun is None:
            yield whole


def test_commands_of_moorage_exist_with_their_options() -> None:
    wrong = []
    for line in joined(of_the_program()):
        for match in COMMAND.finditer(line.text):
            command = command_of(match[1].split())
            options = OPTION.findall(match[2].partition(" | ")[0])
            if command != "ecr" and (command is None or not set(options) <= options_by_command()[command]):
                wrong.append(f"{line}: moorage {match[1]}{' '.join(options)}")

    assert not wrong, "\n".join(wrong)


def command_of(given: list[str]) -> str | None:
    """The command at the beginning of the words, or None."""
    known = options_by_command()
    if " ".join(given[:2]) in known:
        return " ".join(given[:2])
    is_group = any(path.startswith(f"{given[0]} ") for path in known)
    return given[0] if given[0] in known and not (is_group and len(given) > 1) else None


@cache
def aws_commands() -> dict[str, set[str]]:
    """`ecr put-image` and so on with their options, which the AWS command line derives from members."""
    found: dict[str, set[str]] = {"ecr get-login-password": set(), "ecr help": set()}
    found["ecr wait"] = {"--repository-name", "--image-id"}
    session = botocore.session.get_session()
    session.get_component("data_loader").search_paths.append(str(MODELS_OF_CLIENTS))
    for service in ("ecr", "iam", "kms", "moorage", "secretsmanager", "signer", "sts"):
        model = session.get_service_model(service)
        for operation in map(model.operation_model, model.operation_names):
            members = operation.input_shape.members if operation.input_shape else ()
            found[f"{service} {xform_name(operation.name, '-')}"] = {f"--{xform_name(name, '-')}" for name in members}
    return found


def test_calls_of_the_aws_command_exist_with_their_options() -> None:
    wrong = [
        f"{line}: aws {match[0]}"
        for line in joined(of_the_program())
        for match in AWS_COMMAND.finditer(line.text)
        if match[1] not in aws_commands()
        or not {*OPTION.findall(match[2].partition(" | ")[0])} <= aws_commands()[match[1]] | GLOBAL_OPTIONS_OF_AWS
    ]

    assert not wrong, "\n".join(wrong)


def test_options_exist() -> None:
    """Options of Moorage, of ECR's operations, and of the programs in the list if the text names the program."""
    ours = set(options_of(floods)).union(*options_by_command().values())
    of_aws = GLOBAL_OPTIONS_OF_AWS.union(*aws_commands().values())
    texts = {path: path.read_text("utf-8") for path in references.files() if path.suffix in {".md", ".py"}}
    wrong = [
        f"{line}: {option}"
        for line, option in found((*of_the_program(), *references.messages()), OPTION)
        if option not in ours | PLACEHOLDERS
        and not (option in of_aws and "aws " in texts[line.path])
        and not any(
            program in texts[line.path] for program, names in OPTIONS_OF_OTHERS.items() if option in names.split()
        )
    ]

    assert not wrong, "\n".join(wrong)


def test_variables_exist() -> None:
    """A variable of a setting, or one that some code names in full."""
    settings = {entry.variable for entry in TABLE}
    texts = (*everything(), *references.messages())

    assert [
        f"{line}: {name}" for line, name in found(texts, VARIABLE) if name not in settings | references.words()
    ] == []


def test_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    missing = [f"{line}: make {name}" for line, name in found(everything(), TARGET) if name not in targets]

    assert not missing, "\n".join(missing)


# --- The lists --------------------------------------------------------------------------------------------------


def test_names_of_other_programs_are_needed() -> None:
    """A name that no text has is removed from its list."""
    texts = (*of_the_program(), *references.messages())
    codes = {CALL.sub("", name) for _, name in found(texts, CODE)} | {name for _, name in found(texts, CALLED)}
    options = {option for _, option in found(texts, OPTION)}

    assert WORDS_OF_OTHERS.keys() | DOTTED_OF_OTHERS.keys() <= codes
    assert PLACEHOLDERS.union(*(names.split() for names in OPTIONS_OF_OTHERS.values())) <= options


# --- The recognisers themselves ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "text", "name"),
    [
        (MODULE_FILE, "(postgres_snapshots.py)", "postgres_snapshots.py"),
        (DOCUMENT, "see docs/nothing.md", "docs/nothing.md"),
        (IN_A_FOLDER, "in `core/nothing`", "core/nothing"),
        (CALLED, "──recall()─>", "recall"),
        (OPTION, "pass `--recall`.", "--recall"),
        (VARIABLE, "`MOORAGE_NOTHING=1`", "MOORAGE_NOTHING"),
        (TARGET, "`make nothing`", "nothing"),
        (DECISION, "docs/decisions/9999", "9999"),
        (DECISION, "([9999](9999-nothing.md))", "9999"),
    ],
)
def test_a_name_is_found(pattern: re.Pattern[str], text: str, name: str) -> None:
    assert [seen for _, seen in found([Line(ROOT / "README.md", 1, text)], pattern)] == [name]


@pytest.mark.parametrize(
    "symbol",
    [
        "core.images.put",
        "images.no_such_function",
        "Services.no_such_member",
        "metadata.postgres_cache",
        "postgres_cache.Cache",
    ],
)
def test_a_symbol_that_moved_is_not_known(symbol: str) -> None:
    assert not is_known(symbol, Line(ROOT / "README.md", 1, symbol))


@pytest.mark.parametrize(
    "symbol",
    [
        "core.registry.images.Images",
        "images.Push",
        "Images.put",
        "Database.read_cached",
        "moorage.core.services",
        "os.environ",
    ],
)
def test_a_symbol_that_exists_is_known(symbol: str) -> None:
    assert is_known(symbol, Line(ROOT / "README.md", 1, symbol))


@pytest.mark.parametrize("command", ["role", "role attach", "serve", "webhook add"])
def test_a_command_is_recognized(command: str) -> None:
    assert command_of(command.split()) == command


@pytest.mark.parametrize("command", ["role invent", "invent"])
def test_a_command_that_does_not_exist_is_not_recognized(command: str) -> None:
    assert command_of(command.split()) is None
