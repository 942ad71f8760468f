"""What a client could run, so that it needs a signature where one is required."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moorage.core.signing.candidates import is_runnable
from moorage.domain.registry.manifests import parse_manifest
from tests.support.images import OCI_EMPTY, OCI_INDEX, OCI_MANIFEST, artifact, image, index

SUBJECT = image(seed=1).manifest.descriptor
ENVELOPE = artifact(b"{}", "application/jose+json")
NOTE = artifact(b"note")
LISTED = {"mediaType": OCI_MANIFEST, "digest": NOTE.manifest.digest, "size": len(NOTE.manifest.content)}


def listing(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()


def with_subject(content: bytes, **members: Any) -> bytes:
    return json.dumps(json.loads(content) | {"subject": SUBJECT} | members).encode()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (image().manifest.content, True),
        (with_subject(image().manifest.content, artifactType="application/vnd.cncf.notary.signature"), True),
        (with_subject(image().manifest.content, config={**NOTE.blobs[0].descriptor, "mediaType": OCI_EMPTY}), True),
        (index([image()]).manifest.content, True),
        (listing(), True),
        (listing(LISTED), True),
        (NOTE.manifest.content, True),
        (with_subject(NOTE.manifest.content), False),
        (with_subject(NOTE.manifest.content, config={**NOTE.blobs[0].descriptor, "mediaType": "text/html"}), True),
        (ENVELOPE.manifest.content, False),
        (listing({**LISTED, "artifactType": "application/vnd.example.note"}), False),
    ],
)
def test_only_what_is_certainly_no_image_needs_no_signature(content: bytes, expected: bool) -> None:
    assert is_runnable(parse_manifest(content, None)) is expected
