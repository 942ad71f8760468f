"""The honest client: pushes, manifests, blobs and uploads of parts on a few connections, in an endless loop."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import pybase64

from moorage_bench.connections import BenchmarkError, Conversation, drive
from moorage_bench.content import OCI_MANIFEST, QUICK, SMALL, Content
from moorage_bench.targets import ACCEPT, Target
from moorage_bench.workloads.pushes import push_image, push_layer

REPOSITORY = "bench/honest"
CONNECTIONS = 4
TAG = "latest"
BLOB_BYTES = 256 * 1024
PART_BYTES = 1536 * 1024
"""More than 1 MiB, so that the server must find memory for the whole part."""

MANIFESTS_A_ROUND = 20
BLOBS_A_ROUND = 5
PAUSE_AFTER_FAILURE = 0.1


class _TimeIsUp(Exception):
    """Ends `drive`, also while requests are unanswered."""


@dataclass(slots=True)
class Work:
    """What the honest client got done: responses, the longest wait for one, and the text of each failure."""

    seconds: float = 0.0
    responses: int = 0
    longest: float = 0.0
    failures: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Responses a second."""
        return self.responses / self.seconds


class HonestClient:
    """A client with permission to do everything that it requests."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._content = Content(QUICK, "length")
        self._blob = self._content.layer(BLOB_BYTES)
        self._part = os.urandom(PART_BYTES)

    def prepare(self) -> None:
        """Push the image and the blob that every round reads."""
        target = self._target
        target.ensure_repository(REPOSITORY)
        drive(target.address, [push_layer(target, REPOSITORY, self._blob)])
        drive(target.address, [push_image(target, REPOSITORY, self._content.image(), TAG)])

    def work(self, seconds: float, tick: Callable[[], object]) -> Work:
        """Work for `seconds`. A failed request ends all connections; the client opens them again and goes on."""
        done = Work()
        started = time.perf_counter()
        until = started + seconds

        def watch() -> None:
            tick()
            if time.perf_counter() > until:
                raise _TimeIsUp

        while time.perf_counter() < until:
            try:
                drive(self._target.address, [self._timed(done) for _ in range(CONNECTIONS)], watch)
            except BenchmarkError as error:
                done.failures.append(str(error))
                time.sleep(PAUSE_AFTER_FAILURE)
            except _TimeIsUp:
                break
        done.seconds = time.perf_counter() - started
        return done

    def _timed(self, done: Work) -> Conversation:
        rounds = self._rounds()
        request = next(rounds)
        while True:
            sent = time.perf_counter()
            response = yield request
            done.responses += 1
            done.longest = max(done.longest, time.perf_counter() - sent)
            request = rounds.send(response)

    def _rounds(self) -> Conversation:
        target = self._target
        manifest = target.request("GET", f"/v2/{REPOSITORY}/manifests/{TAG}", headers=f"Accept: {ACCEPT}\r\n")
        blob = target.request("GET", f"/v2/{REPOSITORY}/blobs/{self._blob.digest}")
        while True:
            yield from self._push()
            for _ in range(MANIFESTS_A_ROUND):
                yield manifest
            for _ in range(BLOBS_A_ROUND):
                yield blob
            yield from self._upload_part()

    def _push(self) -> Conversation:
        layer = self._content.layer(SMALL)
        yield from push_layer(self._target, REPOSITORY, layer)
        descriptor = {"mediaType": "application/octet-stream", "digest": layer.digest, "size": layer.size}
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor, "layers": [descriptor]}
        path = f"/v2/{REPOSITORY}/manifests/{layer.digest[7:19]}"
        headers = f"Content-Type: {OCI_MANIFEST}\r\n"
        yield self._target.request("PUT", path, 201, headers=headers, body=msgspec.json.encode(document))

    def _upload_part(self) -> Conversation:
        """An upload of one part. Its layer is new only in the first round, so that the disk does not fill."""
        target, place = self._target, {"repositoryName": REPOSITORY}
        response = yield target.operation("InitiateLayerUpload", msgspec.json.encode(place))
        upload = place | {"uploadId": msgspec.json.decode(response.body)["uploadId"]}
        part = upload | {
            "partFirstByte": 0,
            "partLastByte": PART_BYTES - 1,
            "layerPartBlob": pybase64.b64encode(self._part).decode(),
        }
        yield target.operation("UploadLayerPart", msgspec.json.encode(part))
        digests = {"layerDigests": [f"sha256:{hashlib.sha256(self._part).hexdigest()}"]}
        body = msgspec.json.encode(upload | digests)
        yield target.operation("CompleteLayerUpload", body, expected=(200, 400))
