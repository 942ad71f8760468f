"""The pushes of the model's clients: a few blobs, and manifests with every kind of reference between them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.support.images import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Blob, digest

HALF = 10
BLOBS = [bytes([65 + number]) * HALF + bytes([97 + number]) * HALF for number in range(4)] + [b""]
"""Contents of blobs. Clients send them whole or in halves."""

CHUNKS = [BLOBS[0], BLOBS[0][:HALF], BLOBS[0][HALF:], BLOBS[1], BLOBS[1][:HALF], BLOBS[1][HALF:]]

SIGNATURE, BILL = "application/vnd.example.signature", "application/vnd.example.bill"


@dataclass(frozen=True)
class Manifest:
    """A manifest and what a registry must know about it."""

    blob: Blob
    blobs: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    subject: str | None = None
    kind: str | None = None
    annotations: tuple[tuple[str, str], ...] = ()

    @property
    def digest(self) -> str:
        return self.blob.digest

    @property
    def is_index(self) -> bool:
        return self.blob.media_type == OCI_INDEX

    def referrer(self) -> dict[str, Any]:
        """The entry of the manifest in a list of referrers."""
        further: dict[str, Any] = {"artifactType": self.kind} if self.kind else {}
        if self.annotations:
            further["annotations"] = dict(self.annotations)
        return {**self.blob.descriptor, **further}


def image(*numbers: int, subject: str | None = None, kind: str | None = None, note: str | None = None) -> Manifest:
    blobs = [Blob(BLOBS[number], OCI_LAYER) for number in numbers]
    config = {**blobs[0].descriptor, "mediaType": OCI_CONFIG}
    layers = [blob.descriptor for blob in blobs[1:]]
    document: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers}
    if kind:
        document["artifactType"] = kind
    if note:
        document["annotations"] = {"note": note}
    annotations = (("note", note),) if note else ()
    body = _with_subject(document, subject, OCI_MANIFEST)
    return Manifest(body, tuple(blob.digest for blob in blobs), (), subject, kind or OCI_CONFIG, annotations)


def index(*children: Manifest, subject: str | None = None, kind: str | None = None) -> Manifest:
    listed = [child.blob.descriptor for child in children]
    document: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}
    if kind:
        document["artifactType"] = kind
    body = _with_subject(document, subject, OCI_INDEX)
    return Manifest(body, (), tuple(child.digest for child in children), subject, kind)


def _with_subject(document: dict[str, Any], subject: str | None, media_type: str) -> Blob:
    if subject is not None:
        document["subject"] = {"mediaType": OCI_MANIFEST, "digest": subject, "size": 100}
    return Blob(json.dumps(document).encode(), media_type)


FIRST = image(0, 1)
SECOND = image(0, 2)
OLD = image(1, 3, note="from before subjects")
SIGNED = image(1, 0, subject=FIRST.digest, kind=SIGNATURE)
BILLED = image(0, 0, subject=FIRST.digest, kind=BILL, note="a bill")
PLAIN = image(4, subject=FIRST.digest)
LOST = image(2, subject=digest(b"never pushed"), kind=SIGNATURE)
PLATFORMS = index(FIRST, SECOND)
NESTED = index(PLATFORMS, OLD)
ABOUT = index(SECOND, subject=FIRST.digest)
LISTED = index(OLD, SIGNED)
LISTED_WHOLE = index(SIGNED, BILLED, OLD)
LISTED_NONE = index()
LISTED_ELSEWHERE = index(LOST, FIRST)

MANIFESTS = [
    FIRST,
    SECOND,
    OLD,
    SIGNED,
    BILLED,
    PLAIN,
    LOST,
    PLATFORMS,
    NESTED,
    ABOUT,
    LISTED,
    LISTED_WHOLE,
    LISTED_NONE,
    LISTED_ELSEWHERE,
]
BY_DIGEST = {manifest.digest: manifest for manifest in MANIFESTS}
SUBJECTS = [FIRST.digest, PLATFORMS.digest, digest(b"never pushed")]


def referrers_tag(subject: str) -> str:
    return subject.replace(":", "-")


TAGS = ["v1", "v1.0", "v1-a", "latest", *(referrers_tag(subject) for subject in SUBJECTS[:2])]
