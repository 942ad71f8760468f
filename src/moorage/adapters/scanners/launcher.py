"""Confine this process, and become the program: run by its path, as `python -I -S FILE SPECIFICATION`.

A process of its own does this, because the server has threads and cannot run Python between fork and exec. It therefore
imports only the standard library, and nothing of Moorage.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json  # noqa: TID251 - the specification comes from `sandbox.py`, and this file cannot import `strict_json`
import os
import resource
import signal
import stat
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

REFUSED: Final = 97
"""The exit code when the program was not started. The reason is on standard error."""

_SET_PARENT_DEATH_SIGNAL, _SET_NO_NEW_PRIVILEGES = 1, 38
_NEW_NETWORK, _NEW_USER = 0x40000000, 0x10000000

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""Numbers of the system calls of Landlock, the same on all processors."""
_VERSION_FLAG, _BENEATH_PATH, _PORT = 1, 1, 2
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER, _TRUNCATE, _IOCTL = 1, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
_OF_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_ALL_OF_VERSION: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_TCP_VERSION, _SCOPE_VERSION = 4, 6


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def landlock_version() -> int:
    """The version of Landlock in this kernel; 0 without it."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG)))


def _restrict_access(read: Sequence[str], write: Sequence[str], execute: Sequence[str]) -> int:
    """Refuse every file that is not named, and all TCP, to this process and its children. Returns Landlock's version.

    `read`, `write` and `execute` are files and folders; a folder stands for all that it contains.
    """
    version = landlock_version()
    if not version:
        return 0
    libc = _libc()
    files = _ALL_OF_VERSION.get(version, (1 << 16) - 1)
    attributes = struct.pack("QQQ", files, 3 if version >= _TCP_VERSION else 0, 3 if version >= _SCOPE_VERSION else 0)
    length = 24 if version >= _SCOPE_VERSION else 16 if version >= _TCP_VERSION else 8
    rules = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(length), 0)
    _check(rules, "landlock_create_ruleset")
    reading = _READ_FILE | _READ_FOLDER
    for paths, access in ((read, reading), (execute, reading | _EXECUTE), (write, files & ~_EXECUTE)):
        for path in paths:
            _allow(libc, rules, path, access & files)
    _check(libc.syscall(_RESTRICT_SELF, rules, 0), "landlock_restrict_self")
    os.close(rules)
    return version


def _allow(libc: ctypes.CDLL, rules: int, path: str, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    right = access if os.path.isdir(path) else access & _OF_FILES  # noqa: PTH112 - as short as the loop around it
    rule = struct.pack("=Qi", right, descriptor)
    _check(libc.syscall(_ADD_RULE, rules, _BENEATH_PATH, rule, 0), f"landlock_add_rule {path}")
    os.close(descriptor)


def _check(result: int, what: str) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), what)


def _leave_network() -> bool:
    """Move into a network namespace without any connection; False where the kernel does not permit that.

    In a user namespace of its own the process also has no privilege outside it, even if its user is root.
    """
    if sys.platform != "linux":
        return False
    libc, user, group = _libc(), os.getuid(), os.getgid()
    if libc.unshare(_NEW_USER | _NEW_NETWORK) != 0:
        return bool(libc.unshare(_NEW_NETWORK) == 0)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        Path(f"/proc/self/{name}").write_text(text, "ascii")
    return True


def _yield_to_the_server() -> None:
    """Take the processor after requests. A server with a real-time priority would otherwise pass it on."""
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    os.nice(10)


def _limit(limits: dict[str, int]) -> None:
    for name, most in {**limits, "RLIMIT_CORE": 0}.items():
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        _, hard = resource.getrlimit(kind)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (allowed, allowed))


def _die_with(parent: int) -> None:
    """End when the server does: nobody would stop the program later, or remove its files."""
    if sys.platform == "linux":
        _libc().prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(REFUSED)


def opened(program: str, sha256: str) -> int:
    """The program as an open file with this digest. The file that was hashed is the file that runs.

    Raises OSError, SystemExit.
    """
    descriptor = os.open(program, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, "Not a regular file", program)
    if not os.access(program, os.X_OK):
        raise OSError(errno.EACCES, "Not executable", program)
    with open(descriptor, "rb", closefd=False) as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        sys.exit(f"{program} has the SHA-256 {found}, not {sha256}")
    os.set_inheritable(descriptor, True)
    return descriptor


def main(given: dict[str, Any]) -> None:
    """Confine this process as `sandbox.py` asks, note what was done, and execute the program."""
    _yield_to_the_server()
    _limit(given["limits"])
    program = opened(given["program"], given["sha256"])
    is_offline = _leave_network()
    _die_with(given["parent"])  # The kernel forgets this when the user namespace changes.
    if sys.platform == "linux":
        _check(_libc().prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "prctl")
    note = os.open(given["note"], os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    version = _restrict_access(given["read"], given["write"], [given["program"], *given["execute"]])
    os.write(note, json.dumps({"landlock": version, "is_offline": is_offline}).encode())
    os.execve(program, given["arguments"], given["environment"])  # noqa: S606 - the purpose of this file


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except OSError as error:
        # The program is executed by its number.
        name = error.filename if isinstance(error.filename, str) else json.loads(sys.argv[1])["program"]
        print(f"{error.strerror} ({name})", file=sys.stderr)  # noqa: T201 - the parent reads it
    sys.exit(REFUSED)
