"""What a confined program can do, and what is left of it. The program here is Python, with hostile code."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from moorage.adapters.scanners.launcher import landlock_version
from moorage.adapters.scanners.sandbox import (
    Command,
    Program,
    ProgramEnded,
    ProgramFailed,
    ProgramGreedy,
    Sandbox,
    SandboxLimits,
)
from moorage.adapters.scanners.workspaces import Workspaces
from moorage.telemetry import Log
from tests.support.disks import small_disk
from tests.support.waiting import wait_until

PYTHON = Path("/usr/bin/python3").resolve()
"""Debian's, whose files are where a sandbox lets a program read its libraries."""
LIMITS = SandboxLimits(seconds=120, memory=200 << 20, disk=20 << 20)

pytestmark = [
    pytest.mark.skipif(not PYTHON.exists(), reason="/usr/bin/python3 is not installed"),
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux confines programs"),
]
needs_landlock = pytest.mark.skipif(not landlock_version(), reason="the kernel has no Landlock")

Run = Callable[..., dict[str, str]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "scans"


@pytest.fixture
def run(root: Path) -> Run:
    """Run code as a confined program; returns the files that it wrote."""

    def run_code(
        code: str, *, read: tuple[Path, ...] = (), limits: SandboxLimits = LIMITS, digest: str = ""
    ) -> dict[str, str]:
        program = Program(PYTHON, digest or hashlib.sha256(PYTHON.read_bytes()).hexdigest())
        return asyncio.run(_run(Sandbox(program, limits, Log()), root, Command(["-I", "-S", "-c", code], {}, read)))

    return run_code


async def _run(sandbox: Sandbox, root: Path, command: Command, reserve: int | None = None) -> dict[str, str]:
    async with Workspaces(root, reserve).new() as workspace:
        await sandbox.run(command, workspace)
        return {path.name: path.read_text() for path in workspace.output.iterdir()}


def test_a_program_gets_no_variables_of_the_server_and_writes_to_its_folder(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    written = run("import os; open('names', 'w').write(' '.join(sorted(os.environ))); print('hello')")

    assert set(written["names"].split()) == {"HOME", "LC_CTYPE", "TMPDIR", "XDG_CACHE_HOME"}
    assert written["printed"] == "hello\n"


def test_a_program_takes_the_processor_after_the_server(run: Run) -> None:
    printed = run("import os; print(os.sched_getscheduler(0), os.nice(0))")["printed"]

    assert printed.split() == [str(os.SCHED_BATCH), str(min(os.nice(0) + 10, 19))]


@needs_landlock
def test_a_program_cannot_read_the_credentials_of_the_server(run: Run, tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.write_text("secret")

    with pytest.raises(ProgramFailed, match="Permission denied"):
        run(f"open({str(credentials)!r}).read()")

    assert run(f"print(open({str(credentials)!r}).read())", read=(credentials,))["printed"] == "secret\n"


@needs_landlock
@pytest.mark.parametrize("path", ["/proc/SERVER/environ", "/proc/SERVER/mem", "/var/log", "/etc/passwd"])
def test_a_program_cannot_read_other_processes_or_the_machine(run: Run, path: str) -> None:
    with pytest.raises(ProgramFailed, match="Permission denied"):
        run(f"import os; os.open({path.replace('SERVER', str(os.getpid()))!r}, os.O_RDONLY)")


@needs_landlock
def test_a_program_cannot_change_what_it_reads(run: Run, tmp_path: Path) -> None:
    """Layers are links to the bytes that the registry stores."""
    stored = tmp_path / "stored"
    stored.write_text("layer")

    for code in (f"open({str(stored)!r}, 'w')", f"import os; os.unlink({str(stored)!r})"):
        with pytest.raises(ProgramFailed, match="Permission denied"):
            run(code, read=(stored,))

    assert stored.read_text() == "layer"


@needs_landlock
def test_a_program_cannot_start_another_one(run: Run) -> None:
    with pytest.raises(ProgramFailed, match="Permission denied"):
        run("import os; os.execv('/bin/sh', ['sh'])")


def test_a_program_has_no_network(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        with pytest.raises(ProgramFailed, match=r"Permission denied|unreachable"):
            run(f"import socket; socket.create_connection(('127.0.0.1', {port}))")

        with pytest.raises(ProgramFailed, match=r"unreachable|Permission denied"):
            run(f"import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("x = [bytearray(1 << 20) for _ in range(400)]\nwhile True: pass", "took more than 200 MiB of memory"),
        ("f = open('x', 'wb')\nwhile True: f.write(bytes(1 << 20))", "File too large|larger than its limit"),
        (
            "import time\nfor n in range(40): open(str(n), 'wb').write(bytes(1 << 20))\ntime.sleep(60)",
            "wrote more than 20 MiB",
        ),
    ],
    ids=["memory", "file", "files"],
)
def test_a_program_that_takes_too_much_is_ended(run: Run, root: Path, code: str, reason: str) -> None:
    with pytest.raises(ProgramFailed, match=reason):
        run(code)

    assert list(root.iterdir()) == []


def test_a_program_leaves_the_reserve_of_the_disk_and_may_be_tried_again() -> None:
    program = Program(PYTHON, hashlib.sha256(PYTHON.read_bytes()).hexdigest())
    sandbox = Sandbox(program, SandboxLimits(60, 200 << 20, 1 << 30), Log())
    filling = (
        "import time\nfor n in range(40): open(str(n), 'wb').write(bytes(1 << 20)); time.sleep(0.05)\ntime.sleep(60)"
    )
    with small_disk(64) as disk:

        def run_with(reserve: int, code: str) -> dict[str, str]:
            command = Command(["-I", "-S", "-c", code], {})
            return asyncio.run(_run(sandbox, disk / "scans", command, reserve))

        with pytest.raises(ProgramEnded, match="was ended: The file system has no more free space than its reserve"):
            run_with(40 << 20, filling)
        with pytest.raises(OSError, match="no more free space than its reserve of 70 MiB"):
            run_with(70 << 20, "print('never')")

        assert list((disk / "scans").iterdir()) == []
        assert run_with(40 << 20, "print('scanned')")["printed"] == "scanned\n"


def test_a_program_that_does_not_end_is_ended_with_its_children(run: Run, root: Path) -> None:
    code = "import os, time\nos.fork()\nopen('started', 'w')\nwhile True: time.sleep(1)"

    with pytest.raises(ProgramGreedy, match="did not end within 1 seconds"):
        run(code, limits=SandboxLimits(seconds=1, memory=200 << 20, disk=20 << 20))

    wait_until(lambda: not programs_in(root))


def test_a_program_with_another_digest_is_not_run(run: Run) -> None:
    with pytest.raises(ProgramEnded, match=f"was not started: .* has the SHA-256 [0-9a-f]{{64}}, not {'0' * 64}"):
        run("print('never')", digest="0" * 64)


def test_a_program_that_was_killed_from_outside_may_be_tried_again(run: Run) -> None:
    with pytest.raises(ProgramEnded, match="ended by signal 9"):
        run("import os; os.kill(os.getpid(), 9)")


def test_what_a_program_says_becomes_one_short_line(run: Run, root: Path) -> None:
    with pytest.raises(ProgramFailed) as failure:
        run("import os, sys; sys.exit('bad\\x1b[31m\\nlayer ' + os.getcwd() + 'x' * 100_000)")

    assert str(failure.value).startswith("The scanner ended with exit code 1: ")
    assert len(str(failure.value)) < 600
    assert str(root) not in str(failure.value)
    assert str(failure.value).isprintable()


def test_nothing_runs_and_nothing_stays_when_the_server_is_killed(tmp_path: Path, root: Path) -> None:
    """The next workspace removes the folder of a process that ended."""
    code = "import time\nwhile True: time.sleep(1)"
    server = tmp_path / "server.py"
    server.write_text(
        "import asyncio\nfrom pathlib import Path\n"
        "from moorage.adapters.scanners.sandbox import *\nfrom moorage.adapters.scanners.workspaces import Workspaces\n"
        "from moorage.telemetry import Log\n"
        "async def main():\n"
        f"    program = Program(Path({str(PYTHON)!r}), {hashlib.sha256(PYTHON.read_bytes()).hexdigest()!r})\n"
        f"    async with Workspaces(Path({str(root)!r})).new() as workspace:\n"
        f"        await Sandbox(program, SandboxLimits(60, 1 << 30, 1 << 30), Log()).run(\n"
        f"            Command(['-c', {code!r}], {{}}), workspace)\n"
        "asyncio.run(main())\n"
    )
    process = subprocess.Popen([sys.executable, str(server)])
    wait_until(lambda: bool(programs_in(root)))

    process.send_signal(signal.SIGKILL)
    process.wait()

    wait_until(lambda: not programs_in(root))
    assert len(list(root.iterdir())) == 2
    asyncio.run(_open_another(root))
    assert list(root.iterdir()) == []


async def _open_another(root: Path) -> None:
    async with Workspaces(root).new():
        assert len(os.listdir(root)) == 2  # noqa: PTH208 - its own folder and lock


def test_a_workspace_in_use_is_left_alone(root: Path) -> None:
    async def nested() -> None:
        async with Workspaces(root).new() as first:
            (first.output / "kept").touch()
            async with Workspaces(root).new():
                pass
            assert (first.output / "kept").exists()

    asyncio.run(nested())


def test_a_cancelled_scan_ends_its_program(root: Path) -> None:
    program = Program(PYTHON, hashlib.sha256(PYTHON.read_bytes()).hexdigest())
    command = Command(["-c", "import time\nwhile True: time.sleep(1)"], {})

    async def cancel() -> None:
        scan = asyncio.create_task(_run(Sandbox(program, LIMITS, Log()), root, command))
        await asyncio.to_thread(wait_until, lambda: bool(programs_in(root)))
        scan.cancel()
        await asyncio.wait([scan])

    asyncio.run(cancel())

    assert not programs_in(root)
    assert list(root.iterdir()) == []


def test_only_one_program_of_a_machine_runs_at_a_time(tmp_path: Path, root: Path) -> None:
    """Each process has a sandbox of its own. Who is cancelled while waiting holds up nobody."""
    program = Program(PYTHON, hashlib.sha256(PYTHON.read_bytes()).hexdigest())
    lock = tmp_path / "data" / "running.lock"
    code = "import time\nbegin = time.monotonic()\ntime.sleep(0.3)\nprint(begin, time.monotonic())"

    def start() -> asyncio.Task[dict[str, str]]:
        sandbox = Sandbox(program, LIMITS, Log(), lock)
        return asyncio.create_task(_run(sandbox, root, Command(["-I", "-S", "-c", code], {})))

    async def together() -> list[dict[str, str]]:
        runs = [start() for _ in range(3)]
        leaving = start()
        await asyncio.to_thread(wait_until, lambda: bool(programs_in(root)))
        assert len(programs_in(root)) <= 1
        leaving.cancel()
        return await asyncio.gather(*runs)

    times = sorted([float(word) for word in one["printed"].split()] for one in asyncio.run(together()))

    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(times))
    assert list(root.iterdir()) == []


def test_a_scanner_waits_for_that_of_another_process_and_not_for_one_that_was_killed(
    tmp_path: Path, root: Path
) -> None:
    program = Program(PYTHON, hashlib.sha256(PYTHON.read_bytes()).hexdigest())
    lock = tmp_path / "running.lock"
    code = (
        "import fcntl, time\n"
        f"file = open({str(lock)!r}, 'w')\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print(flush=True)\n"
        "time.sleep(600)"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert other.stdout is not None
    other.stdout.readline()

    async def scan() -> dict[str, str]:
        sandbox = Sandbox(program, LIMITS, Log(), lock)
        task = asyncio.create_task(_run(sandbox, root, Command(["-I", "-S", "-c", "print('scanned')"], {})))
        await asyncio.wait([task], timeout=0.5)
        assert not task.done()
        assert not programs_in(root)
        other.kill()
        return await task

    try:
        assert asyncio.run(scan())["printed"] == "scanned\n"
    finally:
        other.kill()
        other.communicate()


def programs_in(root: Path) -> list[str]:
    """The processes whose working directory is a workspace."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(root):
                found.append(process.name)
        except OSError:
            continue
    return found
