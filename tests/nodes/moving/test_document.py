"""The examples of docs/moving.md work."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from moorage.config.sources import registry_at
from tests.nodes.moving.conftest import Filled
from tests.nodes.moving.registries import on_postgres_and_s3
from tests.support.clients import program_environment, run
from tests.support.object_store import ObjectStore

DOCUMENT = (Path(__file__).parents[3] / "docs" / "moving.md").read_text("utf-8")


def block(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found is not None, name
    return found[1]


def test_the_example_migrates_a_registry(filled: Filled, tmp_path: Path, object_store: ObjectStore) -> None:
    target = on_postgres_and_s3(tmp_path / "nodes", object_store)
    here = target.place.parent
    shutil.copytree(filled.place, here / "moorage-data")
    real = dict(line.split(" = ", 1) for line in target.place.read_text().splitlines())
    assert {line.split(" = ")[0] for line in block("moving-target").splitlines()} <= set(real)
    target.place.rename(here / "node.toml")
    target.place = here / "node.toml"
    target.arguments = ("--config", str(target.place))

    commands = block("moving-commands").replace("moorage migrate", f"{sys.executable} -m moorage migrate")
    script = f"cd {here}\n{commands.replace('node.toml', str(target.place))}"
    printed = run(["sh", "-ec", script], program_environment(here))

    assert printed.startswith("Copied: ")
    assert f"Moved: {len(list((filled.place / 'blobs').rglob('*-*')))} layers" in printed
    assert target.state() == filled.state


def test_a_place_is_described_by_its_file_and_secrets_by_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text(
        'data = "here"\ndatabase = "postgresql://me:hidden@db/rows?password=hidden"\nblobs = "s3://bucket/all"\n'
    )
    environment = {
        "MOORAGE_DATABASE": "postgresql://other",
        "MOORAGE_BLOBS": "/other",
        "MOORAGE_S3_ACCESS_KEY_ID": "id",
        "MOORAGE_S3_SECRET_ACCESS_KEY": "secret",
    }

    node = registry_at(file, environment)
    folder = registry_at(tmp_path / "data", environment)

    assert node.database == "postgresql://me:hidden@db/rows?password=hidden"
    assert (node.bucket_key.id, node.bucket_key.secret) == ("id", "secret")
    assert node.place == "postgresql://db/rows with layers in s3://bucket/all"
    assert (folder.database, folder.bucket, folder.place) == (None, None, str(tmp_path / "data"))


def test_a_key_in_the_file_is_used(tmp_path: Path) -> None:
    file, key = tmp_path / "node.toml", "A" * 43 + "="
    file.write_text(f'master_key = "{key}"\n')

    assert registry_at(file, {"MOORAGE_MASTER_KEY_FILE": "/elsewhere"}).given_master_key() == bytes(32)
