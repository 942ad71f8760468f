"""A second S3 server for tests: Ceph's radosgw, with one monitor and one disk in memory."""

from __future__ import annotations

import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.clients import program_environment, require_client, run
from tests.support.object_store import KEY_ID, SECRET, ObjectStore, wait_until_usable
from tests.support.ports import free_port

# No authentication on the loopback interface, and one copy of everything.
_CONFIGURATION = """[global]
fsid = {fsid}
mon host = {monitor}
public addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
osd objectstore = memstore
memstore device bytes = 8589934592
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
log file = {folder}/$name.log
admin socket = {folder}/$name.asok
run dir = {folder}
pid file = {folder}/$name.pid
mon data = {folder}/mon
osd data = {folder}/osd
rgw data = {folder}/rgw
"""


class _Ceph:
    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._configuration = folder / "ceph.conf"
        self._environment = program_environment(folder)
        self.fsid, self.port = str(uuid.uuid4()), free_port()
        self.monitor = f"[v2:127.0.0.1:{free_port()}/0,v1:127.0.0.1:{free_port()}/0]"
        text = _CONFIGURATION.format(fsid=self.fsid, monitor=self.monitor, folder=folder)
        self._configuration.write_text(text)
        for name in ("mon", "osd", "rgw"):
            (folder / name).mkdir()

    def run(self, program: str, *words: str) -> None:
        """Run a program and wait for its end."""
        command: list[str | Path] = [require_client(program), "-c", self._configuration, *words]
        run(command, self._environment)

    def start_daemon(self, program: str, *words: str) -> None:
        """Run a program until the tests have ended."""
        process = subprocess.Popen(
            [require_client(program), "-c", self._configuration, "-f", *words],
            env=self._environment,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)

    def start(self) -> None:
        monitors = str(self._folder / "monmap")
        make = ["--create", "--addv", "a", self.monitor.replace("/0", ""), "--fsid", self.fsid, monitors]
        run([require_client("monmaptool"), *make], self._environment)
        self.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monitors)
        self.start_daemon("ceph-mon", "-i", "a")
        self.run("ceph", "osd", "create")
        self.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", str(uuid.uuid4()))
        self.run("ceph", "osd", "crush", "add", "osd.0", "1.0", "host=here", "root=default")
        self.start_daemon("ceph-osd", "-i", "0")
        self.start_daemon("radosgw", "-n", "client.rgw", f"--rgw-frontends=beast endpoint=127.0.0.1:{self.port}")
        keys = (f"--access-key={KEY_ID}", f"--secret-key={SECRET}")
        self.run("radosgw-admin", "user", "create", "--uid=tests", "--display-name=tests", *keys)


@contextmanager
def running_radosgw() -> Iterator[ObjectStore]:
    """A radosgw with a bucket, for this test process alone."""
    require_client("radosgw")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moorage-ceph-")))
        ceph = _Ceph(folder, stack)
        ceph.start()
        store = ObjectStore(ceph.port)
        wait_until_usable(store, folder / "client.rgw.log")
        yield store
