"""Keep-alive HTTP/1.1 connections driven by one epoll loop: the part of the benchmark that must cost almost nothing.

The load program shares two cores with the server it measures, so no HTTP library is on this path: a request is bytes
made beforehand, a response is a status, a Content-Length and what follows. What a connection says is a generator
(`Conversation`): it yields a `Request` and is sent the `Response`, so a push of three dependent requests reads from top
to bottom and still runs beside fifteen others.
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
"""Seconds without any byte on any connection after which the server counts as stuck."""

LIMIT = 900.0
"""Seconds that one measurement may take altogether."""

BUFFER = 1 << 20
TICK = 0.1


class BenchmarkError(Exception):
    """The measurement cannot go on: an unexpected answer, a closed connection, a silent server."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to send: `head` may hold a small body too, `body` is what follows it block by block.

    `expected` are the statuses that let the measurement go on; `sink` takes the bytes of a large answer, which is
    then not kept.
    """

    head: bytes
    expected: tuple[int, ...] = (200,)
    body: Sequence[memoryview] = ()
    sink: Callable[[memoryview], object] | None = None


@dataclass(slots=True)
class Response:
    """An answer: status, header block as received, and body (empty where the request had a sink)."""

    status: int
    head: bytes
    body: bytes
    length: int

    def header(self, name: str) -> str | None:
        """Value of a header, or None; `name` in lower case."""
        start = self.head.lower().find(b"\r\n" + name.encode() + b":")
        if start < 0:
            return None
        start += len(name) + 3
        return self.head[start : self.head.index(b"\r\n", start)].strip().decode("latin-1")


Conversation = Generator[Request, Response, None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of the loop took: answers counted, seconds by the clock, seconds of this process's processor time."""

    responses: int
    seconds: float
    processor_seconds: float


class Connection:
    """One socket, the conversation that it carries, and how far the present request and response have come."""

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

    def __init__(self, address: tuple[str, int], conversation: Conversation) -> None:
        self.socket = socket.create_connection(address, timeout=PATIENCE)
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
        """Take on the next request and send what the socket accepts at once."""
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
        """Send one block or what the socket takes of it; one block a turn keeps parallel uploads even."""
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
            # A server that refuses may close before it read everything; its answer, if there is one, is read next
            # and fails the measurement with its text.
            self.pending.clear()
            self._broken = True
            return len(block)

    def receive(self, buffer: bytearray, view: memoryview) -> Response | None:
        """Read once; the response when it is complete. Raises BenchmarkError for an unexpected status."""
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
            raise self.failure(f"not an HTTP answer: {head[:100]!r}")
        status = int(head[9:12])
        start = head.lower().find(b"\r\ncontent-length:")
        if request.head[:5] == b"HEAD " or status in {204, 304}:
            length = 0
        elif start >= 0:
            length = int(head[start + 17 : head.index(b"\r\n", start + 17)])
        elif status not in request.expected:
            raise self.failure(f"answered {status}: {bytes(rest[:2000]).decode(errors='replace')}")
        else:
            raise self.failure(f"answered {status} without a Content-Length, which this program does not read")
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

    def failure(self, what: str) -> BenchmarkError:
        """The error that names the server, the request line and what went wrong."""
        line = self.request.head.split(b"\r\n", 1)[0].decode("latin-1")
        if operation := re.search(rb"\r\nx-amz-target: *(\S+)", self.request.head):
            line += f" {operation[1].decode()}"
        with contextlib.suppress(OSError):
            peer = self.socket.getpeername()
            line = f"{peer[0]}:{peer[1]} {line}"
        return BenchmarkError(f"{line}: {what}")


def drive(
    address: tuple[str, int], conversations: Sequence[Conversation], tick: Callable[[], object] | None = None
) -> Outcome:
    """Hold the conversations at once, each on a connection of its own opened before the clock starts, to their ends.

    `tick` is called about every 100 ms. Raises BenchmarkError for everything that is not the expected answer in time.
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
    """Hand the response over and submit what the conversation says next; False when it is over."""
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
    """Bounds a measurement in time and calls the tick; looked at once a turn of the loop."""

    def __init__(self, started: float, tick: Callable[[], object] | None) -> None:
        self.timeout = PATIENCE if tick is None else TICK
        self._limit = started + LIMIT
        self._tick = tick
        self._heard = self._ticked = started

    def turn(self, heard: bool, waiting: dict[int, Connection]) -> None:
        now = time.perf_counter()
        if heard:
            self._heard = now
        elif now - self._heard >= PATIENCE:
            raise next(iter(waiting.values())).failure(f"no answer for {PATIENCE:.0f} s")
        if now > self._limit:
            raise next(iter(waiting.values())).failure(f"the measurement took more than {LIMIT:.0f} s")
        if self._tick is not None and now - self._ticked >= TICK:
            self._tick()
            self._ticked = time.perf_counter()


def exchange(address: tuple[str, int], request: Request) -> Response:
    """One request on a connection of its own, outside any measurement. Raises BenchmarkError."""
    answers: list[Response] = []

    def once() -> Conversation:
        answers.append((yield request))

    drive(address, [once()])
    return answers[0]


def in_turn(requests: Sequence[Request]) -> Conversation:
    """Say the requests one after the other."""
    # Not `yield from`: it would hand the answers to the list's iterator, which takes none.
    for request in requests:  # noqa: UP028
        yield request


def again(request: Request, seconds: float) -> Conversation:
    """Say the same request for so many seconds, counted from the first time."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        yield request
