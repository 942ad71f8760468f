"""Requests and responses on one connection: keep-alive, pipelines, bodies, early responses, and what is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest

from moorage.domain.errors import MalformedBody
from moorage.http.bodies import RequestBody
from moorage.http.messages import RequestHead, Send
from moorage.http.server.parser import MalformedRequest, RequestParser
from tests.unit.http.connection import Client, answer, early, with_connection

GET = b"GET / HTTP/1.1\r\nhost: r\r\n\r\n"


def put(body: bytes, *lines: bytes) -> bytes:
    """A PUT with a Content-Length."""
    return b"\r\n".join([b"PUT / HTTP/1.1", b"host: r", b"content-length: %d" % len(body), *lines, b"", body])


def chunked(*chunks: bytes) -> bytes:
    """A PUT with a chunked body."""
    parts = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b"")]
    return b"PUT / HTTP/1.1\r\nhost: r\r\ntransfer-encoding: chunked\r\n\r\n" + b"".join(parts)


def bodies_of(data: bytes, count: int) -> list[bytes]:
    """The bodies of the responses to requests that are sent at once."""

    async def use(client: Client) -> list[bytes]:
        await client.send(data)
        return [(await client.response())[2] for _ in range(count)]

    bodies: list[bytes] = with_connection(use)
    return bodies


@pytest.mark.parametrize("size", [0, 1, 16_384, 3_000_000])
def test_requests_follow_each_other_on_a_connection(size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    async def use(client: Client) -> None:
        for request in (put(body), chunked(*[body[i : i + 32_768] for i in range(0, size, 32_768)]), put(body)):
            await client.send(request)
            assert (await client.response())[2] == body

    with_connection(use)


def test_requests_that_arrive_at_once_are_answered_in_their_order() -> None:
    assert bodies_of(put(b"one") + chunked(b"t", b"wo") + GET + put(b"four"), 4) == [b"one", b"two", b"", b"four"]


def test_a_request_that_arrives_byte_by_byte_is_complete_at_its_last_byte() -> None:
    async def use(client: Client) -> bytes:
        for byte in chunked(b"abc"):
            await client.send(bytes([byte]))
        return (await client.response())[2]

    assert with_connection(use) == b"abc"


@pytest.mark.parametrize("request_bytes", [put(b"abc", b"connection: upgrade", b"upgrade: h2c"), None])
def test_a_wish_to_upgrade_is_ignored(request_bytes: bytes | None) -> None:
    """As Java's clients send it with each first request."""
    upgrade = b"transfer-encoding: chunked\r\nconnection: upgrade\r\nupgrade: h2c"
    request = request_bytes or chunked(b"a", b"bc").replace(b"transfer-encoding: chunked", upgrade)

    assert bodies_of(request + put(b"next"), 2) == [b"abc", b"next"]


def test_a_client_that_waits_for_permission_to_send_the_body_gets_it() -> None:
    async def use(client: Client) -> tuple[int, bytes]:
        await client.send(put(b"", b"expect: 100-continue").replace(b"length: 0", b"length: 3"))
        status = (await client.response())[0]
        await client.send(b"abc")
        return status, (await client.response())[2]

    assert with_connection(use) == (100, b"abc")


def test_the_expectation_has_no_case() -> None:
    async def use(client: Client) -> int:
        await client.send(put(b"", b"Expect: 100-Continue").replace(b"length: 0", b"length: 3"))
        return (await client.response())[0]

    assert with_connection(use) == 100


def test_the_response_to_head_has_no_body_and_another_request_may_follow() -> None:
    async def serve(head: RequestHead, _: RequestBody, send: Send) -> None:
        await send(answer(200, head.method.encode()))

    async def use(client: Client) -> list[bytes]:
        await client.send(GET.replace(b"GET", b"HEAD") + GET)
        return [line for line in (await client.until(b"GET")).split(b"\r\n") if not line.startswith(b"date")]

    head = [b"HTTP/1.1 200 OK", b"content-length: 4", b"", b"HTTP/1.1 200 OK", b"content-length: 3", b"", b"GET"]
    assert with_connection(use, serve) == head


