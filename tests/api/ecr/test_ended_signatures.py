"""Signatures that have ended, keys that were replaced: what verifiers and pulls say of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from moorage.core.signing import profiles
from moorage.core.signing.keys import SealedKeys
from moorage.core.signing.signatures import Requester, Signatures
from moorage.core.vault import Vault
from moorage.domain.names import Registry
from moorage.domain.signing.certificates import LEAF_LIFE
from moorage.domain.signing.envelope import PAYLOAD_TYPE, payload_of
from moorage.domain.signing.profiles import ProfileName, Validity
from moorage.domain.units import SECOND
from moorage.metadata.database import Transaction
from tests.api.ecr.pushing import push
from tests.api.ecr.signing import ACCOUNT, REGION, SigningRegistry, arn_of
from tests.api.ecr.test_signed_pulls import by_docker, require
from tests.api.ecr.test_signing import signature_of
from tests.conftest import StartServer
from tests.support.databases import engine_of
from tests.support.images import Image, image

T = TypeVar("T")
REQUESTER = Requester(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")


class Past:
    """The signing of a server, whose data it uses, at another time."""

    def __init__(self, registry: SigningRegistry, days_ago: int) -> None:
        self._data = registry.server.data
        self.keys = SealedKeys(Vault((self._data / "master.key").read_bytes()))
        self.now = int(time.time() - days_ago * 86_400) * SECOND

    def create(self, name: str, validity: Validity) -> None:
        new = profiles.NewProfile(ProfileName(Registry(ACCOUNT, REGION), name), validity)
        self._write(lambda tx: profiles.put(tx, self.keys, new, self.now))

    def sign(self, name: str, pushed: Image) -> bytes:
        """The envelope of a signature that was made then."""
        manifest = pushed.manifest
        payload = payload_of(manifest.media_type, manifest.digest, len(manifest.content))
        database = engine_of(self._data).open()
        database.start()
        signatures = Signatures(database, self.keys, lambda: self.now)
        profile = ProfileName(Registry(ACCOUNT, REGION), name)
        made = asyncio.run(signatures.sign_payload(profile, payload, PAYLOAD_TYPE, REQUESTER))
        database.close()
        return made.envelope

    def _write(self, work: Callable[[Transaction], T]) -> T:
        return engine_of(self._data).transact(work)


def test_a_signature_that_has_expired_does_not_count(registry: SigningRegistry, tmp_path: Path) -> None:
    repository, past = registry.repository(), Past(registry, days_ago=3)
    past.create("short", Validity(1, "DAYS"))
    pushed = push(registry.ecr, repository, image(seed=81), "v1")
    push(registry.ecr, repository, signature_of(pushed, past.sign("short", pushed)))
    registry.trust(tmp_path, "short")
    require(registry, repository, "--notation-profile", arn_of("short"))

    assert by_docker(registry, repository, "v1")[1]["message"].endswith("no signature of it is valid: it has expired")
    assert "expired" in registry.rejected(tmp_path, repository, pushed.manifest.digest)


def test_a_signature_by_a_key_whose_certificate_has_ended_counts(fresh_server: StartServer, tmp_path: Path) -> None:
    """Its time is the server's word. The next signature has a new key. Here the root is as old as the profile."""
    registry = SigningRegistry(fresh_server())
    repository, past = registry.repository(), Past(registry, days_ago=LEAF_LIFE.days + 10)
    past.create("long", Validity())
    pushed = push(registry.ecr, repository, image(seed=82), "v1")
    push(registry.ecr, repository, signature_of(pushed, past.sign("long", pushed)))
    registry.trust(tmp_path, "long")
    require(registry, repository, "--notation-profile", arn_of("long"))

    assert by_docker(registry, repository, "v1") == (200, None)
    registry.verified(tmp_path, repository, pushed.manifest.digest)

    registry.configure(arn_of("long"))
    later = push(registry.ecr, repository, image(seed=83), "v2")
    assert registry.statuses(repository, later.manifest.digest)["long"]["status"] == "COMPLETE"
    assert by_docker(registry, repository, "v2") == (200, None)
    versions = registry.moorage("signing-profile", "list", "long", "--region", REGION).splitlines()
    assert len(versions) == 2
