"""Rows of all policies that name principals, from all tables that store policies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from moorage.metadata.database import Transaction


class PolicyColumn(NamedTuple):
    """A column that stores policies with principals.

    `rendered`: policies are stored in ECR's form, in which a name has only one spelling.
    """

    table: str
    column: str
    key: tuple[str, ...]
    rendered: bool = True


COLUMNS: Final = (
    PolicyColumn("repository_policy", "text", ("repository_id",)),
    PolicyColumn("registry_policy", "text", ("account", "region")),
    PolicyColumn("repository_template", "repository_policy", ("account", "region", "prefix")),
    PolicyColumn("iam_role", "trust_policy", ("id",), rendered=False),
)


class NamingPolicy(NamedTuple):
    """A stored policy with the key of its row."""

    column: PolicyColumn
    key: tuple[Any, ...]
    text: str


def policies_naming(tx: Transaction, *names: str) -> Iterator[NamingPolicy]:
    """The policies whose texts have one of these names, and perhaps some more."""
    for column in COLUMNS:
        patterns = [f"%{_escaped(name)}%" for name in names] if column.rendered else ["%"]
        conditions = " OR ".join(f"{column.column} LIKE :pattern_{index} ESCAPE '!'" for index in range(len(patterns)))
        rows = tx.all(
            f"SELECT {column.column}, {', '.join(column.key)} FROM {column.table} WHERE {conditions}",
            **{f"pattern_{index}": pattern for index, pattern in enumerate(patterns)},
        )
        for text, *key in rows:
            yield NamingPolicy(column, tuple(key), text)


def replace_text(tx: Transaction, policy: NamingPolicy, text: str) -> None:
    column = policy.column
    conditions = " AND ".join(f"{name} = :{name}" for name in column.key)
    tx.run(
        f"UPDATE {column.table} SET {column.column} = :text WHERE {conditions}",
        text=text,
        **dict(zip(column.key, policy.key, strict=True)),
    )


def _escaped(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
