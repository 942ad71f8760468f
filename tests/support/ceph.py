"""A second S3 server for tests: Ceph's radosgw, with one monitor and one disk in memory."""

from __future__ import annotations

import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.clients import program_environment, require_client, run
from tests.support.object_store import KEY_ID, SECRET, ObjectStore, wait_for
from tests.support.ports import free_port

# Nobody needs to be told who is who on the loopback, and everything is there once.
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

    def do(self, program: str, *words: str) -> None:
        """Run a program that ends."""
        command: list[str | Path] = [require_client(program), "-c", self._configuration, *words]
        run(command, self._environment)

    def keep(self, program: str, *words: str) -> None:
        """Run a program until the end of the tests."""
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
        self.do("ceph-mon", "--mkfs", "-i", "a", "--monmap", monitors)
        self.keep("ceph-mon", "-i", "a")
        self.do("ceph", "osd", "create")
        self.do("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", str(uuid.uuid4()))
        self.do("ceph", "osd", "crush", "add", "osd.0", "1.0", "host=here", "root=default")
        self.keep("ceph-osd", "-i", "0")
        self.keep("radosgw", "-n", "client.rgw", f"--rgw-frontends=beast endpoint=127.0.0.1:{self.port}")
        keys = (f"--access-key={KEY_ID}", f"--secret-key={SECRET}")
        self.do("radosgw-admin", "user", "create", "--uid=tests", "--display-name=tests", *keys)


@contextmanager
def running_radosgw() -> Iterator[ObjectStore]:
    """With a bucket, for this process alone."""
    require_client("radosgw")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moorage-ceph-")))
        ceph = _Ceph(folder, stack)
        ceph.start()
        store = ObjectStore(ceph.port)
        wait_for(store, folder / "client.rgw.log")
        yield store
