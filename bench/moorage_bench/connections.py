"""Keep-alive HTTP/1.1 connections in one epoll loop: the part of the benchmark that must cost almost nothing.

The load generator shares the machine with the server that it measures, so it uses no HTTP library. A request is bytes
that were made in advance. A response is a status, a Content-Length and a body. A `Conversation` is a generator: it
yields a `Request` and receives the `Response`. So a push of three dependent requests reads from top to bottom, and
still runs at the same time as fifteen others.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

PATIENCE = 60.0
"""Seconds without a byte on any connection, after which the measurement fails."""

LIMIT = 900.0
"""Seconds that one measurement may take."""

BUFFER = 1 << 20
TICK = 0.1


class BenchmarkError(Exception):
    """The measurement failed: an unexpected response, a closed connection, or no data."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to send. `head` can contain a small body; `body` has the blocks of a large one.

    Any status that is not `expected` ends the measurement. A `sink` receives the bytes of a large response, which are
    then not kept.
    """

    head: bytes
    expected: tuple[int, ...] = (200,)
    body: Sequence[memoryview] = ()
    sink: Callable[[memoryview], object] | None = None


@dataclass(slots=True)
class Response:
    """A response: status, header block as received, and body (empty if the request had a sink)."""

    status: int
    head: bytes
    body: bytes
    length: int

    def header(self, name: str) -> str | None:
        """The value of a header, or None; `name` has lower case."""
        start = self.head.lower().find(b"\r\n" + name.encode() + b":")
        if start < 0:
            return None
        start += len(name) + 3
        return self.head[start : self.head.index(b"\r\n", start)].strip().decode("latin-1")


Conversation = Generator[Request, Response, None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one run of the loop: responses, seconds, and seconds of this process's processor time."""

    responses: int
    seconds: float
    processor_seconds: float


