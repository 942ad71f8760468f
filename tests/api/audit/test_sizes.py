"""Audit records, log lines and responses stay small for every request, however large."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from tests.api.audit.conftest import Trail
from tests.conftest import StartServer
from tests.faults.http.raw import exchange, head
from tests.support.aws import aws_client, docker_password
from tests.support.http_client import Docker
from tests.support.server import Server
from tests.support.waiting import wait_until

LONG = "x" * 60_000
RECORD, LINE, RESPONSE = 12_000, 4_000, 10_000
TARGET = {
    "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.DeleteRepository",
    "Content-Type": "application/x-amz-json-1.1",
    "X-Amz-Date": "20260101T000000Z",
}
SCOPE = "20260101/us-east-1/ecr/aws4_request"


class Sent(NamedTuple):
    """A request. `records`: how many audit records it leaves."""

    path: str
    headers: Mapping[str, str] = {}
    method: str = "DELETE"
    body: str = ""
    records: int = 1


def signed(credential: str, names: str = "host;x-amz-date;x-amz-target", **more: str) -> Sent:
    """An API call with this text after `Credential=`."""
    proof = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature=0"
    return Sent("/", {**TARGET, "Authorization": proof, **more}, "POST", "{}")


def form(action: str, **parameters: str) -> Sent:
    """An STS call without a signature."""
    body = "&".join(f"{name}={value}" for name, value in {"Action": action, **parameters}.items())
    return Sent("/", {"Content-Type": "application/x-www-form-urlencoded"}, "POST", body)


FORGED = {"Authorization": "Basic QVdTOng="}

ANONYMOUS = {
    "a long name": Sent(f"/v2/{LONG}/manifests/v1", FORGED),
    "a long reference": Sent(f"/v2/a/manifests/{LONG}", FORGED),
    "a long digest of an upload": Sent(f"/v2/a/blobs/uploads/?digest={LONG}", FORGED, "POST", records=3),
    "a long media type": Sent("/v2/a/manifests/v1", {**FORGED, "Content-Type": LONG}, "PUT"),
    "a long host": Sent("/v2/a/manifests/v1", {**FORGED, "Host": LONG}),
    "a long name in ns": Sent(f"/v2/a/manifests/v1?ns={LONG}", FORGED),
    "a long program name": Sent("/v2/a/manifests/v1", {**FORGED, "User-Agent": LONG}),
    "a long path of no endpoint": Sent(f"/{LONG}", records=0),
    "a long target": Sent("/", {**TARGET, "X-Amz-Target": LONG}, "POST", "{}", records=0),
    "a long credential": signed(LONG),
    "a long key id": signed(f"{LONG}/{SCOPE}"),
    "a long date in the scope": signed(f"AKIA/{LONG}/us-east-1/ecr/aws4_request"),
    "a long Region": signed(f"AKIA/20260101/{LONG}/ecr/aws4_request"),
    "a long terminator": signed(f"AKIA/20260101/us-east-1/ecr/{LONG}"),
    "a long algorithm": Sent("/", {**TARGET, "Authorization": f"AWS4-{LONG} Credential=a"}, "POST", "{}"),
    "a long date": signed(f"AKIA/{SCOPE}", **{"X-Amz-Date": LONG}),
    "a long name of a header": signed(f"AKIA/{SCOPE}", **{f"X-Amz-{LONG}": "1"}),
    "a long role": form("AssumeRoleWithWebIdentity", RoleArn=LONG, RoleSessionName="s", WebIdentityToken="t"),
    "a long session name": form("AssumeRoleWithWebIdentity", RoleArn="r", RoleSessionName=LONG, WebIdentityToken="t"),
    "a long token": form(
        "AssumeRoleWithWebIdentity",
        RoleArn="arn:aws:iam::000000000000:role/r",
        RoleSessionName="session",
        WebIdentityToken=LONG,
    ),
    "a long action": form(LONG)._replace(records=0),
    "a long parameter": form("AssumeRoleWithWebIdentity", **{LONG: "1"}),
}

AUTHENTICATED = {
    "a long name": Sent(f"/v2/{LONG}/manifests/v1"),
    "a long tag": Sent(f"/v2/team/app/manifests/{LONG}", method="PUT"),
    "a long digest": Sent(f"/v2/team/app/manifests/sha256:{LONG}"),
    "a long upload": Sent(f"/v2/team/app/blobs/uploads/{LONG}", method="PATCH"),
    "a long mount": Sent(f"/v2/team/app/blobs/uploads/?mount={LONG}&from={LONG[:4000]}", method="POST"),
    "a long media type": Sent("/v2/team/app/manifests/v1", {"Content-Type": LONG}, "PUT", "{}"),
    "a long list of media types": Sent("/v2/team/app/manifests/v1", {"Accept": ",".join("a" * 20_000)}, "GET"),
    "a long member of a manifest": Sent("/v2/team/app/manifests/v1", {}, "PUT", json.dumps({LONG: 1, "b": LONG})),
}


def answer(server: Server, sent: Sent, **more: str) -> bytes:
    """The response, with its head."""
    headers: dict[str, str | int] = {"Host": "r", "Content-Length": len(sent.body), "Connection": "close"}
    content = head(sent.method, sent.path, {**headers, **sent.headers, **more}) + sent.body.encode()
    return exchange(server, content).content


def check(server: Server, trail: Trail, response: bytes, records: int) -> None:
    """Raise AssertionError if the response, a record or a log line is long, or the number of records is another one."""
    assert response[9:10] == b"4", response[:100]
    assert len(response) < RESPONSE
    written = trail.records()
    assert len(written) == records, written
    assert all(len(json.dumps(record)) < RECORD for record in written)
    wait_until(server.output)  # The first lines are written after a moment.
    assert max(map(len, server.output().splitlines())) < LINE


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that records reads, too."""
    server = Server(tmp_path_factory.mktemp("sizes") / "data")
    server.start(extra_args=["--audit-reads", "--workers", "1"])
    yield server
    server.stop()


