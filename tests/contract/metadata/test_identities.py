"""What IAM stores, on both engines: pages by name and path, versions, tags, attachments, renamed users."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from moorage.core.identity import accounts, policies, roles
from moorage.core.identity.entities import providers, tags
from moorage.core.vault import Vault
from moorage.domain.identity.errors import (
    AccountError,
    DeleteConflict,
    EntityAlreadyExists,
    NoSuchEntity,
    QuotaReached,
)
from moorage.metadata.database import Transaction
from moorage.metadata.engines.engine import Engine
from moorage.metadata.identity import accounts as user_rows
from moorage.metadata.identity import entities
from moorage.metadata.identity import policies as policy_rows
from moorage.metadata.identity import roles as role_rows
from moorage.metadata.identity.policies import AWS, ManagedPolicy, PolicyFilter, PolicyName
from moorage.metadata.identity.providers import IdentityProvider
from moorage.metadata.identity.roles import Role

ACCOUNT = "000000000000"
OTHER = "111111111111"
DOCUMENT = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}]}'
TRUST = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "PRINCIPAL"},'
    ' "Action": "sts:*"}]}'
)

Run = Callable[[Callable[[Transaction], Any]], Any]


@pytest.fixture
def run(engine: Engine) -> Run:
    """Runs work in a transaction of a database with two accounts."""

    def create(tx: Transaction) -> None:
        for account in (ACCOUNT, OTHER):
            accounts.root_key(tx, Vault(b"k" * 32), account, 1)

    engine.transact(create)
    return engine.transact


def new_policy(name: str, path: str = "/") -> ManagedPolicy:
    return ManagedPolicy(name=PolicyName(ACCOUNT, name, path), document=DOCUMENT, created_at=1, updated_at=1)


def new_role(name: str, path: str = "/", trusted: str = ACCOUNT) -> Role:
    return Role("", ACCOUNT, name, path, TRUST.replace("PRINCIPAL", trusted), 3600, 1, "d", {"a": "b"})


def test_lists_have_pages_by_name_and_path(run: Run) -> None:
    """Paths are compared by their bytes: `/a/` is no beginning of `/A/` and `/ab/`."""
    for name, path in (("b", "/a/"), ("B", "/A/"), ("c", "/a/x/"), ("a", "/ab/"), ("_", "/"), ("d", "/a/")):
        run(lambda tx: accounts.create_user(tx, ACCOUNT, name, 1, path))  # noqa: B023 - runs now
        run(lambda tx: roles.create_role(tx, new_role(name, path)))  # noqa: B023 - runs now
        run(lambda tx: policies.create_policy(tx, new_policy(name, path)))  # noqa: B023 - runs now
    run(lambda tx: accounts.create_user(tx, OTHER, "other", 1, "/a/"))

    def names(prefix: str, after: str = "", limit: int = 10) -> list[str]:
        selected = PolicyFilter(prefix)
        users = run(lambda tx: [row.name for row in user_rows.page_of_users(tx, ACCOUNT, prefix, after, limit)])
        assert users == run(lambda tx: [row.name for row in role_rows.page_of_roles(tx, ACCOUNT, prefix, after, limit)])
        pages = run(lambda tx: policy_rows.page_of_policies(tx, ACCOUNT, selected, after, limit))
        assert users == [row.name.name for row in pages]
        return list(users)

    assert names("/") == ["B", "_", "a", "b", "c", "d"]
    assert names("/a/") == ["b", "c", "d"]
    assert names("/a/", limit=2) == ["b", "c"]
    assert names("/a/", after="c") == ["d"]
    assert names("/a") == ["a", "b", "c", "d"]
    assert names("/A") == ["B"]
    assert run(lambda tx: entities.count(tx, ACCOUNT)) == entities.Counts(6, 6, 6, 0, 1)


def test_versions_of_a_policy(run: Run) -> None:
    name = PolicyName(ACCOUNT, "push", "/team/")
    run(lambda tx: policies.create_policy(tx, new_policy("push", "/team/")))
    with pytest.raises(EntityAlreadyExists):
        run(lambda tx: policies.create_policy(tx, new_policy("push")))

    def own(tx: Transaction) -> ManagedPolicy:
        return policies.get_managed(tx, ACCOUNT, name.arn)

    def found() -> ManagedPolicy:
        policy: ManagedPolicy = run(own)
        return policy

    def numbers() -> list[int]:
        found_versions: list[int] = run(lambda tx: [each.number for each in policies.versions_of(tx, own(tx))])
        return found_versions

    second = DOCUMENT.replace("ecr", "iam")
    run(lambda tx: policies.add_version(tx, own(tx), second, 2, is_default=False))
    assert (found().document, found().version, found().updated_at) == (DOCUMENT, 1, 2)
    run(lambda tx: policies.set_default_version(tx, own(tx), "v2"))
    assert (found().document, found().version) == (second, 2)
    for now in (3, 4, 5):
        run(lambda tx: policies.add_version(tx, own(tx), DOCUMENT, now, is_default=False))  # noqa: B023 - runs now
    with pytest.raises(QuotaReached):
        run(lambda tx: policies.add_version(tx, own(tx), DOCUMENT, 6, is_default=False))
    run(lambda tx: policies.put_policy(tx, name, DOCUMENT, 6))  # The command: the oldest goes, but not the default.
    assert numbers() == [6, 5, 4, 3, 2]
    assert found().version == 6
    for wrong in ("v6", "v1"):
        with pytest.raises((DeleteConflict, NoSuchEntity)):
            run(lambda tx: policies.delete_version(tx, own(tx), wrong))  # noqa: B023 - runs now
    with pytest.raises(DeleteConflict):
        run(lambda tx: policies.require_one_version(tx, own(tx)))
    run(lambda tx: policies.delete_policy(tx, name))
    run(lambda tx: policies.create_policy(tx, new_policy("push")))
    assert (
        run(lambda tx: len(policies.versions_of(tx, policies.get_managed(tx, ACCOUNT, name.arn.replace("/team", "")))))
        == 1
    )
    for arn in (name.arn, name.arn.replace(ACCOUNT, OTHER)):
        with pytest.raises(NoSuchEntity):
            run(lambda tx: policies.get_managed(tx, ACCOUNT, arn))  # noqa: B023 - runs now


def test_attachments_are_counted_by_account(run: Run) -> None:
    of_aws = PolicyName(AWS, "IAMFullAccess")
    ann = run(lambda tx: accounts.create_user(tx, ACCOUNT, "ann", 1))
    role = run(lambda tx: roles.create_role(tx, new_role("deploy")))
    stranger = run(lambda tx: accounts.create_user(tx, OTHER, "ann", 1))
    for identity in (ann, role, stranger):
        run(lambda tx: policies.attach(tx, identity, of_aws))  # noqa: B023 - runs now
    run(lambda tx: policies.create_policy(tx, new_policy("own", "/p/")))
    run(lambda tx: policies.attach(tx, ann, PolicyName(ACCOUNT, "own")))

    found = run(lambda tx: policy_rows.attachments_of(tx, of_aws, ACCOUNT))
    assert sorted((each.name, each.kind, each.id) for each in found) == [
        ("ann", "user", ann.id),
        ("deploy", "role", role.id),
    ]
    assert run(lambda tx: policy_rows.attachments_of(tx, of_aws, ACCOUNT, found[0].id, 1)) == found[1:]
    assert run(lambda tx: policies.get_managed(tx, ACCOUNT, of_aws.arn)).attachments == 2
    assert run(lambda tx: policies.get_managed(tx, OTHER, of_aws.arn)).attachments == 1
    only_attached = PolicyFilter(only_attached=True)
    run(lambda tx: policies.create_policy(tx, new_policy("unused")))
    attached = run(lambda tx: policy_rows.page_of_policies(tx, ACCOUNT, only_attached, "", 9))
    assert [(policy.name.arn, policy.attachments) for policy in attached] == [
        (f"arn:aws:iam::{ACCOUNT}:policy/p/own", 1)
    ]
    held = run(lambda tx: policy_rows.policies_of(tx, ann.id)).attached
    assert [name.arn for name, _ in held] == [f"arn:aws:iam::{ACCOUNT}:policy/p/own", of_aws.arn]


def test_a_renamed_user_is_the_same_principal(run: Run) -> None:
    ann = run(lambda tx: accounts.create_user(tx, ACCOUNT, "ann", 1, "/x/"))
    run(lambda tx: roles.create_role(tx, new_role("deploy", trusted=ann.arn)))

    renamed = run(lambda tx: accounts.rename_user(tx, ann, "bob", "/y/"))

    assert renamed.arn == f"arn:aws:iam::{ACCOUNT}:user/y/bob"
    assert run(lambda tx: accounts.get_user(tx, ACCOUNT, "bob")) == renamed
    assert f'"{renamed.arn}"' in run(lambda tx: roles.get_role(tx, ACCOUNT, "deploy")).trust_policy
    again = run(lambda tx: accounts.create_user(tx, ACCOUNT, "ann", 1, "/x/"))
    for wrong in ("bob", "a b", "root"):
        with pytest.raises(AccountError):
            run(lambda tx: accounts.rename_user(tx, again, wrong, "/"))  # noqa: B023 - runs now
    root = run(lambda tx: accounts.get_user(tx, ACCOUNT, "root"))
    with pytest.raises(AccountError, match="root user cannot be renamed"):
        run(lambda tx: accounts.rename_user(tx, root, "admin", "/"))


def test_tags_and_what_stays_beside_them(run: Run) -> None:
    ann = run(lambda tx: accounts.create_user(tx, ACCOUNT, "ann", 1, "/", {"a": "1"}))
    role = run(lambda tx: roles.create_role(tx, new_role("deploy")))
    run(lambda tx: policies.create_policy(tx, new_policy("own")))
    policy = run(lambda tx: policies.get_managed(tx, ACCOUNT, new_policy("own").name.arn))
    provider = IdentityProvider(ACCOUNT, "https://a.example", ("sts",), "", 1, ("0" * 40,))
    run(lambda tx: providers.create_provider(tx, provider))
    for entity in (ann, role, policy, run(lambda tx: providers.get_provider(tx, ACCOUNT, provider.issuer))):
        run(lambda tx: tags.add(tx, entity, {"A": "2", "é": ""}))  # noqa: B023 - runs now

    assert run(lambda tx: accounts.get_user(tx, ACCOUNT, "ann")).tags == {"A": "2", "é": ""}
    changed = run(lambda tx: roles.get_role(tx, ACCOUNT, "deploy"))
    assert (changed.tags, changed.description) == ({"A": "2", "é": ""}, "d")
    changed_policy = run(lambda tx: policies.get_managed(tx, ACCOUNT, policy.name.arn))
    assert (changed_policy.tags, changed_policy.document) == ({"A": "2", "é": ""}, DOCUMENT)
    changed_provider = run(lambda tx: providers.get_provider(tx, ACCOUNT, provider.issuer))
    assert (changed_provider.tags, changed_provider.thumbprints) == ({"A": "2", "é": ""}, ("0" * 40,))
    assert changed_provider.key_set == providers.WITHOUT_KEYS
    run(lambda tx: tags.remove(tx, changed, ["a"]))
    assert run(lambda tx: roles.get_role(tx, ACCOUNT, "deploy")).tags == {"é": ""}


def test_an_entity_with_policies_or_keys_is_not_bare(run: Run) -> None:
    ann = run(lambda tx: accounts.create_user(tx, ACCOUNT, "ann", 1))
    run(lambda tx: accounts.require_no_keys(tx, ann))
    run(lambda tx: policies.require_none(tx, ann))
    run(lambda tx: accounts.create_key(tx, Vault(b"k" * 32), ann, 1))
    run(lambda tx: policies.put_inline(tx, ann, "own", DOCUMENT))
    for check in (accounts.require_no_keys, policies.require_none):
        with pytest.raises(DeleteConflict):
            run(lambda tx: check(tx, ann))  # noqa: B023 - runs now
