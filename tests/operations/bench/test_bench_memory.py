"""The processes of a server, and the memory that they use."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from moorage_bench.memory import MemorySampler, listeners, memory_of, process_tree, warm_memory

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def make_process(proc: Path, process: int, parent: int, *, program: str, sockets: tuple[int, ...] = ()) -> None:
    folder = proc / str(process)
    (folder / "fd").mkdir(parents=True)
    (folder / "stat").write_text(f"{process} (odd ) name) S {parent} 1 1 0")
    (folder / "exe").symlink_to(program)
    (folder / "smaps_rollup").write_text(f"0-1 ---p\nRss: 9000 kB\nPss: {process} kB\nPss_Dirty: 1 kB\n")
    for number, inode in enumerate(sockets):
        (folder / "fd" / str(number)).symlink_to(f"socket:[{inode}]")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    row = "   0: 0100007F:1388 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 0 0 {inode} 1 0 100\n"
    table = (
        HEAD + row.format(state="0A", inode=77) + row.format(state="0A", inode=78) + row.format(state="01", inode=79)
    )
    (tmp_path / "net" / "tcp").write_text(table)
    make_process(tmp_path, 1, 0, program="/sbin/init")
    make_process(tmp_path, 10, 1, program="/bin/bash")
    make_process(tmp_path, 20, 10, program="/usr/bin/python")
    make_process(tmp_path, 21, 20, program="/usr/bin/python", sockets=(77,))
    make_process(tmp_path, 22, 20, program="/usr/bin/python", sockets=(3, 78))
    make_process(tmp_path, 30, 21, program="/usr/bin/other")
    make_process(tmp_path, 40, 10, program="/usr/bin/client", sockets=(79,))
    return tmp_path


def test_the_supervisor_above_the_listening_workers_is_the_root(proc: Path) -> None:
    assert listeners(5000, proc) == {20}


def test_a_port_without_a_listener_has_no_root(proc: Path) -> None:
    assert listeners(5001, proc) == frozenset()


def test_the_tree_has_every_descendant_and_nothing_else(proc: Path) -> None:
    assert process_tree([20], proc) == {20, 21, 22, 30}
    assert process_tree([99], proc) == frozenset()


def test_the_sum_is_over_the_proportional_sizes_of_the_tree_and_the_peak_stays(proc: Path) -> None:
    sampler = MemorySampler([20], proc)

    assert sampler.sample() == (20 + 21 + 22 + 30) * 1024
    (proc / "30" / "stat").write_text("30 (gone) S 1 1 1 0")
    assert sampler.sample() == (20 + 21 + 22) * 1024
    assert sampler.peak == (20 + 21 + 22 + 30) * 1024


def test_the_resident_size_is_used_if_the_kernel_reports_no_proportional_one(proc: Path) -> None:
    (proc / "20" / "smaps_rollup").unlink()
    (proc / "20" / "status").write_text("Name:\tserver\nVmRSS:\t     512 kB\n")

    assert memory_of(20, proc) == 512 * 1024
    assert memory_of(99, proc) == 0


def test_a_real_listener_is_found_by_its_port() -> None:
    program = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); "
        "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())

        assert listeners(port) == {server.pid}
        assert memory_of(server.pid) > 1_000_000
        server.communicate()


def test_the_load_generator_is_never_mistaken_for_the_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as own:
        assert os.getpid() not in listeners(own.getsockname()[1])


def test_warming_uses_at_most_half_of_the_free_memory(tmp_path: Path) -> None:
    """It would run out of memory if it allocated the petabyte that is requested."""
    (tmp_path / "meminfo").write_text("MemTotal: 4096 kB\nMemAvailable: 2048 kB\n")

    warm_memory(1 << 50, tmp_path)