def test_a_refused_client_that_waits_for_permission_gets_the_refusal_instead() -> None:
    async def use(client: Client) -> tuple[int, str]:
        await client.send(put(b"", b"expect: 100-continue").replace(b"length: 0", b"length: 3"))
        status, headers, _ = await client.response()
        return status, headers["connection"]

    assert with_connection(use, early) == (403, "close")


@pytest.mark.parametrize("size", [1, 100_000, 1_000_000])
def test_an_early_response_arrives_while_the_body_is_sent(size: int) -> None:
    """The client sends its whole body before it reads, as many do."""

    async def use(client: Client) -> tuple[int, str, bytes]:
        await client.send(put(bytes(size)))
        status, headers, _ = await client.response()
        client.close_sending()
        return status, headers["connection"], await client.rest()

    assert with_connection(use, early) == (403, "close", b"")


def test_a_client_that_never_stops_sending_after_an_early_response_is_disconnected() -> None:
    async def use(client: Client) -> None:
        await client.send(put(b"x").replace(b"length: 1", b"length: 999999999"))
        with suppress(ConnectionError):
            while True:
                await client.send(bytes(1 << 16))
        assert client.served.done()

    with_connection(use, early)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nhost: r\r\nx-a: " + b"a" * 70_000, 431),
        (b"GET / HTTP/1.1\r\nhost: r\r\n" + b"x-a: b\r\n" * 200 + b"\r\n", 431),
        (b"GET /" + b"a" * 90_000 + b" HTTP/1.1\r\nhost: r\r\n\r\n", 431),
        (b"PUT / HTTP/1.1\r\nhost: r\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"PUT / HTTP/1.1\r\nhost: r\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\nabc", 400),
        (b"PUT / HTTP/1.1\r\nhost: r\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd", 400),
        (b"PUT / HTTP/1.1\r\nhost: r\r\ncontent-length: -3\r\n\r\nabc", 400),
        (b"GET / HTTP/1.1\r\nhost: r\r\nx-a: b\r\n c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nhost: r\n\n", 400),
        (b"GET / HTTP/1.1\r\nhost : r\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ],
)
def test_bytes_that_are_no_valid_request_are_refused(request_bytes: bytes, status: int) -> None:
    async def use(client: Client) -> tuple[int, str]:
        await client.send(request_bytes)
        found, headers, _ = await client.response()
        return found, headers["connection"]

    assert with_connection(use) == (status, "close")


def test_a_large_head_behind_a_body_is_refused_although_it_arrives_in_one_read() -> None:
    parser = RequestParser()
    parser.feed(b"PUT / HTTP/1.1\r\nhost: r\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")

    with pytest.raises(MalformedRequest, match="too large"):
        parser.feed(b"0\r\n\r\nGET / HTTP/1.1\r\nhost: r\r\nx-a: " + b"a" * 400_000 + b"\r\n\r\n")


@pytest.mark.parametrize("rest", [b"zz\r\nab\r\n0\r\n\r\n", b"5\r\nabc\r\n0\r\n\r\n", b"-1\r\n", b"1 x\r\na\r\n"])
def test_a_malformed_chunk_is_the_clients_error(rest: bytes) -> None:
    statuses = []

    async def receive(_: RequestHead, body: RequestBody, send: Send) -> None:
        try:
            await body.whole(100)
        except MalformedBody:
            statuses.append(400)
            await send(answer(400))

    async def use(client: Client) -> str:
        await client.send(b"PUT / HTTP/1.1\r\nhost: r\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await client.send(rest)
        return (await client.response())[1]["connection"]

    assert with_connection(use, receive) == "close"


def test_trailers_are_ignored_but_not_without_limit() -> None:
    trailer = b"PUT / HTTP/1.1\r\nhost: r\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n%b\r\n"

    assert bodies_of(trailer % b"x-a: b\r\n", 1) == [b"a"]

    async def use(client: Client) -> int:
        await client.send(trailer % (b"x-a: b\r\n" * 200))
        return (await client.response())[0]

    assert with_connection(use) == 431


def test_http_1_0_ends_the_connection_after_the_response() -> None:
    async def use(client: Client) -> tuple[str, bytes]:
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        return (await client.response())[1]["connection"], await client.rest()

    assert with_connection(use) == ("close", b"")
