"""Files for connections: no thread for what is in memory, no wait of the event loop for what is not."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from moorage import sendfile
from moorage.adapters.files.blob_store import FileBlobStore
from moorage.http.bodies import RequestBody
from moorage.http.messages import FilePart, RequestHead, Response, Send
from moorage.http.server.socket_io import SocketIo
from moorage.sendfile import OutgoingFile
from tests.unit.http.connection import ELSEWHERE, Client, with_connection

MIB = 1 << 20
CONTENT = os.urandom(3 * MIB + 7)
REQUEST = b"GET / HTTP/1.1\r\nhost: r\r\n\r\n"


class CountedThreads(ThreadPoolExecutor):
    """Counts what the event loop runs in threads."""

    used = 0

    def submit(self, *args: Any, **named: Any) -> Any:
        self.used += 1
        return super().submit(*args, **named)


@pytest.fixture(params=["disk", "memory"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file that was just written, in the folder for tests or in a file system in memory."""
    if request.param == "disk":
        path = tmp_path / "layer"
        path.write_bytes(CONTENT)
        yield path
        return
    if not Path("/dev/shm").is_dir():
        pytest.skip("there is no file system in memory")
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as stored:
        stored.write(CONTENT)
        stored.flush()
        yield Path(stored.name)


def file_response(path: Path, start: int, size: int) -> Response:
    """Bytes of a file as a response."""
    descriptor = os.open(path, os.O_RDONLY)
    return Response(200, [(b"content-length", b"%d" % size)], file=FilePart(descriptor, start), size=size)


@pytest.fixture(params=[ELSEWHERE, "127.0.0.1"], ids=["elsewhere", "here"])
def address(request: pytest.FixtureRequest) -> str:
    """The address of the client: on another machine, or on this one, to which the server copies bytes itself."""
    return str(request.param)


def pulled(path: Path, start: int = 0, size: int = len(CONTENT), address: str = ELSEWHERE) -> tuple[bytes, int, int]:
    """The body of a response with bytes of a file; how many calls ran in threads, and how often others had a turn."""
    threads, turns = CountedThreads(2), 0

    async def serve(_: RequestHead, __: RequestBody, send: Send) -> None:
        asyncio.get_running_loop().set_default_executor(threads)
        is_sent = False

        async def other() -> None:
            nonlocal turns
            while not is_sent:
                turns += 1
                await asyncio.sleep(0)

        others = asyncio.create_task(other())
        await send(file_response(path, start, size))
        is_sent = True
        await others

    async def use(client: Client) -> bytes:
        await client.send(REQUEST)
        return (await client.response())[2]

    return with_connection(use, serve, address=address), threads.used, turns


def not_in_memory(*_: Any) -> int:
    raise BlockingIOError


def test_a_file_in_memory_is_sent_without_a_thread(file: Path, address: str) -> None:
    body, in_threads, _ = pulled(file, address=address)

    assert body == CONTENT
    assert in_threads == 0


def test_a_range_has_exactly_its_bytes(file: Path, address: str) -> None:
    assert pulled(file, 70_001, 2 * MIB, address)[0] == CONTENT[70_001 : 70_001 + 2 * MIB]
    assert pulled(file, len(CONTENT) - 1, 1, address)[0] == CONTENT[-1:]


