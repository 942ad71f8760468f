"""A registry uses only its own blob store: another one, an empty one or an unmounted one changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.ecr.pushing import push
from tests.operations.garbage.registry import GarbageRegistry
from tests.support.aws import aws_client, docker_password
from tests.support.commands import Ended, run_apart
from tests.support.databases import engine_of
from tests.support.http_client import Docker
from tests.support.images import Image, image, layer
from tests.support.server import Server
from tests.support.waiting import wait_until

REPOSITORY = "team/app"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """The folder with the layers of `kept`."""
    return tmp_path / "store"


@pytest.fixture
def kept(tmp_path: Path, elsewhere: Path) -> Iterator[GarbageRegistry]:
    """A registry whose layers are not in its data folder, with an image."""
    server = Server(tmp_path / "data")
    serve(server, elsewhere)
    with aws_client(server, "ecr") as ecr:
        registry = GarbageRegistry(server, ecr, Docker(server.host, server.port, docker_password(ecr)))
        ecr.create_repository(repositoryName=REPOSITORY)
        push(ecr, REPOSITORY, pushed(), "v1")
        yield registry
    if server.process is not None:
        server.stop()


def pushed() -> Image:
    return image([layer(30_000, seed=1), layer(10, seed=2)])


def serve(server: Server, store: Path) -> None:
    server.start(extra_args=["--workers", "1", "--blobs", str(store)])


def serve_refused(server: Server, *options: str) -> Ended:
    listen = ("--listen", f"{server.host}:{server.port}", "--data", str(server.data))
    return run_apart(server.data.parent, "serve", *listen, *options, variables=server.settings)


def sees_all(registry: GarbageRegistry) -> bool:
    return all(registry.sees(REPOSITORY, blob) for blob in pushed().blobs)


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("words", [("verify",), ("collect", "--grace", "0"), ("collect", "--dry-run")])
@pytest.mark.parametrize("wrong", ["none", "empty", "another registry's"])
def test_a_command_with_another_store_is_refused_and_changes_nothing(
    kept: GarbageRegistry, elsewhere: Path, tmp_path: Path, words: tuple[str, ...], wrong: str
) -> None:
    other = tmp_path / "other"
    if wrong == "another registry's":
        owner = Server(tmp_path / "owner")
        serve(owner, other)
        owner.stop()
        stray = other / "blobs" / "sha256" / "00" / f"{'0' * 64}-00000000-0000-0000-0000-000000000000"
        stray.write_bytes(b"a layer of that registry")
    before = files(elsewhere) | files(other)

    ended = kept.run(*words, *(() if wrong == "none" else ("--blobs", str(other))))

    place = "the data folder" if wrong == "none" else other
    assert (ended.code, ended.out) == (1, "")
    assert f"{place} is not the blob store of this registry, whose layers are in {elsewhere}. Use the" in ended.err
    assert "run `moorage adopt-blobs --data " in ended.err
    assert files(elsewhere) | files(other) == before
    assert sees_all(kept)
    assert kept.run("verify", "--blobs", str(elsewhere)).code == 0


def test_a_server_with_another_store_does_not_start(kept: GarbageRegistry, elsewhere: Path) -> None:
    server = kept.server
    server.stop()

    without = serve_refused(server)
    elsewhere.rename(elsewhere.with_name("unmounted"))
    unmounted = serve_refused(server, "--blobs", str(elsewhere))

    assert (without.code, unmounted.code) == (1, 1)
    assert without.err.startswith("Error: the data folder is not the blob store of this registry")
    assert unmounted.err.startswith(f"Error: {elsewhere} is not the blob store of this registry")
    elsewhere.rmdir()
    elsewhere.with_name("unmounted").rename(elsewhere)
    serve(server, elsewhere)
    assert sees_all(kept)


def test_a_store_that_was_copied_whole_is_its_own_at_the_new_place(kept: GarbageRegistry, elsewhere: Path) -> None:
    kept.server.stop()
    moved = elsewhere.rename(elsewhere.with_name("moved"))

    serve(kept.server, moved)

    assert sees_all(kept)
    assert kept.run("verify", "--blobs", str(moved)).code == 0


def test_layers_that_were_copied_without_the_marker_can_be_adopted(kept: GarbageRegistry, elsewhere: Path) -> None:
    store = ("--blobs", str(elsewhere))
    (elsewhere / "blobs" / "registry").unlink()
    assert kept.run("verify", *store).code == 1
    running = kept.run("adopt-blobs", *store)
    assert f"runs on {kept.server.data}: stop it" in running.err
    kept.server.stop()

    adopted = kept.run("adopt-blobs", *store)

    assert adopted.code == 0, adopted
    verify = f"moorage verify --data {kept.server.data} --blobs {elsewhere}"
    assert adopted.out == f"The layers of this registry are now in {elsewhere}. Run {verify} to check them.\n"
    assert kept.run("verify", *store).code == 0
    serve(kept.server, elsewhere)
    assert sees_all(kept)


def test_a_store_without_any_layer_is_adopted_only_on_request(
    kept: GarbageRegistry, elsewhere: Path, tmp_path: Path
) -> None:
    kept.server.stop()
    store = ("--blobs", str(tmp_path / "new"))
    (tmp_path / "new").mkdir()

    refused = kept.run("adopt-blobs", *store)
    assert (refused.code, "has none of the newest layers" in refused.err) == (1, True)
    assert kept.run("adopt-blobs", *store, "--without-layers").code == 0

    assert "is not the blob store of this registry" in kept.run("verify", "--blobs", str(elsewhere)).err
    assert kept.run("verify", *store, "--although-all-missing").code == 3
    serve(kept.server, tmp_path / "new")
    assert not any(kept.sees(REPOSITORY, blob) for blob in pushed().blobs)


def test_nothing_is_marked_when_everything_is_missing(kept: GarbageRegistry, elsewhere: Path, tmp_path: Path) -> None:
    store = ("--blobs", str(elsewhere))
    for folder in ("sha256", "sha512"):
        (elsewhere / "blobs" / folder).rename(tmp_path / folder)

    refused = kept.run("verify", *store)

    assert (refused.code, refused.out) == (1, "")
    assert "none of the 3 layers is in the blob store, so no layer was marked as missing" in refused.err
    for folder in ("sha256", "sha512"):
        (tmp_path / folder).rename(elsewhere / "blobs" / folder)
    assert sees_all(kept)
    shutil.rmtree(elsewhere / "blobs" / "sha256")
    marked = kept.run("verify", *store, "--although-all-missing")
    assert marked.out.endswith("Verified: 3 findings, 3 of them not repaired.\n")


@pytest.mark.parametrize("interrupted", [True, False])
def test_a_start_that_was_interrupted_before_the_marker_was_written_is_completed(
    kept: GarbageRegistry, elsewhere: Path, interrupted: bool
) -> None:
    """Without a record, it is the database of an earlier version. With one, the start ended before the marker."""
    kept.server.stop()
    (elsewhere / "blobs" / "registry").unlink()
    statement = "UPDATE own_store SET is_marked = 0" if interrupted else "DELETE FROM own_store"
    engine_of(kept.server.data).transact(lambda tx: tx.run(statement))

    serve(kept.server, elsewhere)

    assert sees_all(kept)
    assert "is not the blob store" in kept.run("verify").err


def test_a_database_of_an_earlier_version_does_not_take_a_store_without_its_layers(
    kept: GarbageRegistry, elsewhere: Path
) -> None:
    kept.server.stop()
    engine_of(kept.server.data).transact(lambda tx: tx.run("DELETE FROM own_store"))

    refused = serve_refused(kept.server)

    assert refused.err.startswith("Error: the data folder has none of the newest layers of this registry. Name the")
    serve(kept.server, elsewhere)
    assert sees_all(kept)


def test_a_new_registry_does_not_take_the_store_of_another_one(
    kept: GarbageRegistry, elsewhere: Path, tmp_path: Path
) -> None:
    refused = serve_refused(Server(tmp_path / "new"), "--blobs", str(elsewhere))

    assert refused.err.startswith(f"Error: {elsewhere} holds the layers of another registry. Name the")
    assert sees_all(kept)


def test_a_running_server_does_not_collect_in_a_store_that_was_unmounted(
    kept: GarbageRegistry, elsewhere: Path
) -> None:
    (elsewhere / "blobs" / "registry").unlink()

    kept.server.moorage("jobs", "retry", "sweep-store", "-")

    def reasons() -> bool:
        return "is not the blob store of this registry" in kept.server.output()

    wait_until(reasons)