@pytest.mark.parametrize("sent", ANONYMOUS.values(), ids=ANONYMOUS)
def test_what_anybody_can_send_is_recorded_logged_and_returned_shortened(reading: Server, sent: Sent) -> None:
    trail = Trail(reading.data / "audit.jsonl")

    response = answer(reading, sent)

    check(reading, trail, response, sent.records)


@pytest.mark.parametrize("sent", AUTHENTICATED.values(), ids=AUTHENTICATED)
def test_what_a_docker_client_sends_is_recorded_logged_and_returned_shortened(reading: Server, sent: Sent) -> None:
    with aws_client(reading) as ecr:
        password = docker_password(ecr)
    trail = Trail(reading.data / "audit.jsonl")
    authorization = Docker(reading.host, reading.port, password).authorization or ""

    response = answer(reading, sent, Authorization=authorization)

    check(reading, trail, response, 1)


def test_what_an_api_client_sends_is_returned_shortened(reading: Server) -> None:
    """The service model limits most members, and its messages quote them."""
    members: dict[str, Any] = {
        "DescribeRepositories": {"registryId": LONG * 5},
        "CreateRepository": {"repositoryName": LONG * 5},
        "SetRepositoryPolicy": {"repositoryName": "team/app", "policyText": f'{{"{LONG}": "{LONG}"}}'},
        "PutLifecyclePolicy": {"repositoryName": "team/app", "lifecyclePolicyText": f'{{"{LONG[:9000]}": 1}}'},
        "TagResource": {"resourceArn": LONG * 5, "tags": []},
        "BatchGetImage": {"repositoryName": "team/app", "imageIds": [{"imageTag": LONG * 5}]},
        "PutImage": {"repositoryName": "team/app", "imageManifest": f'{{"{LONG}": 1, "schemaVersion": "{LONG}"}}'},
    }
    with aws_client(reading, parameter_validation=False) as ecr:
        for operation, request in members.items():
            trail = Trail(reading.data / "audit.jsonl")
            with pytest.raises(ecr.exceptions.ClientError) as refused:
                ecr._make_api_call(operation, request)
            assert len(str(refused.value)) < RESPONSE
            assert all(len(json.dumps(record)) < RECORD for record in trail.records()), operation


def test_a_path_beyond_the_limit_of_heads_leaves_no_record(fresh_server: StartServer) -> None:
    server = fresh_server()
    trail = Trail(server.data / "audit.jsonl")

    response = answer(server, Sent(f"/v2/{LONG * 5}/manifests/v1", FORGED))

    assert response.startswith(b"HTTP/1.1 431")
    assert trail.path.exists() is False or trail.records() == []
