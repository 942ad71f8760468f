"""`moorage import distribution`: the storage folder of CNCF Distribution, in place, beside a running server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.operations.transfer.conftest import Images, Moorage
from tests.support.clients import program_environment, require_client, run
from tests.support.distribution import Distribution
from tests.support.http_client import Docker
from tests.support.images import Blob, image


def data_of(storage: Path, blob: Blob) -> Path:
    encoded = blob.digest.removeprefix("sha256:")
    return storage / "docker/registry/v2/blobs/sha256" / encoded[:2] / encoded / "data"


def test_all_images_come_with_tags_indexes_and_signatures_and_no_layer_is_copied(
    moorage: Moorage, distribution: Distribution, upstream: Docker, team: str, images_of: Callable[[], Images]
) -> None:
    app, library = images_of(), images_of()
    app.push(upstream, f"{team}/app")
    library.push(upstream, f"{team}/app/library")

    done = moorage.run("import", "distribution", distribution.storage, "--repository", f"{team}/*")

    assert (done.code, done.err) == (0, "")
    assert done.out == ("Imported 8 images of 2 repositories; 0 were here. Layers: 12 linked, 0 copied (0 bytes).\n")
    assert moorage.tags(f"{team}/app") == ["latest", "v1"]
    assert moorage.has(f"{team}/app", app.both, "latest")
    for one in (app.first, app.second, app.signature):
        assert moorage.has(f"{team}/app", one)
    assert moorage.has(f"{team}/app/library", library.first, "v1")
    referrers = moorage.docker.get(f"/v2/{team}/app/referrers/{app.first.manifest.digest}").json()["manifests"]
    assert [each["digest"] for each in referrers] == [app.signature.manifest.digest]
    assert data_of(distribution.storage, app.first.blobs[1]).stat().st_nlink == 2


def test_a_second_run_brings_only_what_is_new(
    moorage: Moorage, distribution: Distribution, upstream: Docker, team: str, images_of: Callable[[], Images]
) -> None:
    found = images_of()
    found.push(upstream, f"{team}/app")
    selected = ("import", "distribution", distribution.storage, "--repository", f"{team}/app")
    assert moorage.run(*selected).code == 0
    upstream.push(f"{team}/app", found.second, "v2")
    upstream.push(f"{team}/app", found.second, "v1")

    again = moorage.run(*selected)

    assert "Imported 1 images of 1 repositories; 3 were here. Layers: 0 linked, 0 copied" in again.out
    assert moorage.has(f"{team}/app", found.second, "v1")
    assert moorage.tags(f"{team}/app") == ["latest", "v1", "v2"]


def test_images_are_copied_on_request_and_put_below_a_prefix(
    moorage: Moorage, distribution: Distribution, upstream: Docker, team: str, images_of: Callable[[], Images]
) -> None:
    found = images_of()
    found.push(upstream, f"{team}/app")

    done = moorage.run(
        "import", "distribution", distribution.storage / "docker/registry/v2",
        "--repository", f"{team}/*", "--prefix", "old/", "--copy",
    )  # fmt: skip

    assert "0 linked, 6 copied" in done.out, done
    assert moorage.has(f"old/{team}/app", found.first, "v1")
    assert data_of(distribution.storage, found.first.blobs[1]).stat().st_nlink == 1


def test_what_is_whole_comes_from_a_broken_folder_and_the_rest_is_listed(
    moorage: Moorage, distribution: Distribution, upstream: Docker, team: str, images_of: Callable[[], Images]
) -> None:
    whole, missing, damaged, shorter = (image(seed=seed) for seed in range(91, 95))
    for tag, one in {"whole": whole, "missing": missing, "damaged": damaged, "shorter": shorter}.items():
        upstream.push(f"{team}/app", one, tag)
    storage = distribution.storage
    data_of(storage, missing.blobs[1]).unlink()
    data_of(storage, damaged.blobs[1]).write_bytes(bytes(len(damaged.blobs[1].content)))
    data_of(storage, shorter.manifest).write_bytes(shorter.manifest.content[:-1])
    tags = storage / "docker/registry/v2/repositories" / team / "app/_manifests/tags"
    (tags / "gone" / "current").mkdir(parents=True)
    (tags / "gone" / "current" / "link").write_text("sha256:" + "0" * 64)
    (tags / "empty" / "current").mkdir(parents=True)

    done = moorage.run("import", "distribution", storage, "--repository", f"{team}/app")

    assert done.code == 3
    lines = done.out.splitlines()
    assert f"{team}/app:missing: layer {missing.blobs[1].digest}: is missing" in lines
    assert f"{team}/app:damaged: layer {damaged.blobs[1].digest}: has the digest" in done.out
    assert f"{team}/app:shorter: its manifest has other bytes" in lines
    assert f"{team}/app: the tags gone name sha256:{'0' * 64}, which is missing" in lines
    assert f"{team}/app: tag empty: link is missing" in lines
    assert lines[-1] == "5 images or tags did not come: see above."
    assert moorage.tags(f"{team}/app") == ["whole"]
    assert moorage.has(f"{team}/app", whole, "whole")


def test_a_blob_that_is_a_link_to_another_file_does_not_come(
    moorage: Moorage, distribution: Distribution, upstream: Docker, team: str, tmp_path: Path
) -> None:
    one = image(seed=77)
    upstream.push(f"{team}/app", one, "v1")
    path = data_of(distribution.storage, one.blobs[1])
    other = tmp_path / "other"
    path.rename(other)
    path.symlink_to(other)

    done = moorage.run("import", "distribution", distribution.storage, "--repository", f"{team}/app", "--unread")

    assert done.code == 3
    assert "cannot be read" in done.out
    assert moorage.tags(f"{team}/app") == []


def test_a_folder_without_a_registry_is_refused(moorage: Moorage, tmp_path: Path) -> None:
    done = moorage.run("import", "distribution", tmp_path)

    assert done.code == 1
    assert "is not a storage of Distribution: it has no docker/registry/v2/repositories" in done.err


def test_crane_pulls_what_crane_pushed_to_the_other_registry(
    moorage: Moorage, distribution: Distribution, upstream: Docker, team: str, tmp_path: Path
) -> None:
    crane = require_client("crane")
    upstream.push(f"{team}/base", image(seed=5), "v1")
    environment = program_environment(tmp_path)
    there = f"127.0.0.1:{distribution.port}/{team}"
    run([crane, "copy", "--insecure", f"{there}/base:v1", f"{there}/copied:v1"], environment)

    moorage.run("import", "distribution", distribution.storage, "--repository", f"{team}/copied")

    here = f"localhost:{moorage.server.port}"
    password = moorage.docker.authorization
    assert password is not None
    digest = run([crane, "digest", "--insecure", f"{there}/copied:v1"], environment)
    assert moorage.docker.head(f"/v2/{team}/copied/manifests/v1").headers["Docker-Content-Digest"] == digest.strip()
    assert here
