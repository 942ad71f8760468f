"""The built pages: files in the package, which `console/` of the source builds (console/README.md).

Every path without a file is a page of the console, so it gets `index.html`, whose script reads the path. Files whose
name has a hash of their content never change; the others are checked with each use.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from moorage.console.answers import PROTECTION
from moorage.http.messages import Request, Response

FOLDER: Final = Path(__file__).parent / "static"

NOT_BUILT: Final = (
    "The console is not built in this installation. In a checkout with Node.js, `make console` builds it.\n"
)
_TYPES: Final = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".ico": b"image/x-icon",
    ".js": b"text/javascript; charset=utf-8",
    ".json": b"application/json",
    ".png": b"image/png",
    ".svg": b"image/svg+xml",
    ".woff2": b"font/woff2",
}
_HASHED: Final = re.compile(r"assets/.*-[\w-]{8}\.\w+", re.ASCII)
_FILE_NAME: Final = re.compile(r"assets/|[^/]*\.[^/]*$")
"""Only files have such names. The addresses of pages contain names of repositories, which may have dots."""

_UNCHANGING: Final = b"public, max-age=31536000, immutable"
_INDEX: Final = "index.html"


def are_built() -> bool:
    """Whether this installation has the pages."""
    return (FOLDER / _INDEX).exists()


@dataclass(frozen=True, slots=True)
class _File:
    content_type: bytes
    content: bytes
    compressed: bytes | None
    etag: bytes
    is_unchanging: bool


class StaticFiles:
    """The files of a folder, read once. They are as many as a build has, about 4 MB in memory."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder

    @property
    def build(self) -> str:
        """Which build this is; empty if there is none."""
        index = self._files.get(_INDEX)
        return "" if index is None else index.etag.decode().strip('"')

    def response(self, request: Request, name: str) -> Response:
        """The file with this name, or the page."""
        if request.method not in {"GET", "HEAD"}:
            return _text(405, b"405 method not allowed\n")
        file = self._files.get(name)
        if file is None and _FILE_NAME.match(name):
            return _text(404, b"404 page not found\n")  # A script of another build, for example.
        file = file or self._files.get(_INDEX)
        if file is None:
            return _text(404, NOT_BUILT.encode())
        return _response(request, file)

    @cached_property
    def _files(self) -> dict[str, _File]:
        paths = [path for path in self._folder.rglob("*") if path.is_file() and path.suffix in _TYPES]
        return {str(path.relative_to(self._folder)): _read(self._folder, path) for path in paths}


def _read(folder: Path, path: Path) -> _File:
    content, packed = path.read_bytes(), path.with_name(f"{path.name}.gz")
    return _File(
        _TYPES[path.suffix],
        content,
        packed.read_bytes() if packed.exists() else None,
        b'"%s"' % hashlib.sha256(content).hexdigest()[:16].encode(),
        _HASHED.fullmatch(str(path.relative_to(folder))) is not None,
    )


def _response(request: Request, file: _File) -> Response:
    body = file.content
    headers = [
        (b"content-type", file.content_type),
        (b"etag", file.etag),
        (b"cache-control", _UNCHANGING if file.is_unchanging else b"no-cache"),
        (b"vary", b"accept-encoding"),
        *PROTECTION,
    ]
    if request.header(b"if-none-match") == file.etag.decode():
        return Response(304, headers)
    if file.compressed is not None and _accepts_gzip(request):
        body = file.compressed
        headers.append((b"content-encoding", b"gzip"))
    headers.append((b"content-length", b"%d" % len(body)))
    return Response(200, headers, body)


def _accepts_gzip(request: Request) -> bool:
    accepted = (request.header(b"accept-encoding") or "").lower()
    return any(part.strip().partition(";")[0] == "gzip" for part in accepted.split(","))


def _text(status: int, text: bytes) -> Response:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(text)), *PROTECTION]
    return Response(status, headers, text)