class Connection:
    """One socket, its conversation, and the progress of the current request and response."""

    __slots__ = (
        "_broken",
        "_chunks",
        "_head",
        "_partial",
        "_remaining",
        "conversation",
        "pending",
        "request",
        "socket",
        "writing",
    )

    def __init__(self, address: tuple[str, int], conversation: Conversation, *, source: str = "") -> None:
        self.socket = socket.create_connection(address, PATIENCE, (source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.conversation = conversation
        self.request = Request(b"")
        self.pending: deque[memoryview] = deque()
        self.writing = False
        self._broken = False
        self._partial = b""
        self._head: Response | None = None
        self._remaining = 0
        self._chunks: list[bytes] = []

    def submit(self, request: Request) -> None:
        """Start the next request: send as much as the socket accepts at once."""
        self.request = request
        if request.body:
            self.pending.append(memoryview(request.head))
            self.pending.extend(request.body)
            self.send()
            return
        sent = self._send(request.head)
        if sent < len(request.head):
            self.pending.append(memoryview(request.head)[sent:])

    def send(self) -> None:
        """Send one block, or the part that the socket accepts. One block a turn keeps parallel uploads even."""
        block = self.pending.popleft()
        sent = self._send(block)
        if sent < len(block):
            self.pending.appendleft(block[sent:])

    def _send(self, block: bytes | memoryview) -> int:
        try:
            return self.socket.send(block)
        except BlockingIOError:
            return 0
        except (BrokenPipeError, ConnectionResetError):
            # A server may reject a request and close before it has read everything. The response, if any, is read
            # next, and the measurement fails with its text.
            self.pending.clear()
            self._broken = True
            return len(block)

    def receive(self, buffer: bytearray, view: memoryview) -> Response | None:
        """Read once. Return the response when it is complete. Raises BenchmarkError for an unexpected status."""
        try:
            count = self.socket.recv_into(buffer)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            count = 0
        if not count:
            raise self.failure("the server closed the connection")
        if self._head is not None:
            return self._take(self._head, view[:count])
        if self._partial:
            return self._begin(self._partial + bytes(view[:count]))
        end = buffer.find(b"\r\n\r\n", 0, count) + 4
        if end < 4:
            self._partial = bytes(view[:count])
            return None
        return self._open(bytes(view[:end]), view[end:count])

    def _begin(self, data: bytes) -> Response | None:
        end = data.find(b"\r\n\r\n") + 4
        if end < 4:
            self._partial = data
            return None
        self._partial = b""
        return self._open(data[:end], memoryview(data)[end:])

    def _open(self, head: bytes, rest: memoryview) -> Response | None:
        request = self.request
        if head[:7] != b"HTTP/1." or not head[9:12].isdigit():
            raise self.failure(f"not an HTTP response: {head[:100]!r}")
        status = int(head[9:12])
        start = head.lower().find(b"\r\ncontent-length:")
        if request.head[:5] == b"HEAD " or status in {204, 304}:
            length = 0
        elif start >= 0:
            length = int(head[start + 17 : head.index(b"\r\n", start + 17)])
        elif status not in request.expected:
            raise self.failure(f"answered {status}: {bytes(rest[:2000]).decode(errors='replace')}")
        else:
            raise self.failure(f"answered {status} without a Content-Length, which the benchmark does not support")
        response = Response(status, head, b"", length)
        self._remaining = length
        return self._take(response, rest)

    def _take(self, response: Response, data: memoryview) -> Response | None:
        remaining = self._remaining - len(data)
        if remaining < 0:
            raise self.failure(f"sent {-remaining} bytes more than its Content-Length of {response.length}")
        if self.request.sink is not None and response.status in self.request.expected:
            self.request.sink(data)
        elif remaining or self._chunks:
            self._chunks.append(bytes(data))
        else:
            response.body = bytes(data)
        if remaining:
            self._remaining = remaining
            self._head = response
            return None
        return self._complete(response)

    def _complete(self, response: Response) -> Response:
        if self._chunks:
            response.body = b"".join(self._chunks)
            self._chunks.clear()
        self._head = None
        if response.status not in self.request.expected:
            text = response.body[:2000].decode(errors="replace") or response.head.decode("latin-1")
            raise self.failure(f"answered {response.status}: {text.strip()}")
        if self.pending or self._broken:
            raise self.failure(f"answered {response.status} before the whole request was sent")
        return response

    def failure(self, problem: str) -> BenchmarkError:
        """An error that names the server, the request line and the problem."""
        line = self.request.head.split(b"\r\n", 1)[0].decode("latin-1")
        if operation := re.search(rb"\r\nx-amz-target: *(\S+)", self.request.head):
            line += f" {operation[1].decode()}"
        with contextlib.suppress(OSError):
            peer = self.socket.getpeername()
            line = f"{peer[0]}:{peer[1]} {line}"
        return BenchmarkError(f"{line}: {problem}")


def drive(
    address: tuple[str, int], conversations: Sequence[Conversation], tick: Callable[[], object] | None = None
) -> Outcome:
    """Run the conversations at the same time, each on its own connection, which is opened before the clock starts.

    `tick` is called about every 100 ms. Raises BenchmarkError for an unexpected response or none in time.
    """
    with contextlib.ExitStack() as stack:
        connections = []
        for conversation in conversations:
            try:
                connection = Connection(address, conversation)
            except OSError as error:
                raise BenchmarkError(f"{address[0]}:{address[1]} cannot be reached: {error}") from error
            stack.callback(connection.socket.close)
            connections.append(connection)
        poll = stack.enter_context(select.epoll(len(connections) + 1))
        return _run(poll, connections, tick)


def _run(poll: select.epoll, connections: Sequence[Connection], tick: Callable[[], object] | None) -> Outcome:
    by_descriptor = {connection.socket.fileno(): connection for connection in connections}
    for descriptor in by_descriptor:
        poll.register(descriptor, select.EPOLLIN)
    buffer = bytearray(BUFFER)
    view = memoryview(buffer)
    processor = time.process_time()
    started = time.perf_counter()
    for descriptor, connection in list(by_descriptor.items()):
        if not _advance(poll, descriptor, connection, None):
            del by_descriptor[descriptor]
    responses = 0
    clock = _Clock(started, tick)
    while by_descriptor:
        events = poll.poll(clock.timeout)
        clock.turn(bool(events), by_descriptor)
        for descriptor, event in events:
            connection = by_descriptor[descriptor]
            if event & select.EPOLLOUT and connection.pending:
                connection.send()
                _watch(poll, descriptor, connection)
            if not event & ~select.EPOLLOUT:
                continue
            response = connection.receive(buffer, view)
            if response is not None:
                responses += 1
                if not _advance(poll, descriptor, connection, response):
                    del by_descriptor[descriptor]
    return Outcome(responses, time.perf_counter() - started, time.process_time() - processor)


def _advance(poll: select.epoll, descriptor: int, connection: Connection, response: Response | None) -> bool:
    """Pass the response to the conversation and submit its next request. False at its end."""
    try:
        request = next(connection.conversation) if response is None else connection.conversation.send(response)
    except StopIteration:
        poll.unregister(descriptor)
        return False
    connection.submit(request)
    if connection.pending or connection.writing:
        _watch(poll, descriptor, connection)
    return True


def _watch(poll: select.epoll, descriptor: int, connection: Connection) -> None:
    writing = bool(connection.pending)
    if writing != connection.writing:
        connection.writing = writing
        poll.modify(descriptor, select.EPOLLIN | select.EPOLLOUT if writing else select.EPOLLIN)


class _Clock:
    """Limits the time of a measurement and calls the tick, once a turn of the loop."""

    def __init__(self, started: float, tick: Callable[[], object] | None) -> None:
        self.timeout = PATIENCE if tick is None else TICK
        self._limit = started + LIMIT
        self._tick = tick
        self._last_event = self._last_tick = started

    def turn(self, has_events: bool, waiting: dict[int, Connection]) -> None:
        now = time.perf_counter()
        if has_events:
            self._last_event = now
        elif now - self._last_event >= PATIENCE:
            raise next(iter(waiting.values())).failure(f"no response for {PATIENCE:.0f} s")
        if now > self._limit:
            raise next(iter(waiting.values())).failure(f"the measurement took more than {LIMIT:.0f} s")
        if self._tick is not None and now - self._last_tick >= TICK:
            self._tick()
            self._last_tick = time.perf_counter()


def exchange(address: tuple[str, int], request: Request) -> Response:
    """Send one request on its own connection, outside any measurement. Raises BenchmarkError."""
    responses: list[Response] = []

    def conversation() -> Conversation:
        responses.append((yield request))

    drive(address, [conversation()])
    return responses[0]


def in_turn(requests: Sequence[Request]) -> Conversation:
    """Send the requests one after the other."""
    # Not `yield from`: it would send the responses to the list's iterator, which accepts none.
    for request in requests:  # noqa: UP028
        yield request


def repeat(request: Request, seconds: float) -> Conversation:
    """Send the same request again and again for `seconds` from the first one."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        yield request
