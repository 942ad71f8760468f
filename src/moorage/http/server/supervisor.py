"""The main process of a server: it starts the worker processes, replaces those that died, and stops them."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import RawArray
from typing import Any, Final

from moorage.http.draining import Drain
from moorage.http.server.certificates import Certificate
from moorage.http.server.limits import ConnectionLimits
from moorage.http.server.worker_process import NOT_SERVING, ServedApplication, WorkerTask, run
from moorage.telemetry import Log

Factory = Callable[[], ServedApplication]

_CERTIFICATE_SECONDS: Final = 2.0
"""How often to check for a new certificate."""

_STEADY_SECONDS: Final = 60.0
"""A process that dies after this long is replaced at once; one that dies earlier after a delay that doubles."""

_START_SECONDS: Final = 60.0
"""How long a process may take to begin to serve."""

_END_SECONDS: Final = 15.0
"""How long a process may take to end after its last request: jobs are given back, queues are written."""

_FIRST_DELAY: Final = 0.1
_LONGEST_DELAY: Final = 10.0
_OTHER_FILES: Final = 512
"""File descriptors of a worker process that are not connections: files, databases, the connections to a bucket."""


class WorkersFailed(Exception):
    """No worker process could start."""


@dataclass(slots=True)
class _Worker:
    """A place for a worker process, and the process that has it now. `failures` counts early deaths in a row."""

    index: int
    process: BaseProcess | None = None
    started: float = 0.0
    start_at: float = 0.0
    failures: int = 0


class Supervisor:
    """Runs a number of worker processes until a signal to stop."""

    def __init__(
        self,
        factory: Factory,
        listener: socket.socket,
        workers: int,
        limits: ConnectionLimits,
        certificate: Certificate | None,
        worker_died: Callable[[], None],
    ) -> None:
        """`worker_died` is called for each worker process that died."""
        self._counts = RawArray("i", [NOT_SERVING] * workers)
        limits = fitting(limits, workers)
        file = None if certificate is None else certificate.file
        self._task = WorkerTask(factory, listener, file, limits, self._counts)
        self._certificate = certificate
        self._worker_died = worker_died
        self._workers = [_Worker(index) for index in range(workers)]
        self._context = multiprocessing.get_context()
        self._log = Log()
        self._is_stopping = False
        self._has_served = False
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_writer, False)

    def run(self, drain: Drain, started: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT; after SIGTERM for the drain time. Raises WorkersFailed.

        `started` is called once the processes are started. Threads should start there, not before: a process that is
        forked while another thread imports a module waits for that import forever.
        """
        os.register_at_fork(after_in_child=_reset_signals)
        signal.signal(signal.SIGTERM, drain.handler(self._stop))
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGHUP, lambda *_: self._signal_workers(signal.SIGHUP))
        check_certificate_at = time.monotonic() + _CERTIFICATE_SECONDS
        try:
            self._start_due()
            started()
            while not self._is_stopping:
                self._start_due()
                self._wait()
                self._kill_stuck()
                self._bury_dead()
                if time.monotonic() >= check_certificate_at:
                    self._refresh_certificate()
                    check_certificate_at = time.monotonic() + _CERTIFICATE_SECONDS
        finally:
            self._stop_workers()

    def _start_due(self) -> None:
        """Start the processes that are missing and whose delay is over."""
        now = time.monotonic()
        for worker in self._workers:
            if worker.process is None and now >= worker.start_at:
                worker.process = self._context.Process(target=run, args=(self._task, worker.index), name="moorage")
                worker.process.start()
                worker.started = now

    def _wait(self) -> None:
        """Wait until a process ends, a signal arrives, or something is due."""
        now = time.monotonic()
        due = [worker.start_at - now for worker in self._workers if worker.process is None]
        seconds = max(0.0, min([*due, _CERTIFICATE_SECONDS]))
        processes = [worker.process.sentinel for worker in self._workers if worker.process is not None]
        if self._wake_reader in wait([*processes, self._wake_reader], seconds):
            os.read(self._wake_reader, 1024)

    def _kill_stuck(self) -> None:
        """Kill processes that have not begun to serve in time; they are replaced as if they had died."""
        now = time.monotonic()
        for worker in self._workers:
            is_starting = worker.process is not None and self._counts[worker.index] == NOT_SERVING
            if is_starting and worker.process is not None and now - worker.started > _START_SECONDS:
                worker.process.kill()
                worker.process.join()

    def _bury_dead(self) -> None:
        """Log the processes that died, and set when to replace them. Raises WorkersFailed if each died unserved."""
        self._has_served = self._has_served or any(count != NOT_SERVING for count in self._counts)
        for worker in self._workers:
            process = worker.process
            if process is None or process.is_alive() or self._is_stopping:
                continue
            process.join()
            self._counts[worker.index] = NOT_SERVING
            self._log.event("worker-died", process=process.pid or 0, reason=_reason(process.exitcode))
            self._worker_died()
            now = time.monotonic()
            worker.failures = worker.failures + 1 if now - worker.started < _STEADY_SECONDS else 0
            worker.start_at = now + min(_FIRST_DELAY * (2**worker.failures - 1), _LONGEST_DELAY)
            worker.process = None
        if not self._has_served and all(worker.failures for worker in self._workers):
            raise WorkersFailed("no worker process could start; the log has the reason")

    def _refresh_certificate(self) -> None:
        if self._certificate is not None and self._certificate.changed():
            self._signal_workers(signal.SIGHUP)

    def _stop(self, *_: Any) -> None:
        self._is_stopping = True
        with suppress(BlockingIOError):
            os.write(self._wake_writer, b"x")

    def _stop_workers(self) -> None:
        """Let the processes finish their requests; kill those that take too long."""
        self._task.listener.close()
        self._signal_workers(signal.SIGTERM)
        deadline = time.monotonic() + self._task.limits.stop + _END_SECONDS
        for worker in self._workers:
            if worker.process is not None:
                worker.process.join(max(0.0, deadline - time.monotonic()))
                worker.process.kill()
                worker.process.join()

    def _signal_workers(self, number: int) -> None:
        for worker in self._workers:
            if worker.process is not None and worker.process.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(worker.process.pid, number)


def fitting(limits: ConnectionLimits, workers: int) -> ConnectionLimits:
    """The share of one process in the limits, within the file descriptors that it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.connections // workers + 1 + _OTHER_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return replace(
        limits,
        connections=min(wanted - _OTHER_FILES, max(soft - _OTHER_FILES, soft // 2)),
        connections_per_client=limits.connections_per_client // workers + 1,
    )


def _reset_signals() -> None:
    """Reset signals in a new worker process; until it sets its own handlers, the parent's would swallow a signal.

    Ctrl-C reaches all processes of a terminal; the main process stops the others.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _reason(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"exit code {exit_code}"
