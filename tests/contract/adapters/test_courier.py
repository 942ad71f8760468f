"""Messages over HTTP to receivers that answer, that do not, and that mean no good."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from moorage.adapters.http_sender import HttpCourier
from moorage.domain.ports import Unreachable
from tests.support.ports import free_port
from tests.support.receiver import receiving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The URL of a server that does `answer` with each connection, after the head of a request came in."""
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


def post(url: str, times: int = 1) -> list[int]:
    async def run() -> list[int]:
        with closing(HttpCourier().line(url)) as line:
            return [await line.post(b"{}", {"x-number": str(number)}) for number in range(times)]

    return asyncio.run(run())


def test_messages_of_a_line_share_a_connection() -> None:
    with receiving() as receiver:
        assert post(receiver.url, times=3) == [200, 200, 200]

        assert [message.headers["x-number"] for message in receiver.messages] == ["0", "1", "2"]
        assert receiver.connections == 1


def test_a_connection_that_the_receiver_closed_is_opened_again() -> None:
    with answering(lambda connection: connection.sendall(OK)) as url:
        assert post(url, times=3) == [200, 200, 200]


def test_redirects_are_not_followed() -> None:
    with receiving() as receiver:
        receiver.answers.append(307)

        assert post(receiver.url) == [307]
        assert len(receiver.messages) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "Remote end closed connection without response|Connection reset by peer"),
        (b"220 mail.example.org ESMTP\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"\r\n", "no HTTP"),
    ],
)
def test_what_is_no_answer_is_no_success(answer: bytes, reason: str) -> None:
    with answering(lambda connection: connection.sendall(answer)) as url, pytest.raises(Unreachable, match=reason):
        post(url)


def test_nobody_at_the_address_is_told_in_words() -> None:
    with pytest.raises(Unreachable, match="Connection refused"):
        post(f"http://127.0.0.1:{free_port()}/")


def test_a_name_that_does_not_exist_is_told_in_words() -> None:
    with pytest.raises(Unreachable):
        post("http://receiver.invalid/")


def test_an_endless_answer_is_not_read_to_its_end() -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                connection.sendall(bytes(65536))
        except OSError:
            return

    with answering(endless) as url:
        assert post(url) == [200]


def test_a_line_that_is_given_up_comes_back_at_once() -> None:
    """As when the server stops: whoever waits for an answer is woken, and no thread stays behind."""

    async def run(url: str) -> float:
        with closing(HttpCourier().line(url)) as line:
            started = time.monotonic()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await line.post(b"{}", {})
            return time.monotonic() - started

    with answering(lambda connection: time.sleep(3)) as url:
        assert asyncio.run(run(url)) < 1
        end = time.monotonic() + 2
        while any(thread.name == "courier" for thread in threading.enumerate()):
            assert time.monotonic() < end
            time.sleep(0.01)
