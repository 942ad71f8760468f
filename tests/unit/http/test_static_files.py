"""The built pages of the console: which requests get a file, and which the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from moorage.console.static_files import StaticFiles
from moorage.http.bodies import RequestBody
from moorage.http.messages import Request, RequestHead
from tests.unit.http.connection import NoBody

PAGE, SCRIPT = b"<!doctype html>", b"export {};"


@pytest.fixture
def files(tmp_path: Path) -> StaticFiles:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_bytes(PAGE)
    (tmp_path / "assets" / "index-a1B2c3D4.js").write_bytes(SCRIPT)
    return StaticFiles(tmp_path)


def get(files: StaticFiles, name: str) -> tuple[int, object]:
    head = RequestHead("GET", f"/console/{name}".encode(), [(b"host", b"localhost")])
    answer = files.response(Request(head, RequestBody(NoBody(), 0), "1"), name)
    return answer.status, answer.body


@pytest.mark.parametrize(
    "name", ["", "repositories", "repositories/team/app.v1", "repositories/a.b/-/images/sha256:ab", "repositories/x.js"]
)
def test_addresses_of_pages_get_the_page_also_with_dots_in_names(files: StaticFiles, name: str) -> None:
    assert get(files, name) == (200, PAGE)


def test_a_file_gets_itself(files: StaticFiles) -> None:
    assert get(files, "assets/index-a1B2c3D4.js") == (200, SCRIPT)


@pytest.mark.parametrize("name", ["assets/index-00000000.js", "assets/old", "favicon.ico"])
def test_a_file_that_is_not_there_is_not_the_page(files: StaticFiles, name: str) -> None:
    """A browser would otherwise run the page as a script of an older build."""
    assert get(files, name)[0] == 404
