"""`moorage export images` and `moorage import images`: OCI layouts, zot's folders, and bundles with deltas."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.operations.transfer.conftest import Images, Moorage
from tests.support.clients import program_environment, require_client, run
from tests.support.images import image, layer, write_layout


@pytest.mark.parametrize("place", ["layout", "bundle.tar"])
def test_what_is_exported_is_imported_as_it_was(
    moorage: Moorage, tmp_path: Path, team: str, images_of: Callable[[], Images], place: str
) -> None:
    found = images_of()
    moorage.create(f"{team}/app")
    found.push(moorage.docker, f"{team}/app")

    exported = moorage.run("export", "images", f"{team}/app", tmp_path / place)
    imported = moorage.run("import", "images", tmp_path / place, "--prefix", "copy/")

    assert exported.code == 0, exported
    assert exported.out.startswith(f"Exported 2 images to {tmp_path / place}: 10 blobs")
    assert imported.code == 0, imported
    assert moorage.tags(f"copy/{team}/app") == ["latest", "v1"]
    assert moorage.has(f"copy/{team}/app", found.both, "latest")
    for one in (found.first, found.second, found.signature):
        assert moorage.has(f"copy/{team}/app", one)


@pytest.mark.parametrize("place", ["layout", "bundle.tar"])
def test_an_interrupted_export_continues(
    moorage: Moorage, tmp_path: Path, team: str, images_of: Callable[[], Images], place: str
) -> None:
    found = images_of()
    moorage.create(f"{team}/app")
    found.push(moorage.docker, f"{team}/app")
    moorage.run("export", "images", f"{team}/app", tmp_path / place)
    if place == "layout":
        (tmp_path / place / "index.json").unlink()
        (tmp_path / place / "blobs/sha256" / found.first.blobs[1].digest[7:]).unlink()
    else:
        whole = (tmp_path / place).read_bytes()
        with tarfile.open(tmp_path / place) as archive:
            cut = archive.getmembers()[1].offset_data + 1
        (tmp_path / f"{place}.part").write_bytes(whole[:cut])
        (tmp_path / place).unlink()

    again = moorage.run("export", "images", f"{team}/app", tmp_path / place)

    assert again.code == 0, again
    blobs = 1 if place == "layout" else 9
    assert f"{blobs} blobs" in again.out
    assert moorage.run("import", "images", tmp_path / place, "--prefix", f"{team}/").code == 0
    assert moorage.has(f"{team}/{team}/app", found.both, "latest")


def test_a_delta_has_only_the_layers_that_the_earlier_bundle_lacks(
    moorage: Moorage, other: Moorage, tmp_path: Path, team: str
) -> None:
    base = layer(20_000, seed=1)
    first, second = image([base, layer(seed=2)]), image([base, layer(seed=3)])
    moorage.create(f"{team}/app")
    moorage.docker.push(f"{team}/app", first, "v1")
    moorage.run("export", "images", f"{team}/app", tmp_path / "monday.tar")
    moorage.docker.push(f"{team}/app", second, "v2")

    exported = moorage.run(
        "export", "images", f"{team}/app", tmp_path / "tuesday.tar", "--since", tmp_path / "monday.tar"
    )
    early = other.run("import", "images", tmp_path / "tuesday.tar")

    assert exported.code == 0, exported
    with tarfile.open(tmp_path / "tuesday.tar") as archive:
        assert f"blobs/sha256/{base.digest[7:]}" not in archive.getnames()
    assert (early.code, other.tags(f"{team}/app")) == (3, [])
    assert f"layer {base.digest}: is in an earlier bundle: import that one first" in early.out
    assert other.run("import", "images", tmp_path / "monday.tar").code == 0
    assert other.run("import", "images", tmp_path / "tuesday.tar").code == 0
    assert other.has(f"{team}/app", first, "v1")
    assert other.has(f"{team}/app", second, "v2")


def test_the_storage_folder_of_zot_is_imported(moorage: Moorage, tmp_path: Path, team: str) -> None:
    """zot has one layout for each repository, at the path that is its name, beside folders of its own."""
    one, two = image(seed=11), image(seed=12)
    write_layout(tmp_path / "zot" / team / "app", one, "v1")
    write_layout(tmp_path / "zot" / team / "app" / "base", two, "v2")
    (tmp_path / "zot" / "_trivy").mkdir()

    done = moorage.run("import", "images", tmp_path / "zot")

    assert done.code == 0, done
    assert moorage.has(f"{team}/app", one, "v1")
    assert moorage.has(f"{team}/app/base", two, "v2")


def test_a_layout_with_plain_tags_needs_the_name_of_the_repository(moorage: Moorage, tmp_path: Path, team: str) -> None:
    one = image(seed=21)
    write_layout(tmp_path / "layout", one, "v1")

    without = moorage.run("import", "images", tmp_path / "layout")
    named = moorage.run("import", "images", tmp_path / "layout", "--name", f"{team}/app")

    assert (without.code, "v1 names no repository: use --name" in without.out) == (3, True)
    assert named.code == 0, named
    assert moorage.has(f"{team}/app", one, "v1")


@pytest.mark.parametrize(("name", "content"), [("index.json", b"{"), ("index.json", b'{"manifests": [{}]}')])
def test_a_layout_that_is_no_layout_is_refused(moorage: Moorage, tmp_path: Path, name: str, content: bytes) -> None:
    write_layout(tmp_path / "layout", image(seed=31), "v1")
    (tmp_path / "layout" / name).write_bytes(content)

    done = moorage.run("import", "images", tmp_path / "layout")

    assert (done.code, name in done.err) == (1, True)
    (tmp_path / "file.tar").write_bytes(b"no tar" * 1000)
    assert "is not a bundle" in moorage.run("import", "images", tmp_path / "file.tar").err
    assert "has no OCI layout" in moorage.run("import", "images", tmp_path / "layout" / "blobs").err


def test_a_damaged_image_is_left_out_of_an_export(other: Moorage, tmp_path: Path, team: str) -> None:
    """At a server of its own: verifications of the shared one would find the damage."""
    good, bad = image(seed=41), image(seed=42)
    other.create(f"{team}/app")
    other.docker.push(f"{team}/app", good, "good")
    other.docker.push(f"{team}/app", bad, "bad")
    (stored,) = other.server.data.glob(f"blobs/sha256/*/{bad.blobs[1].digest[7:]}-*")
    stored.chmod(0o600)
    stored.write_bytes(bytes(len(bad.blobs[1].content)))

    done = other.run("export", "images", f"{team}/app", tmp_path / "layout")

    assert done.code == 3
    assert f"{team}/app:bad: {bad.blobs[1].digest} is damaged: its bytes have the digest" in done.out
    assert other.run("import", "images", tmp_path / "layout", "--prefix", "copy/").code == 0
    assert other.tags(f"copy/{team}/app") == ["good"]


def test_skopeo_and_crane_read_an_export(
    moorage: Moorage, tmp_path: Path, team: str, images_of: Callable[[], Images]
) -> None:
    skopeo = require_client("skopeo")
    found = images_of()
    moorage.create(f"{team}/app")
    found.push(moorage.docker, f"{team}/app")
    moorage.run("export", "images", f"{team}/app:v1", tmp_path / "layout")
    moorage.run("export", "images", f"{team}/app:v1", tmp_path / "bundle.tar")

    for source in (f"oci:{tmp_path}/layout:{team}/app:v1", f"oci-archive:{tmp_path}/bundle.tar:{team}/app:v1"):
        raw = run([skopeo, "inspect", "--raw", source], program_environment(tmp_path))
        assert raw.encode() == found.first.manifest.content