@pytest.fixture
def slices(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the slices that the kernel was to send."""
    sizes: list[int] = []
    send_in_kernel = os.sendfile

    def counted(connection: int, descriptor: int, position: int, size: int) -> int:
        sent = send_in_kernel(connection, descriptor, position, size)
        sizes.append(size)
        return sent

    monkeypatch.setattr(os, "sendfile", counted)
    return sizes


def test_others_have_a_turn_between_two_slices(file: Path, slices: list[int]) -> None:
    _, _, turns = pulled(file)

    assert slices[0] < max(slices) == sendfile.SLICE_BYTES
    assert turns >= len(slices) - 1


def test_a_client_on_this_machine_gets_copies_in_slices(file: Path, slices: list[int]) -> None:
    """Its one thread would otherwise copy the pages of the file from main memory."""
    body, _, turns = pulled(file, address="127.0.0.1")

    assert body == CONTENT
    assert slices == []
    assert turns >= len(CONTENT) // sendfile.SLICE_BYTES


def test_slices_are_short_while_other_files_are_sent(
    file: Path, slices: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that all clients get their first bytes soon."""
    monkeypatch.setattr(SocketIo, "_files_in_progress", 1)
    pulled(file)

    assert max(slices) == sendfile.SLICE_BYTES // 4


def test_what_is_not_in_memory_is_read_in_a_thread(file: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "preadv", not_in_memory)
    body, in_threads, _ = pulled(file, address=address)

    assert body == CONTENT
    assert in_threads >= len(CONTENT) / MIB


def test_a_file_system_without_the_flag_is_taken_for_a_disk(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as NFS: what it has in memory is not known. One that is only memory, such as tmpfs, is recognized."""

    def unsupported(*_: Any) -> int:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    (tmp_path / "layer").write_bytes(CONTENT)
    monkeypatch.setattr(os, "preadv", unsupported)
    monkeypatch.setattr(sendfile, "_MEMORY_FILE_SYSTEMS", frozenset())
    monkeypatch.setattr(sendfile, "_in_memory", {})
    body, in_threads, _ = pulled(tmp_path / "layer", address=address)

    assert body == CONTENT
    assert in_threads > 0


def test_a_file_that_became_shorter_ends_the_response(file: Path, address: str) -> None:
    async def serve(_: RequestHead, __: RequestBody, send: Send) -> None:
        with suppress(EOFError):
            await send(file_response(file, len(CONTENT) - 10, 20))

    async def use(client: Client) -> bytes:
        await client.send(REQUEST)
        return await client.rest()

    _, _, body = with_connection(use, serve, address=address).partition(b"\r\n\r\n")
    assert body == CONTENT[-10:]


@pytest.mark.parametrize(
    "work",
    [
        lambda file: file.send_some(0, 0, 1),
        lambda file: file.copy_some(0, 0, 1),
        lambda file: file.read_some(0, 1),
    ],
)
def test_a_cancelled_copy_ends_after_its_thread(
    work: Callable[[OutgoingFile], Coroutine[Any, Any, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a request whose client leaves while the disk is read: the descriptors may then be closed."""
    begun, may_end, has_ended = threading.Event(), threading.Event(), threading.Event()

    def copy(*_: int) -> int:
        begun.set()
        may_end.wait()
        has_ended.set()
        return 1

    async def run() -> None:
        sending = asyncio.create_task(work(OutgoingFile(0)))
        await asyncio.to_thread(begun.wait)
        sending.cancel()
        await asyncio.sleep(0)
        assert not sending.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert has_ended.is_set()

    monkeypatch.setattr(os, "preadv", not_in_memory)
    monkeypatch.setattr(os, "sendfile", copy)
    monkeypatch.setattr(os, "pread", copy)
    asyncio.run(run())


@pytest.mark.parametrize("is_in_memory", [True, False])
def test_a_small_blob_is_read_in_a_thread_only_if_it_is_not_in_memory(
    is_in_memory: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = CountedThreads(1)
    store = FileBlobStore(tmp_path)
    key = f"blobs/sha256/ab/ab{'0' * 62}-00000000-0000-4000-8000-000000000000"
    store.prepare()
    (tmp_path / key).write_bytes(CONTENT[:5000])

    async def read() -> bytes:
        asyncio.get_running_loop().set_default_executor(threads)
        return await store.content(key)

    if not is_in_memory:
        monkeypatch.setattr(os, "preadv", not_in_memory)
        monkeypatch.setattr(sendfile, "_MEMORY_FILE_SYSTEMS", frozenset())
    try:
        assert asyncio.run(read()) == CONTENT[:5000]
    finally:
        store.close()
    assert threads.used == (0 if is_in_memory else 1)
