"""InitiateLayerUpload, UploadLayerPart and CompleteLayerUpload: the life of an upload and the order of its checks."""

from __future__ import annotations

import os
import random
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.ecr.conftest import KeyedUser
from tests.api.ecr.pushing import MINIMUM, begin, complete, send_part, send_two_bytes, upload_layer
from tests.api.ecr.refusals import invalid, no_repository, no_upload
from tests.api.ecr.wire import ACCOUNT, Wire, refusal
from tests.support.databases import engine_of
from tests.support.images import digest
from tests.support.server import Server

NOWHERE = "00000000-0000-4000-8000-000000000000"


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture
def upload(ecr: Any, repository: str) -> str:
    return begin(ecr, repository)


def test_an_upload_begins_with_an_id_and_a_part_size(wire: Wire, repository: str) -> None:
    answer = wire.call("InitiateLayerUpload", {"repositoryName": repository}).json()

    assert answer.keys() == {"uploadId", "partSize"}
    assert answer["partSize"] == 10_485_760
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", answer["uploadId"])


def test_a_layer_exists_as_soon_as_its_upload_is_complete(ecr: Any, repository: str, upload: str) -> None:
    first, second, last = noise(MINIMUM, 1), noise(MINIMUM + 77, 2), b"the rest"
    name = digest(first + second + last)

    answers = [
        send_part(ecr, repository, upload, 0, first),
        send_part(ecr, repository, upload, MINIMUM, second),
        send_part(ecr, repository, upload, 2 * MINIMUM + 77, last),
    ]
    completed = complete(ecr, repository, upload, name)

    assert [answer["lastByteReceived"] for answer in answers] == [MINIMUM - 1, 2 * MINIMUM + 76, 2 * MINIMUM + 84]
    assert {(answer["registryId"], answer["repositoryName"], answer["uploadId"]) for answer in answers} == {
        (ACCOUNT, repository, upload)
    }
    completed.pop("ResponseMetadata")
    assert completed == {
        "registryId": ACCOUNT,
        "repositoryName": repository,
        "uploadId": upload,
        "layerDigest": name,
    }
    layers = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[name])["layers"]
    assert layers == [{"layerDigest": name, "layerAvailability": "AVAILABLE", "layerSize": 2 * MINIMUM + 85}]


def test_a_single_small_part_is_a_layer(ecr: Any, repository: str) -> None:
    """Especially the two bytes `{}`, OCI's empty descriptor."""
    assert upload_layer(ecr, repository, b"{}") == digest(b"{}")


def test_an_upload_without_parts_cannot_be_completed(ecr: Any, repository: str, upload: str) -> None:
    """Not even the empty layer with its correct digest: ECR has no layer of 0 bytes."""
    with pytest.raises(ecr.exceptions.EmptyUploadException) as raised:
        complete(ecr, repository, upload, digest(b""))

    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert raised.value.response["message"] == (
        f"The upload with id '{upload}' in the repository with name '{repository}' in registry with id '{ACCOUNT}' "
        "cannot be completed because it does not have any parts"
    )
    send_part(ecr, repository, upload, 0, b"later")
    complete(ecr, repository, upload, digest(b"later"))


def test_a_short_part_before_the_last_is_rejected_at_completion(ecr: Any, repository: str, upload: str) -> None:
    """Not when it arrives, because it could be the last part. The check comes before that of the digest."""
    send_part(ecr, repository, upload, 0, bytes(MINIMUM - 1))
    send_part(ecr, repository, upload, MINIMUM - 1, b"x")

    with pytest.raises(ecr.exceptions.LayerPartTooSmallException) as raised:
        complete(ecr, repository, upload, digest(b"something else"))

    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert raised.value.response["message"] == "All layer parts except the last part should be at least 5MB"


def test_a_wrong_digest_ends_the_upload(ecr: Any, repository: str, upload: str) -> None:
    send_part(ecr, repository, upload, 0, b"content")

    with pytest.raises(ecr.exceptions.InvalidLayerException) as raised:
        complete(ecr, repository, upload, digest(b"other"), "sha256:" + digest(b"content")[7:].upper())

    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    message = "None of the provided layer digests match the calculated layer digest"
    assert raised.value.response["message"] == message
    request = {"repositoryName": repository, "uploadId": upload, "layerDigests": [digest(b"content")]}
    assert refusal(ecr.complete_layer_upload, **request) == no_upload(upload, repository)
    layers = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest(b"content")])
    assert layers["layers"][0]["layerAvailability"] == "UNAVAILABLE"


