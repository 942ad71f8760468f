"""A browser without pages: it has the cookies and the headers that the console's script sends."""

from __future__ import annotations

import json
from typing import Any

from tests.support.http_client import Answer, Docker
from tests.support.server import Server

ECR = "AmazonEC2ContainerRegistry_V20150921"


class Browser:
    """`cookie` is what it sends of the cookies that it got; `build` says which pages it has."""

    def __init__(self, server: Server) -> None:
        self.http = Docker(server.host, server.port, None)
        self.origin = server.url
        self.cookie = ""
        self.build = ""

    def send(self, method: str, path: str, value: Any = None, **headers: str) -> Answer:
        """Send a request of the console's script. A header with an empty value is left out."""
        sent = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", "Cookie": self.cookie}
        sent |= {name.replace("_", "-"): text for name, text in headers.items()}
        body = None if value is None else json.dumps(value).encode()
        answer = self.http.request(method, path, body, {name: text for name, text in sent.items() if text})
        given = answer.headers["Set-Cookie"]
        if given is not None:
            self.cookie = given.partition(";")[0]
        return answer

    def sign_in(self, key: str, secret: str, **more: str) -> Answer:
        answer = self.send("POST", "/console/session", {"accessKeyId": key, "secretAccessKey": secret, **more})
        if answer.status == 200:
            self.build = answer.json()["build"]
        return answer

    def call(self, operation: str, members: Any = None, **headers: str) -> Answer:
        """Call an operation of ECR."""
        target = headers.pop("X_Amz_Target", f"{ECR}.{operation}")
        given = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}
        sent = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", "Cookie": self.cookie, **given}
        sent |= {name.replace("_", "-"): text for name, text in headers.items()}
        kept = {name: text for name, text in sent.items() if text}
        if "X-Moorage-Build" not in sent:
            kept["X-Moorage-Build"] = self.build
        return self.http.request("POST", "/console/api/", json.dumps(members or {}).encode(), kept)
