"""Raw requests to the registry endpoint. Only the credentials are added to what a test sends."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterable, Mapping
from email.message import Message
from typing import Any, NamedTuple

from tests.support.images import Blob, Image

Body = bytes | Iterable[bytes]


class Answer(NamedTuple):
    """A response. The names in `headers` are case-insensitive."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def error_codes(self) -> list[str]:
        """The codes of an error response, as the OCI distribution specification defines it."""
        return [error["code"] for error in self.json()["errors"]]


class Docker:
    """A HTTP client for the registry endpoint, with a connection for each request.

    `password` is a token from GetAuthorizationToken. Without one, requests have no credentials.
    """

    def __init__(self, host: str, port: int, password: str | None, user: str = "AWS") -> None:
        self.host = host
        self.port = port
        self.authorization: str | None = None
        if password is not None:
            self.authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def request(
        self, method: str, path: str, body: Body | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request. A body in pieces is sent chunked. A header `Authorization` replaces the credentials."""
        sent = {"Authorization": self.authorization} if self.authorization else {}
        sent |= headers or {}
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request(method, path.removeprefix(f"http://{self.host}:{self.port}"), body, sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.request("GET", path, None, headers)

    def head(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.request("HEAD", path, None, headers)

    def delete(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.request("DELETE", path, None, headers)

    def post(self, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        return self.request("POST", path, body, headers)

    def put(self, path: str, body: Body = b"", headers: Mapping[str, str] | None = None) -> Answer:
        return self.request("PUT", path, body, headers)

    def patch(self, path: str, body: Body = b"", headers: Mapping[str, str] | None = None) -> Answer:
        return self.request("PATCH", path, body, headers)

    def push_blob(self, repository: str, blob: Blob) -> None:
        """Upload a blob in one PUT. Raises AssertionError if the registry rejects it."""
        started = self.post(f"/v2/{repository}/blobs/uploads/")
        assert started.status == 202, started
        location = started.headers["Location"]
        joint = "&" if "?" in location else "?"
        finished = self.put(
            f"{location}{joint}digest={blob.digest}", blob.content, {"Content-Type": "application/octet-stream"}
        )
        assert finished.status == 201, finished

    def push(self, repository: str, image: Image, reference: str | None = None) -> None:
        """Push an image with all its blobs, by tag or, without a tag, by digest."""
        for blob in image.blobs:
            self.push_blob(repository, blob)
        path = f"/v2/{repository}/manifests/{reference or image.manifest.digest}"
        answer = self.put(path, image.manifest.content, {"Content-Type": image.manifest.media_type})
        assert answer.status == 201, answer
