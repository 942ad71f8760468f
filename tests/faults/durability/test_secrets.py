"""P12: secrets are in no log, no file and no process list, wherever they were sent."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.api.ecr.pushing import push
from tests.api.ecr.wire import TARGET_PREFIX, Wire
from tests.conftest import StartServer
from tests.faults.durability.endpoints import Endpoints, endpoints_of
from tests.faults.durability.promises import check_p12_secrets_stay_secret
from tests.support.aws import aws_client
from tests.support.http_client import Docker
from tests.support.images import image

CANARY = "CANARY/in-the-wrong-place+"


@pytest.fixture
def endpoints(fresh_server: StartServer) -> Iterator[Endpoints]:
    with endpoints_of(fresh_server()) as both:
        both.ecr.create_repository(repositoryName="team/app")
        yield both


def remember_signatures(ecr: Any) -> list[str]:
    """The signatures of all requests of this client, as they are sent."""
    sent: list[str] = []

    def look(request: Any, **_: Any) -> None:
        authorization = request.headers["Authorization"]
        text = authorization.decode() if isinstance(authorization, bytes) else str(authorization)
        sent.extend(re.findall(r"Signature=(\w+)", text))

    ecr.meta.events.register("before-send.ecr", look)
    return sent


def test_no_secret_is_written_where_it_does_not_belong(endpoints: Endpoints) -> None:
    server = endpoints.server
    signatures = remember_signatures(endpoints.ecr)
    pushed = push(endpoints.ecr, "team/app", image(), "v1")
    endpoints.docker.push("team/app", pushed, "v2")
    url = endpoints.ecr.get_download_url_for_layer(repositoryName="team/app", layerDigest=pushed.blobs[1].digest)[
        "downloadUrl"
    ]
    assert Docker(server.host, server.port, None).get(url.partition(f":{server.port}")[2]).status == 200

    secrets = [
        server.environment["AWS_SECRET_ACCESS_KEY"],
        endpoints.password,
        base64.b64encode(f"AWS:{endpoints.password}".encode()).decode(),
        url.partition("?")[2].partition("=")[2],
        *signatures,
    ]
    assert len(secrets) > 6
    assert all(len(secret) > 20 for secret in secrets)
    check_p12_secrets_stay_secret(server, secrets)
    server.restart()
    check_p12_secrets_stay_secret(server, secrets)


def test_no_wrong_secret_is_written(endpoints: Endpoints) -> None:
    """A typing error may be the next secret. Rejected passwords, keys, tokens and queries leave no trace."""
    server = endpoints.server
    wrong = [f"{CANARY}{number:02}" for number in range(8)]
    assert Docker(server.host, server.port, wrong[0]).get("/v2/").status == 401
    assert Docker(server.host, server.port, wrong[1], user="AKIAIOSFODNN7EXAMPLE").get("/v2/").status == 401
    for authorization in (f"Bearer {wrong[2]}", f"Basic {wrong[2]}", wrong[2]):
        assert endpoints.docker.get("/v2/", {"Authorization": authorization}).status == 401
    assert endpoints.docker.get(f"/layers/sha256:{'0' * 64}?token={wrong[3]}").status in {400, 401, 403, 404}
    endpoints.docker.get(f"/v2/team/app/tags/list?password={wrong[4]}&last={wrong[4]}")
    with aws_client(server) as stranger:
        stranger._request_signer._credentials.secret_key = wrong[5]
        with pytest.raises(ClientError, match="InvalidSignatureException"):
            stranger.describe_repositories()
    signer = Wire(server).signer
    headers = signer.headers(f"{TARGET_PREFIX}DescribeRepositories", b"{}") | {"x-amz-security-token": wrong[6]}
    assert endpoints.docker.post("/", b"{}", headers).status == 400
    headers = signer.headers(f"{TARGET_PREFIX}DescribeRepositories", b"{}") | {"authorization": wrong[7]}
    assert endpoints.docker.post("/", b"{}", headers).status == 400

    check_p12_secrets_stay_secret(server, wrong)


def test_only_the_owner_can_read_the_files_with_secrets(endpoints: Endpoints) -> None:
    data = endpoints.server.data

    assert data.stat().st_mode & 0o077 == 0
    for name in ("master.key", "credentials"):
        assert (data / name).stat().st_mode & 0o777 == 0o600