@pytest.mark.parametrize(
    "digests",
    [
        [digest(b"wrong"), digest(b"any of several")],
        [digest(b"any of several", "sha512"), digest(b"wrong")],
        ["tarsum.v1+sha256:abcdef", digest(b"any of several")],
        ["tarsum.v1+sha256:abcdef"],
    ],
    ids=["the second", "another algorithm", "after an unknown one", "unknown ones only"],
)
def test_one_of_the_digests_must_match(ecr: Any, repository: str, upload: str, digests: list[str]) -> None:
    """Digests of an algorithm that ECR does not support are not compared, as in its documented example."""
    send_part(ecr, repository, upload, 0, b"any of several")

    accepted = complete(ecr, repository, upload, *digests)["layerDigest"]

    assert accepted in {digest(b"any of several"), digest(b"any of several", "sha512")}


@pytest.mark.parametrize(
    ("digests", "constraint"),
    [
        ([], "Member must have length greater than or equal to 1"),
        ([digest(b"x")] * 101, "Member must have length less than or equal to 100"),
        (
            ["no digest"],
            (
                "Member must satisfy constraint: "
                "[Member must satisfy regular expression pattern: [a-zA-Z0-9-_+.]+:[a-fA-F0-9]+]"
            ),
        ),
    ],
)
def test_an_upload_is_completed_with_1_to_100_digests(
    unchecked: Any, repository: str, upload: str, digests: list[str], constraint: str
) -> None:
    refused = refusal(unchecked.complete_layer_upload, repositoryName=repository, uploadId=upload, layerDigests=digests)

    assert refused == invalid("layerDigests", constraint)


def test_completing_a_layer_that_the_repository_has_fails_and_ends_the_upload(ecr: Any, repository: str) -> None:
    name = upload_layer(ecr, repository, b"twice")
    again = begin(ecr, repository)
    send_part(ecr, repository, again, 0, b"twice")
    request = {"repositoryName": repository, "uploadId": again, "layerDigests": [name]}

    assert refusal(ecr.complete_layer_upload, **request) == (
        400,
        "LayerAlreadyExistsException",
        (
            f"The layer with digest '{name}' already exists in the repository with name '{repository}' "
            f"in registry with id '{ACCOUNT}'"
        ),
    )
    assert refusal(ecr.complete_layer_upload, **request) == no_upload(again, repository)


def test_a_layer_of_another_repository_is_uploaded_as_new(ecr: Any, new_repository: Callable[[], str]) -> None:
    first, second = new_repository(), new_repository()

    assert upload_layer(ecr, first, b"in two places") == upload_layer(ecr, second, b"in two places")


def test_the_upload_does_not_exist_after_its_completion(ecr: Any, repository: str, upload: str) -> None:
    send_part(ecr, repository, upload, 0, b"complete")
    complete(ecr, repository, upload, digest(b"complete"))
    part = {"partFirstByte": 8, "partLastByte": 8, "layerPartBlob": b"x"}
    request = {"repositoryName": repository, "uploadId": upload}

    assert refusal(ecr.upload_layer_part, **request, **part) == no_upload(upload, repository)
    assert refusal(ecr.complete_layer_upload, **request, layerDigests=[digest(b"x")]) == no_upload(upload, repository)


def test_the_repository_is_checked_before_the_upload(ecr: Any, upload: str) -> None:
    nowhere = {"repositoryName": "tests/not-there", "uploadId": upload}
    part = {"partFirstByte": 7, "partLastByte": 7, "layerPartBlob": b"x"}

    assert refusal(ecr.initiate_layer_upload, repositoryName="tests/not-there") == no_repository("tests/not-there")
    assert refusal(ecr.upload_layer_part, **nowhere, **part) == no_repository("tests/not-there")
    assert refusal(ecr.complete_layer_upload, **nowhere, layerDigests=["a:0"]) == no_repository("tests/not-there")


