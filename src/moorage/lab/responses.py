"""Changed responses: those that break off, and those that deviate from the OCI specification as Amazon ECR's do."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Final

from moorage.domain.ports import CHUNK_BYTES
from moorage.http.bodies import ClientGone
from moorage.http.messages import CLOSE, Request, Response
from moorage.oci.routes import resource_of

_MOST_UPLOADS: Final = 1_000


def cut(response: Response, after: int) -> Response:
    """A response whose connection breaks off after so many bytes of its body. Its head promises the whole body."""
    return Response(response.status, [*response.headers, CLOSE], stream=_beginning(response, after), size=after)


async def _beginning(response: Response, left: int) -> AsyncIterator[bytes]:
    async for chunk in _body_of(response):
        if len(chunk) >= left:
            yield chunk[:left]
            break
        left -= len(chunk)
        yield chunk
    raise ClientGone  # The server closes the connection, as it does when a client has gone.


async def _body_of(response: Response) -> AsyncIterator[bytes]:
    if response.file is not None:
        with closing(os.fdopen(response.file.descriptor, "rb", buffering=0)) as file:
            file.seek(response.file.start)
            left = response.size
            while left and (chunk := file.read(min(CHUNK_BYTES, left))):
                left -= len(chunk)
                yield chunk
    elif response.stream is not None:
        async for chunk in response.stream:
            yield chunk
    else:
        yield response.body


class Quirks:
    """Deviations of Amazon ECR's registry endpoint, seen in its responses: clients must live with them.

    PATCH of an upload answers 201, and its Range stays that of the first chunk; GET of a manifest has no
    Docker-Content-Digest; lists of tags are text/plain; HEAD of a blob says that it is an image configuration.
    """

    def __init__(self) -> None:
        self._first_ranges: dict[str, bytes] = {}

    def apply(self, request: Request, response: Response) -> Response:
        kind, _, reference = resource_of(request.path)
        match kind, request.method:
            case "upload", "PATCH" if response.status == 202:
                response.status = 201
                response.headers = self._with_first_range(reference, response)
            case "manifests", "GET":
                response.headers = [line for line in response.headers if line[0] != b"docker-content-digest"]
            case "tags", "GET":
                response.headers = _with_type(response, b"text/plain; charset=utf-8")
            case "blobs", "HEAD" if response.status == 200:
                response.headers = _with_type(response, b"application/vnd.docker.container.image.v1+json")
        return response

    def _with_first_range(self, upload: str, response: Response) -> list[tuple[bytes, bytes]]:
        if len(self._first_ranges) >= _MOST_UPLOADS:
            self._first_ranges.clear()
        current = next((value for name, value in response.headers if name == b"range"), b"0-0")
        first = self._first_ranges.setdefault(upload, current)
        return [(name, first if name == b"range" else value) for name, value in response.headers]


def _with_type(response: Response, media_type: bytes) -> list[tuple[bytes, bytes]]:
    others = [line for line in response.headers if line[0] != b"content-type"]
    return [*others, (b"content-type", media_type)]
