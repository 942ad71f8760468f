"""HTTP messages to receivers that respond, that do not respond, and that are hostile."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from moorage.adapters.event_senders import EventSenders
from moorage.adapters.http_sender import HttpSender
from moorage.domain.ports import Message, MessageRejected, TargetUnavailable, TargetUrlInvalid
from tests.support.ports import free_port
from tests.support.receiver import receiving
from tests.support.waiting import wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The URL of a server that calls `answer` for each connection after the head of a request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:  # The test is over.
                    return
                with connection:
                    connection.recv(65536)
                    answer(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)


def send(url: str, times: int = 1) -> list[str]:
    async def run() -> list[str]:
        with closing(HttpSender().connect(url)) as connection:
            return [await connection.send(Message(b"{}", {"x-number": str(number)})) for number in range(times)]

    return asyncio.run(run())


def test_messages_of_a_connection_share_it() -> None:
    with receiving() as receiver:
        assert send(receiver.url, times=3) == ["200", "200", "200"]

        assert [message.headers["x-number"] for message in receiver.messages] == ["0", "1", "2"]
        assert {message.headers["user-agent"] for message in receiver.messages} == {"moorage"}
        assert receiver.connections == 1


def test_a_connection_that_the_receiver_closed_is_opened_again() -> None:
    with answering(lambda connection: connection.sendall(OK)) as url:
        assert send(url, times=3) == ["200", "200", "200"]


@pytest.mark.parametrize("status", [500, 503, 599, 401, 407, 408, 409, 425, 429])
def test_a_temporary_status_means_that_the_receiver_is_unavailable(status: int) -> None:
    with receiving() as receiver:
        receiver.answers.append(status)

        with pytest.raises(TargetUnavailable, match=f"the receiver answered {status}"):
            send(receiver.url)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 403, 404, 410, 413, 422])
def test_a_permanent_status_rejects_the_message(status: int) -> None:
    with receiving() as receiver:
        receiver.answers.append(status)

        with pytest.raises(MessageRejected, match=f"the receiver answered {status}"):
            send(receiver.url)


def test_redirects_are_not_followed() -> None:
    with receiving() as receiver:
        receiver.answers.append(307)

        with pytest.raises(MessageRejected):
            send(receiver.url)
        assert len(receiver.messages) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "Remote end closed connection without response|Connection reset by peer"),
        (b"220 mail.example.org ESMTP\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"\r\n", "not HTTP"),
    ],
)
def test_a_broken_response_is_not_a_success(answer: bytes, reason: str) -> None:
    with (
        answering(lambda connection: connection.sendall(answer)) as url,
        pytest.raises(TargetUnavailable, match=reason),
    ):
        send(url)


def test_a_refused_connection_is_reported_by_its_reason() -> None:
    with pytest.raises(TargetUnavailable, match="Connection refused"):
        send(f"http://127.0.0.1:{free_port()}/")


def test_an_unknown_host_name_is_reported_by_its_reason() -> None:
    with pytest.raises(TargetUnavailable):
        send("http://receiver.invalid/")


def test_an_endless_response_is_not_read_to_its_end() -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                connection.sendall(bytes(65536))
        except OSError:
            return

    with answering(endless) as url:
        assert send(url) == ["200"]


def test_a_cancelled_message_ends_at_once() -> None:
    """As when the server stops: the waiting coroutine is woken, and no thread remains."""

    async def run(url: str) -> float:
        with closing(HttpSender().connect(url)) as connection:
            started = time.monotonic()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await connection.send(Message(b"{}", {}))
            return time.monotonic() - started

    test_is_over = threading.Event()

    def never(_: socket.socket) -> None:
        test_is_over.wait()

    with answering(never) as url:
        assert asyncio.run(run(url)) < 60
        wait_until(lambda: all(thread.name != "http-sender" for thread in threading.enumerate()))
        test_is_over.set()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "file:///etc/passwd",
        "http:///nowhere",
        "//example.org/",
        "http://example.org:99999/",
        "http://example.org:x/",
        "http://[::1/",
        "http://example.org/#part",
        "https://user@example.org/",
    ],
)
def test_an_unusable_url_is_rejected(url: str) -> None:
    for sender in (HttpSender(), EventSenders()):
        with pytest.raises(TargetUrlInvalid, match="URL"):
            sender.check(url)


def test_a_url_without_a_sender_makes_the_target_unavailable() -> None:
    """As on a node that is older than the node where the target was added."""
    with pytest.raises(TargetUnavailable, match="this version of Moorage cannot send to nats"):
        EventSenders().connect("nats://example.org/")
