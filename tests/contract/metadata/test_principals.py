"""Stored policies mean users and roles themselves: when one is deleted, its unique id replaces its name, everywhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from moorage.core.identity import accounts, roles
from moorage.core.registry import policies, repositories, templates
from moorage.core.registry.repositories import NewRepository
from moorage.domain.names import Registry, RepositoryName
from moorage.metadata.database import Transaction
from moorage.metadata.identity import principals
from moorage.metadata.identity import roles as role_rows
from moorage.metadata.identity.roles import Role
from moorage.metadata.migration.tables import tables
from moorage.metadata.registry import policies as policy_rows
from moorage.metadata.registry import templates as template_rows
from moorage.metadata.registry.templates import Template
from tests.contract.metadata.conftest import OpenDatabase
from tests.support.limits import LIMITS
from tests.support.policies import policy

T = TypeVar("T")
Place = tuple[Callable[[Transaction, str], Any], Callable[[Transaction], str | None]]

ACCOUNT = "111122223333"
HERE = Registry(ACCOUNT, "eu-central-1")
NAME = RepositoryName("team/app")
USER, ROLE = f"arn:aws:iam::{ACCOUNT}:user/a_n", f"arn:aws:iam::{ACCOUNT}:role/ci/a_n"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/a_n/build-7"
OTHERS = [
    f"arn:aws:iam::{ACCOUNT}:user/abn",
    f"arn:aws:iam::{ACCOUNT}:user/a_nna",
    f"arn:aws:iam::{ACCOUNT}:root",
    "arn:aws:iam::999999999999:user/a_n",
]
"""Principals that stay: similar names, a whole account, and a user of an account that this server does not have."""

WITHOUT_PRINCIPALS = {
    ("iam_policy", "document"),
    ("iam_policy_version", "document"),
    ("inline_policy", "document"),
    ("repository_template", "lifecycle_policy"),
}


def naming(principal: str, service: str) -> str:
    """A policy of this service with the ARN among its principals, and elsewhere as ordinary text."""
    resource = {"Resource": "*"} if service == "registry" else {}
    action = "sts:AssumeRole" if service == "trust" else "ecr:CreateRepository"
    statement = {
        "Sid": principal.replace("/", " "),
        "Effect": "Allow",
        "Principal": {"AWS": [principal, *OTHERS], "Service": "codebuild.amazonaws.com"},
        "Action": action,
        "Condition": {"ArnEquals": {"aws:PrincipalArn": principal}},
    }
    return policy(statement | resource, {"Effect": "Deny", "Principal": "*", "Action": action} | resource)


def trusting(tx: Transaction, text: str) -> None:
    role = roles.get_role(tx, ACCOUNT, "trusting")
    roles.change_role(tx, Role(role.id, ACCOUNT, "trusting", "/", text, 3600, 1))


def in_template(tx: Transaction) -> str | None:
    found = template_rows.find(tx, HERE, "team")
    return None if found is None else found.repository_policy


def trusted(tx: Transaction) -> str:
    return roles.get_role(tx, ACCOUNT, "trusting").trust_policy


PLACES: dict[str, Place] = {
    "repository": (
        lambda tx, text: policies.set_repository_policy(tx, repositories.get(tx, HERE, NAME), text),
        lambda tx: policies.repository_policy(tx, repositories.get(tx, HERE, NAME)),
    ),
    "registry": (
        lambda tx, text: policies.put_registry_policy(tx, HERE, text),
        lambda tx: policies.registry_policy(tx, HERE),
    ),
    "template": (
        lambda tx, text: templates.create(tx, HERE, Template("team", ("REPLICATION",), repository_policy=text), LIMITS),
        in_template,
    ),
    "trust": (trusting, trusted),
}


class Registrar:
    """Runs use cases in transactions of one engine."""

    def __init__(self, run: Callable[[Callable[[Transaction], Any]], Any]) -> None:
        self.run = run
        run(self._prepare)

    def _prepare(self, tx: Transaction) -> None:
        tx.run("INSERT INTO account (id, created_at) VALUES (:id, 1)", id=ACCOUNT)
        for name in ("abn", "a_nna"):
            accounts.create_user(tx, ACCOUNT, name, 1)
        nobody = policy({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"})
        roles.create_role(tx, Role("", ACCOUNT, "trusting", "/", nobody, 3600, 1))
        repositories.create(tx, NewRepository(HERE, NAME), LIMITS, 1)

    def create(self, arn: str) -> str:
        """Create the user or role of an ARN; returns the unique id that its policies then name."""
        if arn == USER:
            return str(self.run(lambda tx: accounts.create_user(tx, ACCOUNT, "a_n", 1).id))
        nobody = policy({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"})
        made: str = self.run(lambda tx: roles.create_role(tx, Role("", ACCOUNT, "a_n", "/ci/", nobody, 3600, 1)).id)
        return f"{made}:build-7" if arn == SESSION else made

    def delete(self, arn: str) -> None:
        forget = accounts.delete_user if arn == USER else roles.delete_role
        self.run(lambda tx: forget(tx, ACCOUNT, "a_n"))


@pytest.fixture
def registrar(opened: OpenDatabase) -> Registrar:
    database = opened()
    return Registrar(lambda work: asyncio.run(database.write(work)))


def named(text: str) -> list[str]:
    first, last = json.loads(text)["Statement"]
    assert last["Principal"] == "*"
    assert first["Principal"]["Service"] == "codebuild.amazonaws.com"
    assert first["Principal"]["AWS"][1:] == OTHERS
    return [first["Principal"]["AWS"][0], first["Condition"]["ArnEquals"]["aws:PrincipalArn"]]


@pytest.mark.parametrize("arn", [USER, ROLE, SESSION])
@pytest.mark.parametrize("place", PLACES)
def test_a_policy_names_a_deleted_principal_by_its_unique_id_and_a_new_one_is_another(
    registrar: Registrar, place: str, arn: str
) -> None:
    put, get = PLACES[place]
    first = registrar.create(arn)
    registrar.run(lambda tx: put(tx, naming(arn, place)))
    assert named(registrar.run(get)) == [arn, arn]

    registrar.delete(arn)
    assert named(registrar.run(get)) == [first, arn]

    second = registrar.create(arn)
    assert second != first
    assert named(registrar.run(get)) == [first, arn]


@pytest.mark.parametrize("arn", [USER, ROLE, SESSION])
@pytest.mark.parametrize("place", PLACES)
def test_a_policy_that_already_names_a_new_principal_does_not_mean_it(
    registrar: Registrar, place: str, arn: str
) -> None:
    """Such policies are of programs that kept the names of deleted users and roles."""
    put, get = PLACES[place]
    registrar.create(arn)
    registrar.run(lambda tx: put(tx, naming(arn, place)))
    registrar.run(lambda tx: tx.run("DELETE FROM iam_user WHERE name = 'a_n'"))
    registrar.run(lambda tx: tx.run("DELETE FROM iam_role WHERE name = 'a_n'"))

    made = registrar.create(arn)

    unknown, condition = named(registrar.run(get))
    assert unknown[:4] == made[:4]
    assert unknown not in {arn, made}
    assert condition == arn


@pytest.mark.parametrize("arn", [USER, ROLE, SESSION])
@pytest.mark.parametrize("place", PLACES)
def test_a_unique_id_of_an_existing_principal_becomes_its_arn(registrar: Registrar, place: str, arn: str) -> None:
    put, get = PLACES[place]
    unique_id = registrar.create(arn)

    registrar.run(lambda tx: put(tx, naming(unique_id, place)))

    assert named(registrar.run(get)) == [arn, unique_id]


def test_a_policy_is_also_replaced_in_rows_of_other_accounts_and_regions(registrar: Registrar) -> None:
    other = Registry("444455556666", "us-east-1")
    unique_id = registrar.create(USER)
    registrar.run(lambda tx: policies.put_registry_policy(tx, other, naming(USER, "registry")))

    registrar.delete(USER)

    assert named(registrar.run(lambda tx: policy_rows.find_registry_policy(tx, other)))[0] == unique_id


def test_a_trust_policy_that_no_change_concerns_keeps_its_spelling(registrar: Registrar) -> None:
    sent = naming(USER, "trust").replace("/", "\\/") + "\n"
    registrar.create(USER)
    registrar.run(lambda tx: trusting(tx, sent))
    assert registrar.run(trusted) == sent

    registrar.run(lambda tx: accounts.delete_user(tx, ACCOUNT, "abn"))

    assert "a_nna" in registrar.run(trusted)
    assert registrar.run(lambda tx: role_rows.find_role(tx, ACCOUNT, "abn")) is None


def test_every_column_with_policies_is_known() -> None:
    """A column for policies that a later schema step adds needs its entry, or has no principals."""
    found = {
        (table.name, column)
        for table in tables()
        for column in table.columns
        if column.endswith("_policy") or column in {"document", "text"}
    }

    assert found == {(known.table, known.column) for known in principals.COLUMNS} | WITHOUT_PRINCIPALS
