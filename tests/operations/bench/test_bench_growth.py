"""Growth: a filled data folder has the rows that pushes leave, a server answers from it, the command measures it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
from click.testing import CliRunner

from moorage_bench.charts.files import write_charts
from moorage_bench.command import bench
from moorage_bench.connections import drive, exchange
from moorage_bench.content import Content, Scale
from moorage_bench.growth.report import GrowthReport, GrowthRow
from moorage_bench.growth.rows import DELETED, FILES, LARGE, TAGS, Filled, fill
from moorage_bench.peers.kinds import GROWN, OURS
from moorage_bench.peers.servers import Fleet, Server
from moorage_bench.workloads.pushes import push_image

IMAGES = 120
PUSHED = ("blob", "image", "image_layer", "manifest", "repository_layer", "tag")
SHORT_LIVED = {"finished_upload", "upload_state", "job", "removed_bytes"}
"""What a push, or a job of the server at the same time, leaves for some minutes: a large registry does not have it."""

OF_CONTENT = {"digest", "storage_key", "body", "size", "manifest_size", "name", "media_type"}


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[tuple[Server, Filled]]:
    """A server on a filled folder."""
    server = Server(GROWN, OURS, tmp_path)
    with Fleet([server]):
        server.halt()
        facts = fill(server.data, IMAGES)
        server.start()
        yield server, facts


def rows(server: Server, table: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(server.data / "moorage.db")) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(f"SELECT * FROM {table}")]


def counts(server: Server) -> dict[str, int]:
    with closing(sqlite3.connect(server.data / "moorage.db")) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: len(rows(server, name)) for name in names}


def facts_of(row: dict[str, Any]) -> dict[str, Any]:
    """What must be the same for all images: no number of a row, no time, and nothing that its content decides."""
    return {
        name: value
        for name, value in row.items()
        if name != "id" and not name.endswith(("_id", "_at")) and name not in OF_CONTENT
    }


def test_the_rows_are_those_that_a_push_leaves(filled: tuple[Server, Filled]) -> None:
    server, _ = filled
    before, kinds = counts(server), {table: rows(server, table) for table in PUSHED}
    server.target.ensure_repository("pushed/app")
    image = Content(Scale()).image()
    drive(server.target.address, [push_image(server.target, "pushed/app", image, "v1")])

    after = counts(server)
    changed = {table for table, count in after.items() if count != before[table]}
    assert changed - SHORT_LIVED == {*PUSHED, "repository"}
    for table in PUSHED:
        pushed = [row for row in rows(server, table) if row not in kinds[table]]
        expected = {msgspec.json.encode(facts_of(row)) for row in kinds[table]}
        assert {msgspec.json.encode(facts_of(row)) for row in pushed} <= expected, table
        assert {name: type(value) for name, value in pushed[-1].items()} in [
            {name: type(value) for name, value in row.items()} for row in kinds[table]
        ]


def test_the_numbers_are_those_of_the_large_the_deleted_and_the_small_repositories(
    filled: tuple[Server, Filled],
) -> None:
    server, facts = filled

    images = {row["name"]: row["images"] for row in rows(server, "repository")}
    assert (images[LARGE], images[DELETED], sum(images.values())) == (IMAGES // 2, IMAGES // 10, IMAGES)
    assert len(rows(server, "image")) == IMAGES
    assert {row["repositories"] for row in rows(server, "registry_count")} == {len(images)}
    assert len(facts.small) == len(images) - 2
    tags = [row for row in rows(server, "tag") if row["repository_id"] == 1]
    assert len(tags) == TAGS * IMAGES // 4  # Every second image is untagged in so small a repository.
    files = [path for path in (server.data / "blobs" / "sha256").rglob("*") if path.is_file()]
    assert len(files) == min(FILES, len(rows(server, "blob")))


def test_a_server_answers_from_what_was_filled(filled: tuple[Server, Filled]) -> None:
    server, facts = filled
    target = server.target
    manifest = exchange(target.address, target.request("GET", f"/v2/{LARGE}/manifests/{facts.tags[0]}"))
    blob = exchange(target.address, target.request("GET", f"/v2/{LARGE}/blobs/{facts.own_layers[0]}"))
    described = target.call("DescribeImages", {"repositoryName": LARGE, "maxResults": 1000}, "imageDetails")

    assert manifest.header("docker-content-digest") == facts.digests[0]
    assert len(blob.body) == 36
    assert {each["imageDigest"] for each in described} == set(facts.digests)


def test_the_command_measures_each_size_and_draws_the_curves(tmp_path: Path) -> None:
    arguments = ["--size", "2e2", "--size", "100", "--folder", str(tmp_path), "--charts", str(tmp_path / "charts")]
    result = CliRunner().invoke(bench, arguments)

    assert result.exit_code == 0, result.output
    report = GrowthReport.from_json((tmp_path / "charts" / "growth.json").read_bytes())
    assert (report.sizes, report.command) == ([100, 200], "moorage bench --size 1e2 --size 2e2")
    assert all(value > 0 for row in report.rows for value in row.values)
    names = [row.name for row in report.rows]
    assert {"PUT manifest", "BatchDeleteImage of 100", "DeleteRepository with force", "lifecycle preview"} <= set(names)
    assert [path.name for path in tmp_path.iterdir()] == ["charts"]
    assert result.stdout.splitlines()[0].split("  ")[0] == "row"


def test_the_curves_have_each_figure_and_a_level_row_is_a_level_line(tmp_path: Path) -> None:
    figures = [GrowthRow("GET", "ms", [2.0, 2.0, 2.0]), GrowthRow("PUT", "ms", [1.0, 10.0, 100.0])]
    report = GrowthReport("0.1", "2026-11-30", {"cores": 2}, "moorage bench", [1_000, 100_000, 1_000_000], figures)
    written = write_charts(report, tmp_path)

    root = ET.fromstring(written[1].read_text())
    lines = [node.attrib["points"].split() for node in root.iter("{http://www.w3.org/2000/svg}polyline")]
    heights = [[float(point.split(",")[1]) for point in line] for line in lines]
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert len(set(heights[0])) == 1
    assert heights[1] == sorted(heights[1], reverse=True)
    assert {"GET, ms", "PUT, ms", "2.00", "10.0", "100", "10^3", "10^5", "10^6"} <= set(texts)
    assert [row.growth for row in figures] == [1.0, 100.0]


@pytest.mark.parametrize("size", ["ten", "10", "-1e5", "1e999"])
def test_a_wrong_size_is_reported(size: str) -> None:
    result = CliRunner().invoke(bench, ["--size", size])

    assert result.exit_code == 2
    assert f"{size} must be a number from 100" in result.output
