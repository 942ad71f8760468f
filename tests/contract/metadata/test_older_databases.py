"""Databases of older programs, with rows, that are migrated to the current schema."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import apsw

from moorage.core.events.formats import render
from moorage.domain.names import Registry
from moorage.domain.ports import Message
from moorage.metadata.engines.sqlite.schema import migrate
from moorage.metadata.engines.sqlite.writer import open_writer
from moorage.metadata.events import deliveries, targets
from moorage.metadata.identity import accounts, policy_versions
from moorage.metadata.identity import policies as identity_policies
from moorage.metadata.registry import images, pulls, uploads

_MIGRATIONS = resources.files("moorage.metadata.migrations")


def database_before(path: Path, name: str) -> apsw.Connection:
    """A database before the schema step of this name."""
    files = sorted(file.name for file in _MIGRATIONS.iterdir() if file.name.endswith(".sql"))
    before = files[: next(number for number, file in enumerate(files) if file.endswith(f"_{name}.sql"))]
    connection = apsw.Connection(str(path))
    for file in before:
        connection.execute((_MIGRATIONS / file).read_text("utf-8"))
    connection.execute(f"PRAGMA user_version = {len(before)}")
    return connection


def test_images_from_before_storage_classes_are_active(tmp_path: Path) -> None:
    path = tmp_path / "moorage.db"
    with database_before(path, "storage_classes") as old:
        old.execute("INSERT INTO repository VALUES (1, '1', 'r', 'a', 1, 'MUTABLE', '[]', 0, 'AES256', NULL)")
        old.execute("INSERT INTO image VALUES (1, 1, 'sha256:1', 'type', NULL, NULL, 7, 8, '{}', 9)")
    old.close()

    migrate(path)

    with open_writer(path) as writer:
        found = writer.transact(lambda tx: images.find(tx, 1, "sha256:1"))
    assert found == images.Image(1, 1, "sha256:1", "type", None, None, 7, 8, 9)
    assert not found.is_archived


def test_uploads_from_before_interrupted_requests_were_kept_continue(tmp_path: Path) -> None:
    path = tmp_path / "moorage.db"
    with database_before(path, "kept_bytes") as old:
        old.execute("INSERT INTO repository VALUES (1, '1', 'r', 'a', 1, 'MUTABLE', '[]', 0, 'AES256', NULL, 0)")
        old.execute("INSERT INTO upload VALUES ('an-upload', 1, 'AIDA1', 10, 1, 10, 0, 5)")
    old.close()

    migrate(path)

    with open_writer(path) as writer:
        found = writer.transact(lambda tx: uploads.find_upload(tx, Registry("1", "r"), "a", "an-upload"))
    assert found.upload == uploads.Upload("an-upload", 1, "AIDA1", 10, 1, 10, False, 5, kept=0, algorithm="sha256")


def test_annotations_that_were_in_the_rows_of_images_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "moorage.db"
    with database_before(path, "image_annotations") as old:
        old.execute("INSERT INTO repository VALUES (1, '1', 'r', 'a', 1, 'MUTABLE', '[]', 0, 'AES256', NULL, 0)")
        for number, annotations in (1, '{"a": "b"}'), (2, "{}"):
            columns = "id, repository_id, digest, media_type, size, manifest_size, annotations, pushed_at"
            old.execute(
                f"INSERT INTO image ({columns}) VALUES (?, 1, ?, 't', 1, 1, ?, 1)", (number, f"d{number}", annotations)
            )
    old.close()

    migrate(path)

    with open_writer(path) as writer:
        assert writer.transact(lambda tx: pulls.annotations_of(tx, [1, 2])) == {1: '{"a": "b"}'}


def test_events_from_before_formats_are_sent_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "moorage.db"
    with database_before(path, "event_formats") as old:
        old.execute("""INSERT INTO webhook VALUES ('wh-1', 'http://example.org/', '["PUSH"]', x'00', 1)""")
        old.execute("""INSERT INTO delivery VALUES (1, 'wh-1', 'arn', 'event-1', '{"id": "event-1"}', 2, NULL)""")
    old.close()

    migrate(path)

    with open_writer(path) as writer:
        target = writer.transact(lambda tx: targets.find(tx, "wh-1"))
        (delivery,) = writer.transact(lambda tx: deliveries.waiting(tx, "wh-1", "arn", 10))
    assert target == targets.EventTarget("wh-1", "http://example.org/", "eventbridge", ("PUSH",), b"\0", 1)
    assert render(target.format, delivery) == Message(b'{"id": "event-1"}', {"content-type": "application/json"})


def test_policies_that_users_had_by_name_are_attached_to_them(tmp_path: Path) -> None:
    path = tmp_path / "moorage.db"
    with database_before(path, "roles") as old:
        old.execute("INSERT INTO account VALUES ('000000000000', 1)")
        old.execute("INSERT INTO iam_user VALUES ('AIDA1', '000000000000', 'ann', 1)")
        old.execute("INSERT INTO user_policy VALUES ('AIDA1', 'AmazonEC2ContainerRegistryReadOnly')")
    old.close()

    migrate(path)

    with open_writer(path) as writer:
        held = writer.transact(lambda tx: identity_policies.policies_of(tx, "AIDA1"))
    assert [policy.arn for policy, _ in held.attached] == ["arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"]


def test_policies_from_before_versions_have_one_version(tmp_path: Path) -> None:
    path = tmp_path / "moorage.db"
    with database_before(path, "iam") as old:
        old.execute("INSERT INTO account VALUES ('1', 1)")
        old.execute("INSERT INTO iam_policy VALUES ('1', 'push', '{}', 7)")
        old.execute("INSERT INTO iam_user (id, account, name, created_at) VALUES ('AIDA1', '1', 'ann', 7)")
    old.close()

    migrate(path)

    with open_writer(path) as writer:
        name = identity_policies.PolicyName("1", "push")
        policy = writer.transact(lambda tx: identity_policies.find_managed(tx, name))
        versions = writer.transact(lambda tx: policy_versions.of_policy(tx, name))
        user = writer.transact(lambda tx: accounts.find_user(tx, "1", "ann"))
    assert policy == identity_policies.ManagedPolicy(name=name, document="{}", created_at=7, updated_at=7)
    assert versions == [policy_versions.PolicyVersion(1, "{}", 7)]
    assert user == accounts.User("AIDA1", "1", "ann", 7, path="/", tags={})
