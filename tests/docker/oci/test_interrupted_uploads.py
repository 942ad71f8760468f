"""A PATCH that is interrupted: a client that asks for the status continues behind what arrived, others repeat it."""

from __future__ import annotations

import pytest

from moorage.http.bodies import ClientGone
from tests.docker.oci.client import DISCONNECT, MALFORMED, Client, piece
from tests.docker.oci.test_uploads import CONTENT, begin, chunk
from tests.support.images import digest

SIZES = [1, 300_000, 2_500_000]


def interrupt(client: Client, location: str, *arrived: bytes, stall: bool = False, first: int | None = None) -> None:
    """A PATCH of which this arrives before the client disconnects or stalls."""
    headers = {} if first is None else {"content-range": f"{first}-{first + 9_999_999}"}
    body = [piece(content) for content in arrived]
    if stall:
        assert client.send("PATCH", location, body, headers, stall=True).status == 408
    else:
        with pytest.raises(ClientGone):
            client.send("PATCH", location, [*body, DISCONNECT], headers)


@pytest.mark.parametrize("stall", [False, True])
@pytest.mark.parametrize("has_range", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_a_client_that_asks_for_the_status_continues_an_interrupted_patch(
    root: Client, repository: str, size: int, has_range: bool, stall: bool
) -> None:
    location = begin(root, repository)
    chunk(root, location, 0, CONTENT)
    rest = bytes(range(256)) * (size // 100 + 1)
    arrived, missing = rest[:size], rest[size:] + b"the end"
    first = len(CONTENT)

    interrupt(root, location, arrived[:9], arrived[9:], stall=stall, first=first if has_range else None)
    status = root.get(location)
    again = root.get(location)

    end = first + size
    assert (status.status, status.headers["range"]) == (204, f"0-{end - 1}")
    assert again.headers["range"] == status.headers["range"]
    assert chunk(root, location, first, arrived).status == 416
    assert chunk(root, location, end, missing).status == 202
    name = digest(CONTENT + arrived + missing)
    assert root.send("PUT", f"{location}?digest={name}").status == 201
    assert root.get(f"/v2/{repository}/blobs/{name}").body == CONTENT + arrived + missing


@pytest.mark.parametrize("stall", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_a_client_that_repeats_an_interrupted_patch_does_not_send_bytes_twice(
    root: Client, repository: str, size: int, stall: bool
) -> None:
    """It did not ask for the status, so it knows of nothing that was kept."""
    location = begin(root, repository)
    chunk(root, location, 0, CONTENT)
    rest = bytes(range(256)) * (size // 100 + 1)

    interrupt(root, location, rest[:size], stall=stall)
    interrupt(root, location, rest[:size], stall=stall)
    repeated = root.send("PATCH", location, [piece(rest), piece(b"", more=False)])

    assert repeated.headers["range"] == f"0-{len(CONTENT + rest) - 1}"
    name = digest(CONTENT + rest)
    assert root.send("PUT", f"{location}?digest={name}").status == 201
    assert root.get(f"/v2/{repository}/blobs/{name}").body == CONTENT + rest


def test_a_put_completes_what_was_acknowledged_before_an_interruption(root: Client, repository: str) -> None:
    location = begin(root, repository)
    chunk(root, location, 0, CONTENT)

    interrupt(root, location, b"not acknowledged")

    assert root.send("PUT", f"{location}?digest={digest(CONTENT)}").status == 201
    assert root.get(f"/v2/{repository}/blobs/{digest(CONTENT)}").body == CONTENT


def test_kept_bytes_are_forgotten_before_they_are_overwritten(root: Client, repository: str) -> None:
    """A request that fails while it overwrites them leaves no bytes that the server could report to a client."""
    location = begin(root, repository)
    interrupt(root, location, CONTENT)

    malformed = root.send("PATCH", location, [piece(b"x" * 2_500_000), MALFORMED])

    assert malformed.status == 400
    assert root.get(location).headers["range"] == "0-0"


def test_an_interruption_before_the_first_byte_changes_nothing(root: Client, repository: str) -> None:
    location = begin(root, repository)
    before = root.world.trace()

    interrupt(root, location)
    interrupt(root, location, stall=True)

    assert root.world.trace() == before


def test_what_a_malformed_body_brought_is_not_kept(root: Client, repository: str) -> None:
    location = begin(root, repository)

    assert root.send("PATCH", location, [piece(b"x" * 2_500_000), MALFORMED]).status == 400

    assert root.get(location).headers["range"] == "0-0"
