"""UploadLayerPart: which parts an upload accepts, and the errors for the others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.ecr.pushing import begin, complete, send_part
from tests.api.ecr.refusals import invalid
from tests.api.ecr.wire import ACCOUNT, Wire, refusal
from tests.support.images import digest

MAXIMUM = 20_971_520


def part_refused(ecr: Any, repository: str, upload: str, first: int, part: bytes, last: int | None = None) -> str:
    """The message of InvalidLayerPartException, after a check of its other members."""
    with pytest.raises(ecr.exceptions.InvalidLayerPartException) as raised:
        ecr.upload_layer_part(
            repositoryName=repository,
            uploadId=upload,
            partFirstByte=first,
            partLastByte=first + len(part) - 1 if last is None else last,
            layerPartBlob=part,
        )
    answer = raised.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert (answer["registryId"], answer["repositoryName"], answer["uploadId"]) == (ACCOUNT, repository, upload)
    return f"{answer['lastValidByteReceived']}: {answer['message']}"


@pytest.fixture
def upload(ecr: Any, repository: str) -> str:
    return begin(ecr, repository)


def test_a_repeated_part_is_rejected_and_changes_nothing(ecr: Any, repository: str, upload: str) -> None:
    send_part(ecr, repository, upload, 0, b"0123456789")

    refused = part_refused(ecr, repository, upload, 0, b"0123456789")
    overlapping = part_refused(ecr, repository, upload, 5, b"56789abcde")
    send_part(ecr, repository, upload, 10, b"abc")

    assert refused == "9: First byte of the layer part is 0 instead of 10"
    assert overlapping == "9: First byte of the layer part is 5 instead of 10"
    assert part_refused(ecr, repository, upload, 0, b"x") == "12: First byte of the layer part is 0 instead of 13"


def test_a_part_after_a_gap_is_rejected_with_the_last_valid_byte(ecr: Any, repository: str, upload: str) -> None:
    """For an upload without parts the last valid byte is 0, because the shape does not allow -1."""
    refused = part_refused(ecr, repository, upload, 1, b"x")
    send_part(ecr, repository, upload, 0, b"0123456789")

    assert refused == "0: First byte of the layer part is 1 instead of 0"
    assert part_refused(ecr, repository, upload, 11, b"x") == "9: First byte of the layer part is 11 instead of 10"


@pytest.mark.parametrize(("part", "last"), [(b"12345", 5), (b"12345", 3), (b"", 0), (b"12345", 2**63 - 1)])
def test_a_part_must_be_as_long_as_its_byte_range(
    ecr: Any, repository: str, upload: str, part: bytes, last: int
) -> None:
    refused = part_refused(ecr, repository, upload, 0, part, last)

    assert refused == f"0: The layer part has {len(part)} bytes, not the {last + 1} from byte 0 to byte {last}"
    send_part(ecr, repository, upload, 0, b"all is well")


def test_a_part_that_ends_before_it_begins_is_rejected(ecr: Any, repository: str, upload: str) -> None:
    send_part(ecr, repository, upload, 0, b"01234")

    refused = part_refused(ecr, repository, upload, 5, b"", 4)

    assert refused == "4: The layer part ends at byte 4 before it begins at byte 5"


def test_a_part_has_at_most_20_mib(ecr: Any, unchecked: Any, repository: str, upload: str) -> None:
    part = bytes(MAXIMUM)
    send_part(ecr, repository, upload, 0, part)

    refused = refusal(
        unchecked.upload_layer_part,
        repositoryName=repository,
        uploadId=upload,
        partFirstByte=MAXIMUM,
        partLastByte=2 * MAXIMUM,
        layerPartBlob=part + b"\0",
    )

    assert refused == invalid("layerPartBlob", f"Member must have length less than or equal to {MAXIMUM}")
    assert complete(ecr, repository, upload, digest(part))["layerDigest"] == digest(part)


@pytest.mark.parametrize(
    ("blob", "expected"),
    [
        ("!not base64!", invalid("layerPartBlob", "Member must be valid base64")),
        ("QUJ", invalid("layerPartBlob", "Member must be valid base64")),
        ("QUJD\n", invalid("layerPartBlob", "Member must be valid base64")),
        ("QUJD_-==", invalid("layerPartBlob", "Member must be valid base64")),
        ("ÄÖÜ=", invalid("layerPartBlob", "Member must be valid base64")),
        (None, invalid("layerPartBlob", "Member must not be null")),
        (7, (400, "SerializationException", "NUMBER_VALUE cannot be converted to Blob")),
        (["QUJD"], (400, "SerializationException", "Start of list found where not expected")),
    ],
)
def test_a_part_that_is_not_base64_is_rejected(
    wire: Wire, repository: str, upload: str, blob: Any, expected: Any
) -> None:
    request = {"repositoryName": repository, "uploadId": upload, "partFirstByte": 0, "partLastByte": 2}

    refused = wire.call("UploadLayerPart", {**request, "layerPartBlob": blob}).refusal

    assert refused == expected


@pytest.mark.parametrize("member", ["partFirstByte", "partLastByte"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("0", "STRING_VALUE cannot be converted to Long"),
        (0.0, "NUMBER_VALUE cannot be converted to Long"),
        (2**63, "NUMBER_VALUE cannot be converted to Long"),
        (True, "TRUE_VALUE cannot be converted to Long"),
    ],
)
def test_the_byte_range_of_a_part_consists_of_whole_numbers(
    wire: Wire, repository: str, upload: str, member: str, value: Any, message: str
) -> None:
    request = {"repositoryName": repository, "uploadId": upload, "partFirstByte": 0, "partLastByte": 0}

    refused = wire.call("UploadLayerPart", {**request, "layerPartBlob": "QQ==", member: value}).refusal
    negative = wire.call("UploadLayerPart", {**request, "layerPartBlob": "QQ==", member: -1}).refusal

    assert refused == (400, "SerializationException", message)
    assert negative == invalid(member, "Member must have value greater than or equal to 0")
