"""encryptionConfiguration: what a repository keeps and returns, and which keys it accepts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.api.ecr.refusals import invalid
from tests.api.ecr.wire import ACCOUNT, client_of, refusal
from tests.support.aws import docker_password
from tests.support.http_client import Docker
from tests.support.images import layer
from tests.support.server import Server

OTHER = "123456789012"
KEYS = f"arn:aws:kms:us-east-1:{ACCOUNT}:key"
TEAM = f"{KEYS}/1234abcd-12ab-34cd-56ef-1234567890ab"
PLAIN = f"{KEYS}/mrk-0123456789abcdef"
LENT = f"arn:aws:kms:us-east-1:{OTHER}:key/99999999-12ab-34cd-56ef-1234567890ab"
FAR = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/88888888-12ab-34cd-56ef-1234567890ab"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a list of known keys."""
    server = Server(tmp_path_factory.mktemp("keyed") / "data")
    server.start(extra_env={"MOORAGE_KMS_KEY": f"alias/team/registry={TEAM}, {PLAIN},{LENT},{FAR}"})
    yield server
    server.stop()


@pytest.fixture(scope="module")
def ecr(keyed: Server) -> Any:
    return client_of(keyed)


@pytest.fixture(scope="module")
def create(ecr: Any) -> Callable[..., Any]:
    """Creates a repository with this encryptionConfiguration."""
    numbers = itertools.count()

    def make(kind: str, key: str | None = None) -> Any:
        chosen = {"encryptionType": kind} | ({} if key is None else {"kmsKey": key})
        name = f"encrypted/app-{next(numbers)}"
        return ecr.create_repository(repositoryName=name, encryptionConfiguration=chosen)["repository"]

    return make


@pytest.mark.parametrize("kind", ["KMS", "KMS_DSSE"])
@pytest.mark.parametrize(
    ("named", "key"),
    [
        (TEAM, TEAM),
        ("alias/team/registry", TEAM),
        (f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/team/registry", TEAM),
        (TEAM.rpartition("/")[2], TEAM),
        ("mrk-0123456789abcdef", PLAIN),
        (LENT, LENT),
    ],
)
def test_a_key_is_returned_as_an_arn_however_it_was_named(
    ecr: Any, create: Callable[..., Any], kind: str, named: str, key: str
) -> None:
    """API reference, EncryptionConfiguration: "the response will contain the full key ARN"."""
    created = create(kind, named)

    assert created["encryptionConfiguration"] == {"encryptionType": kind, "kmsKey": key}
    assert ecr.describe_repositories(repositoryNames=[created["repositoryName"]])["repositories"] == [created]
    assert ecr.delete_repository(repositoryName=created["repositoryName"])["repository"] == created


def test_the_default_key_is_managed_by_aws(create: Callable[..., Any], keyed: Server, ecr: Any) -> None:
    first, second = create("KMS")["encryptionConfiguration"], create("KMS", "alias/aws/ecr")["encryptionConfiguration"]
    elsewhere = client_of(keyed, region="eu-west-1").create_repository(
        repositoryName="encrypted/elsewhere", encryptionConfiguration={"encryptionType": "KMS"}
    )["repository"]["encryptionConfiguration"]

    assert first == second == create("KMS", first["kmsKey"])["encryptionConfiguration"]
    assert first["kmsKey"].startswith(f"{KEYS}/")
    assert elsewhere["kmsKey"].startswith(f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/")
    assert elsewhere["kmsKey"].rpartition("/")[2] != first["kmsKey"].rpartition("/")[2]


@pytest.mark.parametrize(
    "key", ["alias/other", f"{KEYS}/unknown", "unknown", FAR, LENT.rpartition("/")[2], "arn:aws:s3:::bucket", "key/"]
)
def test_an_unknown_key_is_rejected(ecr: Any, key: str) -> None:
    request = {"repositoryName": "encrypted/not", "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": key}}

    with pytest.raises(ClientError) as refused:
        ecr.create_repository(**request)

    assert refused.value.response["Error"]["Code"] == "KmsException"
    assert refused.value.response["kmsError"] == "NotFoundException"
    missing = refusal(ecr.describe_repositories, repositoryNames=["encrypted/not"])
    assert missing.code == "RepositoryNotFoundException"


def test_aes256_does_not_accept_a_key(ecr: Any, create: Callable[..., Any]) -> None:
    """The text is ECR's, captured from a deployment (badmintoncryer/cdk-preflight, September 2026)."""
    reason = "Invalid encryption configuration: Encryption key should not be set for AES256 encryption."
    of_template = partial(ecr.create_repository_creation_template, prefix="aes", appliedFor=["CREATE_ON_PUSH"])
    keyed = {"encryptionType": "AES256", "kmsKey": TEAM}

    assert create("AES256")["encryptionConfiguration"] == {"encryptionType": "AES256"}
    assert refusal(create, kind="AES256", key=TEAM) == invalid("encryptionConfiguration", reason)
    assert refusal(of_template, encryptionConfiguration=keyed) == invalid("encryptionConfiguration", reason)


def test_layers_are_mounted_only_between_repositories_with_the_same_encryption(
    ecr: Any, keyed: Server, create: Callable[..., Any]
) -> None:
    """ECR user guide, "Blob mounting": "identical encryption type and key"."""
    docker = Docker(keyed.host, keyed.port, docker_password(ecr))
    blob = layer()
    plain, managed, team = create("AES256"), create("KMS"), create("KMS", TEAM)
    docker.push_blob(team["repositoryName"], blob)

    def mount(into: Any, source: str) -> int:
        return docker.post(f"/v2/{into['repositoryName']}/blobs/uploads/?mount={blob.digest}{source}").status

    for source in ("", f"&from={team['repositoryName']}"):
        assert mount(plain, source) == 202
        assert mount(managed, source) == 202
        assert mount(create("KMS_DSSE", TEAM), source) == 202
        assert mount(create("KMS", "alias/team/registry"), source) == 201


@pytest.mark.parametrize("entry", ["alias/team", "key", f"team={TEAM}", f"alias/={TEAM}"])
def test_a_list_of_known_keys_without_a_key_stops_the_server(
    tmp_path_factory: pytest.TempPathFactory, entry: str
) -> None:
    server = Server(tmp_path_factory.mktemp("wrong") / "data")

    with pytest.raises(AssertionError, match="exit code 2"):
        server.start(extra_args=["--kms-key", entry])

    assert f"--kms-key is invalid: {entry!r} is neither the ARN of a KMS key nor alias/NAME=ARN" in server.output()
