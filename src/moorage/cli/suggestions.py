"""Suggestions for words that are not Moorage's: the commands and options that people most likely mean.

click suggests names that are spelled alike. This table has words with the same meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Final

import click
from click.exceptions import NoSuchCommand, NoSuchOption

COMMANDS: Final = (
    "serve start run up server",
    "create add put new register",
    "delete remove drop rm del destroy",
    "deactivate delete revoke disable",
    "activate enable",
    "list ls",
    "show list get describe info inspect",
    "update change trust set edit",
    "attach add-policy allow grant",
    "detach delete-policy remove-policy deny",
    "account accounts",
    "user users",
    "key keys",
    "role roles group groups",
    "policy policies",
    "webhook webhooks",
    "jobs job queue",
    "collect gc clean cleanup prune",
    "verify check fsck scrub repair",
    "ready status health ping",
    "migrate upgrade move",
    "undelete restore recover",
    "env login",
    "ecr:describe-repositories repos repositories repository ls list",
    "ecr:describe-images images image tags",
)
"""Words with the same meaning. For a word that is not a command, the commands on its line are suggested.

`ecr:OPERATION` stands for the operation of the command `ecr`.
"""

OPTIONS: Final = (
    "listen port p host ip address bind",
    "host-name hostname host",
    "data d dir directory folder data-dir",
    "database db dsn postgres",
    "blobs bucket s3 storage store",
    "config c conf config-file",
    "workers threads processes",
    "tls https ssl",
    "tls-cert cert",
    "tls-key key",
    "metrics prometheus",
    "user name username",
    "caller user role",
    "yes y force assume-yes",
    "plan dry-run dry",
    "dry-run plan dry",
    "wait timeout",
    "source-ip ip",
    "trust trust-policy",
    "audience aud client-id",
    "keys jwks",
)
"""The same for options, without their dashes."""


@contextmanager
def suggesting() -> Iterator[None]:
    """Add suggestions to the error of a command line with an unknown command or option."""
    try:
        yield
    except (NoSuchCommand, NoSuchOption) as error:
        if error.ctx is None:
            raise
        if isinstance(error, NoSuchCommand):
            suggestions = _commands(error.ctx, error.command_name)
        else:
            suggestions = _options(error.ctx, error.option_name)
        raise click.UsageError(f"{error.message}{_question(suggestions)}", error.ctx) from None


def _commands(context: click.Context, word: str) -> list[str]:
    """The commands that a word may mean, whole: `moorage user create`."""
    group = context.command
    if not isinstance(group, click.Group):
        return []
    existing = group.list_commands(context)
    if "ecr" in existing:
        existing += [f"ecr:{operation}" for operation in _operations()]
    return [f"{context.command_path} {name.replace(':', ' ')}" for name in _meant(word, COMMANDS, existing)]


def _options(context: click.Context, word: str) -> list[str]:
    """The options that a word may mean, each with the form of its value."""
    options = {
        name.lstrip("-"): f"{name} {option.make_metavar(context)}" if not option.is_flag else name
        for option in context.command.params
        if isinstance(option, click.Option)
        for name in (*option.opts, *option.secondary_opts)
    }
    return [options[name].rstrip() for name in _meant(word.lstrip("-"), OPTIONS, options)]


def _meant(word: str, table: Iterable[str], existing: Iterable[str]) -> list[str]:
    """The existing names that mean the same; without any, those that are spelled alike, or an operation of ECR."""
    names = list(existing)
    if f"ecr:{word}" in names:
        return [f"ecr:{word}"]
    groups = [group.split() for group in table]
    meant = [name for group in groups if word.lower() in group for name in group if name in names]
    return list(dict.fromkeys(meant)) or get_close_matches(word, names)


def _question(suggestions: list[str]) -> str:
    quoted = [f"'{suggestion}'" for suggestion in suggestions]
    return f" Did you mean {' or '.join(quoted)}?" if quoted else ""


def _operations() -> set[str]:
    """The operations of ECR, as the AWS CLI names them."""
    from moorage.aws.service_model import OPERATIONS  # noqa: PLC0415 - takes longer to import than the command line

    return {re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower() for name in OPERATIONS}
