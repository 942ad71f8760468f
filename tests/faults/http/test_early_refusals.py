"""A response before the whole body was read: Go clients (docker, crane, containerd) must see it, not a broken pipe.

net/http reports the error of the write if the server resets the connection while the client still sends
(golang/go#11745). So a server sends the response with `Connection: close` and reads on for a while, as Go's own server
(rstAvoidanceDelay) and nginx (lingering_close) do.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.api.ecr.wire import TARGET_PREFIX, Signer
from tests.operations.tls.conftest import TlsServer
from tests.support.aws import aws_client, docker_password
from tests.support.clients import program_environment, run
from tests.support.go_clients import built_program
from tests.support.images import OCI_MANIFEST
from tests.support.server import Server
from tests.support.transport import trust

REPOSITORY = "early/refusals"
MAX_MANIFEST_BYTES = 4 << 20


class Case(NamedTuple):
    """A request whose answer does not depend on its body, and the only status that is right."""

    name: str
    method: str
    path: str
    headers: dict[str, str]
    status: int


@pytest.fixture(scope="module", params=["plain", "tls"])
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with plain HTTP, then one with TLS."""
    data = tmp_path_factory.mktemp(request.param) / "data"
    one = TlsServer(data, data / "tls" / "ca.crt") if request.param == "tls" else Server(data)
    one.start(extra_args=["--tls"] if request.param == "tls" else [])
    with aws_client(one) as ecr:
        ecr.create_repository(repositoryName=REPOSITORY)
    yield one
    one.stop()


def registry_cases(ecr: Any, size: int) -> Iterator[Case]:
    """Requests to the registry endpoint."""
    password = docker_password(ecr)
    login = {"Authorization": f"Basic {base64.b64encode(f'AWS:{password}'.encode()).decode()}"}
    wrong = {"Authorization": f"Basic {base64.b64encode(b'AWS:nonsense').decode()}"}
    upload = new_upload(ecr)
    unknown = f"/v2/{REPOSITORY}/blobs/uploads/{uuid.uuid4()}"
    digest = f"sha256:{hashlib.sha256(b'x' * size).hexdigest()}"
    layer = login | {"Content-Type": "application/octet-stream"}
    yield Case("a wrong password", "PATCH", upload, wrong, 401)
    yield Case("no password", "PATCH", upload, {}, 401)
    yield Case("an unknown upload", "PATCH", unknown, login, 404)
    yield Case("an unknown repository", "POST", f"/v2/no/such/blobs/uploads/?digest={digest}", login, 404)
    yield Case("a chunk out of order", "PATCH", upload, login | {"Content-Range": f"7-{size + 6}"}, 416)
    yield Case("a layer that was pushed", "PUT", f"{new_upload(ecr)}?digest={digest}", layer, 201)
    if size > MAX_MANIFEST_BYTES:
        path = f"/v2/{REPOSITORY}/manifests/v1"
        yield Case("a large manifest", "PUT", path, login | {"Content-Type": OCI_MANIFEST}, 413)


def ecr_cases(server: Server, size: int) -> Iterator[Case]:
    """Requests to the ECR endpoint."""
    host = server.url.partition("://")[2]
    environment = server.environment
    known = Signer(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"], host)
    part = TARGET_PREFIX + "UploadLayerPart"
    unsigned = {name: value for name, value in known.headers(part, b"").items() if name != "authorization"}
    yield Case("an unsigned call", "POST", "/", unsigned, 400)
    if size > MAX_MANIFEST_BYTES:
        yield Case("a large call", "POST", "/", known.headers(TARGET_PREFIX + "DescribeRegistry", b""), 413)


def new_upload(ecr: Any) -> str:
    """The path of a new upload, which both endpoints know."""
    upload = ecr.initiate_layer_upload(repositoryName=REPOSITORY)["uploadId"]
    return f"/v2/{REPOSITORY}/blobs/uploads/{upload}"


@pytest.mark.client
@pytest.mark.parametrize("times", [10, pytest.param(100, marks=pytest.mark.long)])
@pytest.mark.parametrize("size", [100_000, 5_000_000, 50_000_000])
def test_a_go_client_sees_every_early_answer(either: Server, size: int, times: int, tmp_path: Path) -> None:
    with aws_client(either) as ecr:
        cases = [*registry_cases(ecr, size), *ecr_cases(either, size)]
    requests = [
        {"name": case.name, "method": case.method, "url": either.url + case.path, "headers": case.headers}
        | {"size": size, "times": times}
        for case in cases
    ]

    environment = program_environment(tmp_path, trust(either))
    seen = json.loads(run([built_program("early_refusals")], environment, stdin=json.dumps(requests)))

    assert seen == {case.name: {str(case.status): times} for case in cases}
