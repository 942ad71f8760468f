"""A real S3 server for tests: SeaweedFS, one for all processes of a test run."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from moorage.domain.ports import MARKER_KEY
from tests.support.clients import require_client
from tests.support.ports import free_port
from tests.support.services import started_once
from tests.support.waiting import PATIENCE_SECONDS

KEY_ID, SECRET = "testkey", "testsecret"
BUCKET = "moorage"

_processes: list[subprocess.Popen[bytes]] = []
"""Kept, because Python warns when the object of a running process is deleted."""
_HOST = "127.0.0.1"


@dataclass(frozen=True)
class ObjectStore:
    """The port of the server, and the bucket of the tests."""

    port: int
    bucket: str = BUCKET

    @property
    def endpoint(self) -> str:
        # A name, because crane does not follow redirects from a name to an address of a private network.
        return f"http://localhost:{self.port}"

    def setting(self, prefix: str = "", port: int | None = None) -> str:
        """The value of `--blobs`. `port` is another one if requests go through a proxy."""
        return f"s3://{self.bucket}/{prefix}?endpoint=http://localhost:{port or self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return {"MOORAGE_S3_ACCESS_KEY_ID": KEY_ID, "MOORAGE_S3_SECRET_ACCESS_KEY": SECRET}

    def client(self) -> Any:
        """boto3's client, which shares no code with Moorage's own."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, connect_timeout=60),
        )

    def keys(self, prefix: str) -> list[str]:
        """The keys of all objects with this prefix, without the marker of a registry."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        keys = (entry["Key"] for page in pages for entry in page.get("Contents", []))
        return sorted(key for key in keys if not key.endswith(MARKER_KEY))

    def uploads(self, prefix: str) -> list[str]:
        """The keys of unfinished multipart uploads with this prefix."""
        listed = self.client().list_multipart_uploads(Bucket=self.bucket, Prefix=prefix)
        return sorted(entry["Key"] for entry in listed.get("Uploads", []))


def shared_object_store() -> ObjectStore:
    """The server that all processes of this test run share."""
    return ObjectStore(started_once("object-store", _start)["port"])


def _start() -> dict[str, Any]:
    program = require_client("weed")
    data = Path(tempfile.mkdtemp(prefix="s3-"))
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
            start_new_session=True,  # Ctrl-C must not end it before the servers that use it
        )
    _processes.append(process)
    wait_until_usable(ObjectStore(port), data / "log")
    return {"port": port}


def wait_until_usable(store: ObjectStore, log: Path) -> None:
    """Wait until the store accepts an object, which is later than when its port opens."""
    end = time.monotonic() + PATIENCE_SECONDS
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
