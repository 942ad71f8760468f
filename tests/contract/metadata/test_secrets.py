"""Secrets with versions and stages, as in Secrets Manager, on both engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from moorage.core.identity import master_key
from moorage.core.secrets import lookups
from moorage.core.secrets.changes import NewSecret, NewValue, Secrets
from moorage.core.vault import Vault
from moorage.domain.errors import LimitExceeded, Refusal
from moorage.domain.names import Registry
from moorage.domain.registry.encryption import KmsKeys
from moorage.domain.registry.quotas import Quotas
from moorage.domain.secrets.errors import (
    EncryptionFailure,
    InvalidRequest,
    InvalidSecretParameter,
    ResourceExists,
    ResourceNotFound,
)
from moorage.domain.units import DAY
from moorage.metadata import secrets as rows
from moorage.metadata.database import Transaction
from moorage.metadata.engines.engine import Engine
from moorage.metadata.identity import sealed
from tests.contract.metadata.plans import plans_of, whole_reads
from tests.support.limits import LIMITS

T = TypeVar("T")
HERE = Registry("111122223333", "eu-west-1")
KEY = f"arn:aws:kms:{HERE.region}:{HERE.account}:key/one"
SECRETS = Secrets(Vault(b"k" * 32), replace(LIMITS, quotas=Quotas(secrets=3), kms_keys=KmsKeys([KEY])))
NAME = "ecr-pullthroughcache/hub"
TOKENS = [f"00000000-0000-4000-8000-{number:012}" for number in range(30)]


def value(number: int) -> NewValue:
    return NewValue(f"value {number}", token=TOKENS[number])


def create(tx: Transaction, name: str = NAME, number: int = 0, now: int = 1) -> rows.Secret:
    return SECRETS.create_secret(tx, NewSecret(HERE, name, value(number)), now)[0]


def creating(name: str, new: NewSecret | None = None) -> Callable[[Transaction], rows.Secret]:
    return lambda tx: SECRETS.create_secret(tx, new or NewSecret(HERE, name), 1)[0]


def reading(secrets: Secrets, secret: rows.Secret, token: str) -> Callable[[Transaction], lookups.Value]:
    return lambda tx: secrets.secret_value(tx, secret, token)


def putting(secret: rows.Secret, number: int) -> Callable[[Transaction], rows.Version]:
    return lambda tx: SECRETS.put_value(tx, secret, value(number), number + 1)


def deleting(secret: rows.Secret, days: int, now: int) -> Callable[[Transaction], rows.Secret]:
    return lambda tx: SECRETS.delete_secret(tx, secret, days, now)


def moving(secret: rows.Secret, origin: str | None, target: str | None) -> Callable[[Transaction], None]:
    return lambda tx: SECRETS.move_stage(tx, secret, "AWSCURRENT", origin, target)


def stages(tx: Transaction, secret: rows.Secret) -> dict[str, tuple[str, ...]]:
    return {version.version: version.stages for version in rows.versions(tx, secret)}


def refused(engine: Engine, work: Callable[[Transaction], T], kind: type[Refusal]) -> str:
    with pytest.raises(kind) as caught:
        engine.transact(work)
    return str(caught.value)


def test_a_secret_is_found_by_its_name_its_arn_and_its_partial_arn(engine: Engine) -> None:
    made = engine.transact(create)
    other = engine.transact(lambda tx: create(tx, f"{NAME}-abcdef"))

    def find(text: str) -> rows.Secret | None:
        return engine.transact(lambda tx: lookups.find(tx, HERE, text, 2))

    assert made.arn == f"arn:aws:secretsmanager:eu-west-1:111122223333:secret:{NAME}-{made.suffix}"
    assert made.suffix.isalnum()
    assert len(made.suffix) == 6
    assert find(NAME) == find(made.arn) == find(made.arn[:-7]) == made
    assert find(other.arn) == find(other.arn[:-7]) == other
    assert find(f"{made.arn[:-6]}AAAAAA") is None
    assert find(made.arn.replace("eu-west-1", "eu-west-2")) is None
    assert find("other") is None


def test_values_are_encrypted_and_the_new_one_becomes_the_current_one(engine: Engine) -> None:
    secret = engine.transact(create)

    engine.transact(lambda tx: SECRETS.put_value(tx, secret, value(1), 2))
    engine.transact(lambda tx: SECRETS.put_value(tx, secret, value(2), 3))

    assert engine.transact(lambda tx: stages(tx, secret)) == {
        TOKENS[0]: (),
        TOKENS[1]: ("AWSPREVIOUS",),
        TOKENS[2]: ("AWSCURRENT",),
    }
    assert engine.transact(lambda tx: SECRETS.secret_value(tx, secret)).text == "value 2"
    assert engine.transact(lambda tx: SECRETS.secret_value(tx, secret, stage="AWSPREVIOUS")).text == "value 1"
    assert engine.transact(lambda tx: SECRETS.secret_value(tx, secret, TOKENS[0])).text == "value 0"
    assert b"value" not in b"".join(
        version.sealed_value for version in engine.transact(lambda tx: rows.versions(tx, secret))
    )
    text = refused(engine, lambda tx: SECRETS.secret_value(tx, secret, TOKENS[1], "AWSCURRENT"), InvalidSecretParameter)
    assert "different versions" in text
    text = refused(engine, lambda tx: SECRETS.secret_value(tx, secret, stage="other"), ResourceNotFound)
    assert text == "Secrets Manager can't find the specified secret value for staging label: other"
    text = refused(engine, lambda tx: SECRETS.secret_value(tx, secret, "other"), ResourceNotFound)
    assert text == "Secrets Manager can't find the specified secret value for VersionId: other"


def test_a_request_with_the_same_token_and_value_changes_nothing(engine: Engine) -> None:
    secret = engine.transact(create)
    again, version = engine.transact(lambda tx: SECRETS.create_secret(tx, NewSecret(HERE, NAME, value(0)), 2))

    assert (again, version) == (secret, engine.transact(lambda tx: rows.versions(tx, secret)[0]))
    other = NewSecret(HERE, NAME, NewValue("other", token=TOKENS[0]))
    assert NAME in refused(engine, lambda tx: SECRETS.create_secret(tx, other, 2), ResourceExists)
    assert NAME in refused(engine, lambda tx: SECRETS.create_secret(tx, NewSecret(HERE, NAME), 2), ResourceExists)
    same = engine.transact(lambda tx: SECRETS.put_value(tx, secret, value(0), 3))
    assert same.version == TOKENS[0]
    text = refused(engine, lambda tx: SECRETS.put_value(tx, secret, replace(value(0), text="x"), 3), ResourceExists)
    assert TOKENS[0] in text


def test_old_versions_without_a_stage_are_removed(engine: Engine) -> None:
    secret = engine.transact(create)

    for number in range(1, 25):
        engine.transact(putting(secret, number))

    found = engine.transact(lambda tx: stages(tx, secret))
    assert list(found) == TOKENS[5:25]
    assert (found[TOKENS[23]], found[TOKENS[24]]) == (("AWSPREVIOUS",), ("AWSCURRENT",))


def test_a_secret_can_be_restored_until_its_recovery_window_is_over(engine: Engine) -> None:
    secret = engine.transact(create)

    marked = engine.transact(lambda tx: SECRETS.delete_secret(tx, secret, 7, 10))

    assert marked.delete_at == 10 + 7 * DAY
    assert "marked for deletion" in refused(engine, lambda tx: lookups.get(tx, HERE, NAME, 11), InvalidRequest)
    assert "already scheduled" in refused(engine, lambda tx: create(tx, now=11), InvalidRequest)
    assert engine.transact(lambda tx: lookups.describe(tx, HERE, NAME, 11)) == marked
    assert engine.transact(lambda tx: SECRETS.restore_secret(tx, marked)).delete_at is None
    assert engine.transact(lambda tx: lookups.get(tx, HERE, NAME, 11)).arn == secret.arn
    engine.transact(lambda tx: SECRETS.delete_secret(tx, secret, 7, 10))
    refused(engine, lambda tx: lookups.describe(tx, HERE, NAME, 10 + 7 * DAY), ResourceNotFound)
    assert engine.transact(lambda tx: create(tx, now=10 + 7 * DAY)).arn != secret.arn
    for days in (6, 31):
        refused(engine, deleting(secret, days, 10), InvalidSecretParameter)


def test_a_secret_can_be_deleted_at_once_with_its_values(engine: Engine) -> None:
    secret = engine.transact(create)

    engine.transact(lambda tx: SECRETS.delete_secret(tx, secret, None, 10))

    assert engine.transact(lambda tx: lookups.find(tx, HERE, NAME, 10)) is None
    assert engine.transact(lambda tx: rows.versions(tx, secret)) == []


def test_secrets_are_removed_when_their_recovery_windows_are_over(engine: Engine) -> None:
    secrets = [engine.transact(creating(name)) for name in ("a", "b", "c")]
    for days, secret in zip((7, 8), secrets, strict=False):
        engine.transact(deleting(secret, days, 0))

    assert engine.transact(lambda tx: SECRETS.remove_due(tx, 7 * DAY)) == 1
    assert [found.name for found in engine.transact(lambda tx: rows.page(tx, HERE, "", 9))] == ["b", "c"]


def test_stages_move_between_versions(engine: Engine) -> None:
    secret = engine.transact(create)
    engine.transact(lambda tx: SECRETS.put_value(tx, secret, value(1), 2, ("PENDING",)))

    engine.transact(lambda tx: SECRETS.move_stage(tx, secret, "AWSCURRENT", TOKENS[0], TOKENS[1]))

    assert engine.transact(lambda tx: stages(tx, secret)) == {
        TOKENS[0]: ("AWSPREVIOUS",),
        TOKENS[1]: ("AWSCURRENT", "PENDING"),
    }
    engine.transact(lambda tx: SECRETS.move_stage(tx, secret, "PENDING", TOKENS[1], None))
    assert engine.transact(lambda tx: stages(tx, secret))[TOKENS[1]] == ("AWSCURRENT",)
    for origin, target in ((None, TOKENS[0]), (TOKENS[1], None)):
        refused(
            engine,
            moving(secret, origin, target),
            InvalidSecretParameter,
        )


def test_a_secret_is_changed_without_a_new_version(engine: Engine) -> None:
    secret = engine.transact(create)

    changes = {"description": "of the hub", "tags": {"team": "a"}, "policy": "{}", "kms_key": KEY}
    changed = engine.transact(lambda tx: SECRETS.update_secret(tx, secret, changes, 5))

    assert engine.transact(lambda tx: lookups.get(tx, HERE, NAME, 5)) == changed
    assert (changed.description, changed.tags, changed.kms_key, changed.changed_at) == (
        "of the hub",
        {"team": "a"},
        KEY,
        5,
    )
    default = {"kms_key": "alias/aws/secretsmanager"}
    assert engine.transact(lambda tx: SECRETS.update_secret(tx, secret, default, 6)).kms_key is None
    refused(engine, lambda tx: SECRETS.update_secret(tx, secret, {"kms_key": "other"}, 6), EncryptionFailure)
    many = {"tags": {str(number): "" for number in range(51)}}
    refused(engine, lambda tx: SECRETS.update_secret(tx, secret, many, 6), InvalidSecretParameter)


def test_what_secrets_manager_refuses_is_refused(engine: Engine) -> None:
    for name in ("", "a b", "a" * 513):
        refused(engine, creating(name), InvalidSecretParameter)
    for text, is_binary in (("", False), ("x" * 65_537, False), ("x" * 87_500, True)):
        new = NewSecret(HERE, NAME, NewValue(text, is_binary))
        refused(engine, creating(NAME, new), InvalidSecretParameter)
    for name in ("a", "b", "c"):
        engine.transact(creating(name))
    assert "3 secrets" in refused(engine, lambda tx: create(tx, "d"), LimitExceeded)


def test_values_stay_when_the_master_key_is_rotated(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pages, because the values of many secrets do not fit into memory."""
    monkeypatch.setattr(sealed, "_PAGE_ROWS", 2)
    secret = engine.transact(create)
    for number in range(1, 5):
        engine.transact(putting(secret, number))
    old, new = Vault(b"k" * 32), Vault(b"n" * 32)

    count = engine.transact(lambda tx: master_key.rotate(tx, old, new))

    after = Secrets(new, LIMITS)
    texts = [engine.transact(reading(after, secret, token)).text for token in TOKENS[:5]]
    assert count == 5
    assert texts == [f"value {number}" for number in range(5)]


PLANS = {
    "rules of a registry": (
        "SELECT given FROM pull_through_rule WHERE account = :a AND region = :a ORDER BY prefix",
        "pull_through_rule_pkey",
    ),
    "a secret": ("SELECT id FROM secret WHERE account = :a AND region = :a AND name = :a", "secret_by_name"),
    "versions": ("SELECT id FROM secret_version WHERE secret_id = :a", "secret_version_by_version"),
    "due secrets": ("SELECT id FROM secret WHERE delete_at <= 5 ORDER BY delete_at LIMIT 5", "secret_by_deletion"),
}


@pytest.mark.parametrize("name", PLANS)
def test_rows_are_read_by_indexes(engine: Engine, name: str) -> None:
    statement, index = PLANS[name]
    values = {"a": "x"} if ":a" in statement else {}

    steps = plans_of(engine, lambda tx: tx.all(statement, **values))

    assert whole_reads(steps) == []
    assert index in "".join(steps) or "sqlite_autoindex_pull_through_rule" in "".join(steps)
