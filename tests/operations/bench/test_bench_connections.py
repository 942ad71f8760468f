"""The epoll loop: framing, order, errors."""

from __future__ import annotations

import time

import pytest

from moorage_bench import connections
from moorage_bench.connections import BenchmarkError, Conversation, Request, Response, drive, exchange, in_turn, repeat
from tests.operations.bench.registry_stub import Answer, StubRequest, serving

GET = Request(b"GET /thing HTTP/1.1\r\nHost: stub\r\n\r\n")


def echo(request: StubRequest) -> Answer:
    return 200, {"X-Path": request.path}, request.body or request.path.encode()


def test_a_response_has_status_headers_and_body() -> None:
    with serving(echo) as address:
        response = exchange(address, GET)

    assert (response.status, response.header("x-path"), response.body) == (200, "/thing", b"/thing")
    assert response.header("x-other") is None


def test_the_response_to_a_head_request_has_a_length_and_no_body() -> None:
    with serving(lambda _: (200, {"Content-Length": "12345"}, b"")) as address:
        outcome = drive(address, [in_turn([Request(b"HEAD / HTTP/1.1\r\n\r\n")] * 3)])

    assert outcome.responses == 3


def test_a_conversation_receives_each_response_before_the_next_request() -> None:
    received: list[bytes] = []

    def talk(name: str) -> Conversation:
        for number in range(3):
            response = yield Request(f"GET /{name}{number} HTTP/1.1\r\n\r\n".encode())
            received.append(response.body)

    with serving(echo) as address:
        outcome = drive(address, [talk("a"), talk("b")])

    assert outcome.responses == 6
    assert [body for body in received if body.startswith(b"/a")] == [b"/a0", b"/a1", b"/a2"]


def test_a_large_body_and_a_large_response_arrive_whole() -> None:
    """Larger than the sockets' buffers in both directions, so both ends must wait for each other."""
    block = bytes(range(256)) * 4096
    head = f"PUT / HTTP/1.1\r\nContent-Length: {16 * len(block)}\r\n\r\n".encode()

    with serving(echo) as address:
        response = exchange(address, Request(head, (200,), [memoryview(block)] * 16))

    assert response.body == block * 16


def test_a_sink_receives_the_bytes_without_keeping_them() -> None:
    taken: list[int] = []
    with serving(lambda _: (200, {}, b"x" * 3_000_000)) as address:
        request = Request(GET.head, sink=lambda data: taken.append(len(data)))
        response = exchange(address, request)

    assert (sum(taken), response.length, response.body) == (3_000_000, 3_000_000, b"")


def test_a_head_that_arrives_in_pieces_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BUFFER", 7)
    with serving(echo) as address:
        response = exchange(address, GET)

    assert response.body == b"/thing"


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        (b"HTTP/1.1 401 No\r\nContent-Length: 6\r\n\r\nsecret", "GET /thing HTTP/1.1: answered 401: secret"),
        (b"HTTP/1.1 500 No\r\n\r\nbroken", "answered 500: broken"),
        (b"HTTP/1.1 200 OK\r\n\r\nabc", "without a Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc", "2 bytes more than its Content-Length of 1"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "not an HTTP response"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not an HTTP response"),
        (b"", "the server closed the connection"),
    ],
)
def test_an_unexpected_response_ends_the_measurement_with_its_text(wire: bytes, message: str) -> None:
    with serving(lambda _: wire) as address, pytest.raises(BenchmarkError, match=message):
        exchange(address, GET)


def test_an_error_names_the_operation() -> None:
    request = Request(b"POST / HTTP/1.1\r\nx-amz-target: Registry.PutImage\r\n\r\n")
    with (
        serving(lambda _: (400, {}, b"no")) as address,
        pytest.raises(BenchmarkError, match=r"Registry\.PutImage: answered"),
    ):
        exchange(address, request)


def test_an_unreachable_server_is_named() -> None:
    with serving(echo) as address:
        pass
    with pytest.raises(BenchmarkError, match=f"127.0.0.1:{address[1]} cannot be reached"):
        exchange(address, GET)


def test_a_silent_server_ends_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.05)
    incomplete = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
    with serving(lambda _: incomplete) as address, pytest.raises(BenchmarkError, match="no response for"):
        exchange(address, GET)


def test_repeating_ends_at_the_given_time() -> None:
    started = time.perf_counter()
    with serving(echo) as address:
        outcome = drive(address, [repeat(GET, 0.1), repeat(GET, 0.1)])

    assert outcome.responses > 2
    assert 0.1 <= outcome.seconds <= time.perf_counter() - started
    assert outcome.processor_seconds > 0


def test_the_tick_is_called_during_a_slow_response(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "TICK", 0.01)
    ticks: list[int] = []

    def slow(_: StubRequest) -> Answer:
        while len(ticks) < 3:
            time.sleep(0.005)
        return 200, {}, b""

    with serving(slow) as address:
        drive(address, [in_turn([GET])], lambda: ticks.append(1))

    assert len(ticks) >= 3


def test_a_header_is_found_in_any_case() -> None:
    assert Response(200, b"HTTP/1.1 200 OK\r\nLOCATION:  /a \r\n\r\n", b"", 0).header("location") == "/a"
