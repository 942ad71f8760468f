"""Where vulnerability databases come from: files and URLs that answer, change, lie, or do not answer."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from moorage.adapters.scanners import database_sources
from moorage.adapters.scanners.database_sources import DatabaseSource, FileSource, SourceFailed, UrlSource
from tests.support.images import digest


class Site(ThreadingHTTPServer):
    """A web server with `pages`, each with an ETag that is its digest."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, bytes] = {}
        self.statuses: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Site
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """A page."""
        content = self.server.pages.get(self.path.partition("?")[0])
        tag = "" if content is None else f'"{digest(content)}"'
        status = 404 if content is None else 304 if self.headers.get("if-none-match") == tag else 200
        body = (content or b"") if status == 200 else b""
        self.server.statuses.append(status)
        self.send_response(status)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    one = Site()
    threading.Thread(target=one.serve_forever, args=(0.05,), daemon=True).start()
    yield one
    one.shutdown()
    one.server_close()


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def fetch(source: DatabaseSource, into: Path, known: str = "") -> str | None:
    return asyncio.run(source.fetch(known, into))


def listing(site: Site, content: bytes, checksum: str | None = None) -> UrlSource:
    """Grype's listing of an archive with this content."""
    site.pages["/v6/db.tar.gz"] = content
    named = {"status": "active", "path": "db.tar.gz?checksum=1", "checksum": checksum or digest(content)}
    site.pages["/v6/latest.json"] = json.dumps(named).encode()
    return UrlSource(f"{site.url}/v6/latest.json")


def test_a_file_is_copied_again_when_it_has_changed(tmp_path: Path, into: Path) -> None:
    place = tmp_path / "db.tar.gz"
    place.write_bytes(b"first")
    source = FileSource(place)

    state = fetch(source, into)
    assert state is not None
    assert into.read_bytes() == b"first"
    assert fetch(source, into, state) is None

    place.write_bytes(b"second one")
    assert fetch(source, into, state) not in {None, state}
    assert into.read_bytes() == b"second one"


def test_a_file_that_is_not_there_or_a_folder_is_named(tmp_path: Path, into: Path) -> None:
    with pytest.raises(SourceFailed, match="missing: No such file"):
        fetch(FileSource(tmp_path / "missing"), into)
    with pytest.raises(SourceFailed, match="Is a directory"):
        fetch(FileSource(tmp_path), into)


def test_an_archive_is_fetched_again_when_its_tag_has_changed(site: Site, into: Path) -> None:
    site.pages["/db.tar.gz"] = b"first"
    source = UrlSource(f"{site.url}/db.tar.gz")

    state = fetch(source, into)
    assert into.read_bytes() == b"first"
    assert fetch(source, into, state or "") is None
    assert site.statuses == [200, 304]

    site.pages["/db.tar.gz"] = b"second"
    assert fetch(source, into, state or "") is not None
    assert into.read_bytes() == b"second"


def test_the_archive_of_a_listing_is_compared_with_its_digest(site: Site, into: Path) -> None:
    source = listing(site, b"archive")

    state = fetch(source, into)

    assert into.read_bytes() == b"archive"
    assert fetch(source, into, state or "") is None
    assert len(site.statuses) == 3

    with pytest.raises(SourceFailed, match=f"has the digest {digest(b'other')}, not {digest(b'archive')}"):
        fetch(listing(site, b"other", digest(b"archive")), into)


@pytest.mark.parametrize("text", [b"<html>", b"{}", b'{"path": "x", "checksum": "md5:1"}', b" " * (2 << 20)])
def test_a_listing_that_is_none_is_refused(site: Site, into: Path, text: bytes) -> None:
    site.pages["/latest.json"] = text

    with pytest.raises(SourceFailed, match=r"is not a listing of Grype|names no SHA-256"):
        fetch(UrlSource(f"{site.url}/latest.json"), into)


def test_a_url_that_does_not_answer_is_named(site: Site, into: Path) -> None:
    with pytest.raises(SourceFailed, match="missing answered 404"):
        fetch(UrlSource(f"{site.url}/missing"), into)
    with pytest.raises(SourceFailed, match="cannot be read"):
        fetch(UrlSource("http://127.0.0.1:9/db.tar.gz"), into)


def test_an_archive_that_is_too_large_is_refused(
    site: Site, tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_sources, "ARCHIVE_LIMIT", 1000)
    (tmp_path / "large").write_bytes(bytes(1001))
    site.pages["/large"] = bytes(1001)

    for source in (FileSource(tmp_path / "large"), UrlSource(f"{site.url}/large")):
        with pytest.raises(SourceFailed, match="The archive has more than"):
            fetch(source, into)