def upload_is_unknown(ecr: Any, repository: str, upload: str) -> bool:
    part = {"partFirstByte": 0, "partLastByte": 0, "layerPartBlob": b"x"}
    request = {"repositoryName": repository, "uploadId": upload}
    refused = [
        refusal(ecr.upload_layer_part, **request, **part),
        refusal(ecr.complete_layer_upload, **request, layerDigests=[digest(b"x")]),
    ]
    return refused == [no_upload(upload, repository)] * 2


def test_an_unknown_upload_is_rejected(ecr: Any, repository: str) -> None:
    assert upload_is_unknown(ecr, repository, str(uuid.uuid4()))


def test_an_upload_of_another_repository_is_unknown(ecr: Any, new_repository: Callable[[], str]) -> None:
    first, second = new_repository(), new_repository()
    upload = begin(ecr, first)

    assert upload_is_unknown(ecr, second, upload)
    send_part(ecr, first, upload, 0, b"the owner continues")


def test_an_upload_of_another_user_is_unknown(ecr: Any, repository: str, upload: str, colleague: KeyedUser) -> None:
    theirs = begin(colleague.ecr, repository)

    assert upload_is_unknown(colleague.ecr, repository, upload)
    assert upload_is_unknown(ecr, repository, theirs)
    send_part(colleague.ecr, repository, theirs, 0, b"the owner continues")


@pytest.mark.parametrize("upload_id", ["", "1", "../../etc/passwd", NOWHERE + "\n"])
def test_an_invalid_upload_id_is_rejected(unchecked: Any, repository: str, upload_id: str) -> None:
    refused = refusal(
        unchecked.complete_layer_upload, repositoryName=repository, uploadId=upload_id, layerDigests=[digest(b"x")]
    )

    pattern = "-".join(f"[0-9a-fA-F]{{{count}}}" for count in (8, 4, 4, 4, 12))
    assert refused == invalid("uploadId", f"Member must satisfy regular expression pattern: {pattern}")


def change_upload(server: Server, upload: str, column: str, value: int) -> None:
    """Give an upload a state that would take too long to create."""
    changed = engine_of(server.data).transact(
        lambda tx: tx.run(f"UPDATE upload SET {column} = :value WHERE id = :id", value=value, id=upload)
    )
    assert changed == 1


def test_an_upload_that_began_long_ago_is_unknown(ecr: Any, server: Server, repository: str, upload: str) -> None:
    send_two_bytes(ecr, repository, upload)

    change_upload(server, upload, "created_at", 0)

    assert upload_is_unknown(ecr, repository, upload)


def test_an_upload_has_at_most_4200_parts(ecr: Any, server: Server, repository: str, upload: str) -> None:
    send_two_bytes(ecr, repository, upload)
    change_upload(server, upload, "parts", 4_200)

    refused = refusal(
        ecr.upload_layer_part,
        repositoryName=repository,
        uploadId=upload,
        partFirstByte=2,
        partLastByte=2,
        layerPartBlob=b"z",
    )

    message = "The upload has the maximum number of layer parts: 4200"
    assert refused == (400, "LimitExceededException", message)


def test_a_layer_has_at_most_52000_mib(ecr: Any, server: Server, repository: str, upload: str) -> None:
    limit = 52_000 * 1024 * 1024
    send_two_bytes(ecr, repository, upload)
    os.truncate(server.data / "uploads" / upload, limit - 3)
    change_upload(server, upload, "size", limit - 3)

    refused = refusal(send_part, ecr=ecr, repository=repository, upload=upload, first=limit - 3, part=b"1234")

    assert refused == (400, "LimitExceededException", f"A layer must not be larger than {limit} bytes")
    send_part(ecr, repository, upload, limit - 3, b"123")


def test_an_upload_is_deleted_with_its_repository(ecr: Any, repository: str, upload: str) -> None:
    ecr.delete_repository(repositoryName=repository)
    ecr.create_repository(repositoryName=repository)

    assert upload_is_unknown(ecr, repository, upload)


def test_uploads_of_one_repository_can_be_concurrent(ecr: Any, repository: str) -> None:
    uploads = [begin(ecr, repository) for _ in range(5)]
    for number, each in enumerate(uploads):
        send_part(ecr, repository, each, 0, b"side by side %d" % number)

    for number, each in reversed(list(enumerate(uploads))):
        complete(ecr, repository, each, digest(b"side by side %d" % number))
