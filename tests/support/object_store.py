"""A real S3 server for tests: SeaweedFS, one for all processes of a test session."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.clients import require_client
from tests.support.ports import free_port

KEY_ID, SECRET = "testkey", "testsecret"
BUCKET = "moorage"

_START_SECONDS = 60
_processes: list[subprocess.Popen[bytes]] = []
_HOST = "127.0.0.1"


@dataclass(frozen=True)
class ObjectStore:
    """Where the server listens, and the bucket of the tests."""

    port: int
    bucket: str = BUCKET

    @property
    def endpoint(self) -> str:
        # By name, since crane follows no redirect that leads from a name to the address of a private network.
        return f"http://localhost:{self.port}"

    def setting(self, prefix: str = "", port: int | None = None) -> str:
        """The value of `--blobs`; through another port where a proxy stands before the server."""
        return f"s3://{self.bucket}/{prefix}?endpoint=http://localhost:{port or self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return {"MOORAGE_S3_ACCESS_KEY_ID": KEY_ID, "MOORAGE_S3_SECRET_ACCESS_KEY": SECRET}

    def client(self) -> Any:
        """boto3's client of it, which knows nothing of ours."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, connect_timeout=2),
        )

    def keys(self, prefix: str) -> list[str]:
        """The keys of all objects below a prefix."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))

    def uploads(self, prefix: str) -> list[str]:
        """The keys of multipart uploads under way below a prefix."""
        listed = self.client().list_multipart_uploads(Bucket=self.bucket, Prefix=prefix)
        return sorted(entry["Key"] for entry in listed.get("Uploads", []))


@contextmanager
def shared_object_store(folder: Path) -> Iterator[ObjectStore]:
    """The server that all who name the same folder share; the first one starts it and the last one ends it."""
    program = require_client("weed")
    with _registered(folder) as users:
        if not users:
            users |= {"count": 0, **_started(program, Path(tempfile.mkdtemp(prefix="moorage-s3-")))}
        users["count"] += 1
        store = ObjectStore(users["port"])
    try:
        yield store
    finally:
        with _registered(folder) as users:
            users["count"] -= 1
            if users["count"] == 0:
                _end(users["pid"], Path(users["data"]))
                users.clear()


@contextmanager
def _registered(folder: Path) -> Iterator[dict[str, Any]]:
    """What is known of the server and its users, for one process at a time."""
    path = folder / "object-store.json"
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        users = json.loads(file.read() or "{}")
        yield users
        file.truncate(0)
        file.write(json.dumps(users))


def _started(program: str, data: Path) -> dict[str, Any]:
    keys = data / "keys.json"
    credentials = [{"accessKey": KEY_ID, "secretKey": SECRET}]
    identity = {"name": "tests", "credentials": credentials, "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
    keys.write_text(json.dumps({"identities": [identity]}))
    port = free_port()
    ports = [f"-{name}.port={free_port()}" for name in ("master", "volume", "filer")]
    grpc = [f"-{name}.port.grpc={free_port()}" for name in ("master", "volume", "filer", "s3")]
    quiet = ["-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=20", "-master.volumeSizeLimitMB=256"]
    address = [f"-ip={_HOST}", f"-ip.bind={_HOST}", f"-dir={data}", "-s3", f"-s3.port={port}", f"-s3.config={keys}"]
    with (data / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "server", *address, *ports, *grpc, *quiet],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=data,
            start_new_session=True,
        )
    _processes.append(process)  # kept to the end of this process: another one may be the last to use it
    wait_for(ObjectStore(port), data / "log")
    return {"port": port, "pid": process.pid, "data": str(data)}


def wait_for(store: ObjectStore, log: Path) -> None:
    """Until an object can be put, which is later than the port is open."""
    end = time.monotonic() + _START_SECONDS
    client = store.client()
    while True:
        try:
            with suppress(client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou):
                client.create_bucket(Bucket=store.bucket)
            client.put_object(Bucket=store.bucket, Key="ready", Body=b"ready")
        except (BotoCoreError, ClientError) as error:
            if time.monotonic() > end:
                raise AssertionError(f"the object store is not ready: {error}\n{log.read_text()[-2000:]}") from None
            time.sleep(0.1)
        else:
            return


def _end(pid: int, data: Path) -> None:
    """At once: an orderly end takes 25 s, and its data is not needed."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    for process in _processes:
        if process.pid == pid:
            process.wait()
    shutil.rmtree(data, ignore_errors=True)
