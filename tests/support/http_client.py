"""Raw requests to the docker door: nothing is added that a test did not ask for, except the credentials."""

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
    """What came back; `headers` are looked up without regard to case."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def error_codes(self) -> list[str]:
        """The codes of an error document of the OCI distribution specification."""
        return [error["code"] for error in self.json()["errors"]]


class Docker:
    """The HTTP client of a docker user, one connection for each request.

    `password` is a token of GetAuthorizationToken with the user `AWS`; None sends no credentials.
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
        """Send one request. A body in pieces goes out chunked; a header `Authorization` replaces the credentials."""
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
        """Upload a blob in one PUT. Raises AssertionError when the registry refuses it."""
        started = self.post(f"/v2/{repository}/blobs/uploads/")
        assert started.status == 202, started
        location = started.headers["Location"]
        joint = "&" if "?" in location else "?"
        finished = self.put(
            f"{location}{joint}digest={blob.digest}", blob.content, {"Content-Type": "application/octet-stream"}
        )
        assert finished.status == 201, finished

    def push(self, repository: str, image: Image, reference: str | None = None) -> None:
        """Upload an image with all its blobs, under a tag or, without one, under its digest."""
        for blob in image.blobs:
            self.push_blob(repository, blob)
        path = f"/v2/{repository}/manifests/{reference or image.manifest.digest}"
        answer = self.put(path, image.manifest.content, {"Content-Type": image.manifest.media_type})
        assert answer.status == 201, answer
