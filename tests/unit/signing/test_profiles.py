"""Profiles on a real database: versions, renewal, roots, and jobs that run twice."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography import x509

from moorage.core.signing import profiles, signatures
from moorage.core.signing.keys import SealedKeys
from moorage.core.signing.profiles import NewProfile
from moorage.core.signing.signatures import Requester, RevocationQuery, Signatures
from moorage.core.vault import Vault
from moorage.domain.names import Registry
from moorage.domain.signing.certificates import LEAF_LIFE, ROOT_LIFE, chain_hashes
from moorage.domain.signing.envelope import PAYLOAD_TYPE, payload_of
from moorage.domain.signing.errors import ProfileUnusable, SigningError
from moorage.domain.signing.profiles import ProfileName, job_arn
from moorage.domain.signing.verification import SignatureInvalid, verify_notation
from moorage.domain.units import SECOND
from moorage.metadata.database import Database, Transaction
from moorage.metadata.signing import profiles as rows
from tests.support.databases import engine_of

T = TypeVar("T")
NAME = ProfileName(Registry("000000000000", "us-east-1"), "web")
ROOT_USER = Requester("000000000000", "arn:aws:iam::000000000000:root")
DIGEST = "sha256:" + "a" * 64
PAYLOAD = payload_of("application/vnd.oci.image.manifest.v1+json", DIGEST, 42)
START = 1_800_000_000 * SECOND


class World:
    """A database, keys, and a clock that tests move."""

    def __init__(self, folder: Path) -> None:
        self.database: Database = engine_of(folder).open()
        self.database.start()
        self.keys = SealedKeys(Vault(bytes(32)))
        self.now = START
        self.signatures = Signatures(self.database, self.keys, lambda: self.now)

    def write(self, work: Callable[[Transaction], T]) -> T:
        async def run() -> T:
            return await self.database.write(work)

        return asyncio.run(run())

    def pass_time(self, life: timedelta) -> None:
        self.now += int(life.total_seconds()) * SECOND

    def create(self) -> rows.ProfileVersion:
        return self.write(lambda tx: profiles.put(tx, self.keys, NewProfile(NAME), self.now))

    def sign(self) -> signatures.Signature:
        return asyncio.run(self.signatures.sign_payload(NAME, PAYLOAD, PAYLOAD_TYPE, ROOT_USER))

    def current(self) -> rows.ProfileVersion:
        return self.write(lambda tx: profiles.get(tx, NAME))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.database.close()


def test_a_version_that_is_replaced_loses_its_key(world: World) -> None:
    first, second = world.create(), world.create()

    found = {version.version: version for version in world.write(lambda tx: profiles.versions(tx, NAME))}

    assert first.version != second.version
    assert found[first.version].sealed_key is None
    assert found[second.version].sealed_key is not None


def test_a_certificate_that_ends_soon_is_replaced_by_the_next_signature(world: World) -> None:
    first = world.create()
    early = world.sign()
    world.pass_time(LEAF_LIFE - timedelta(days=29))

    late = world.sign()

    assert early.job.profile_version == first.arn
    assert late.job.profile_version == world.current().arn != first.arn
    for made in (early, late):  # The earlier one is still valid, after its certificate has ended.
        world.pass_time(LEAF_LIFE)
        assert verify_notation(made.envelope, DIGEST).certificate_hash == chain_hashes(made.chain)[0]


def test_a_root_that_ends_soon_signs_nothing_until_it_is_replaced(world: World) -> None:
    world.create()
    world.pass_time(ROOT_LIFE - timedelta(days=20))

    with pytest.raises(ProfileUnusable, match="the root certificate of account 000000000000 ends too soon"):
        world.sign()
    world.write(lambda tx: profiles.rotate_root(tx, world.keys, "000000000000", world.now))

    assert world.sign().job.profile_version == world.current().arn


def test_an_exported_root_can_be_imported_in_another_registry(world: World, tmp_path: Path) -> None:
    world.create()
    text = world.write(lambda tx: profiles.export_root(tx, world.keys, "000000000000"))
    (tmp_path / "other").mkdir()
    other = World(tmp_path / "other")
    other.create()

    root, number = other.write(lambda tx: profiles.import_root(tx, other.keys, "000000000000", text, other.now))

    assert number == 1
    assert x509.load_der_x509_certificate(root.certificate) == x509.load_pem_x509_certificate(text)
    assert other.sign().chain[1] == x509.load_pem_x509_certificate(text)
    other.database.close()


def test_revocations_are_told_by_version_by_job_and_by_certificate(world: World) -> None:
    world.create()
    first, second = world.sign(), world.sign()

    def revoked(made: signatures.Signature) -> list[str]:
        hashes = chain_hashes(made.chain)
        arn = job_arn(made.job.owner, made.job.id)
        query = RevocationQuery(made.job.created_at, made.job.profile_version, arn, hashes)
        return world.write(lambda tx: signatures.revoked_entities(tx, query))

    assert revoked(first) == revoked(second) == []
    world.write(lambda tx: signatures.revoke_signature(tx, NAME.registry, first.job.id, "leak", "ann", world.now))
    assert revoked(first) == [job_arn(first.job.owner, first.job.id)]
    assert revoked(second) == []

    version = world.current()
    world.write(lambda tx: profiles.revoke(tx, version, "leak", "ann", second.job.created_at, world.now))
    assert revoked(second) == [version.arn, version.certificate_hash]
    with pytest.raises(ProfileUnusable, match="is revoked"):
        world.sign()


def test_a_revocation_can_begin_after_a_signature(world: World) -> None:
    world.create()
    made = world.sign()
    version = world.current()

    world.write(lambda tx: profiles.revoke(tx, version, "leak", "ann", made.job.created_at + 1, world.now))

    assert not world.write(lambda tx: signatures.is_revoked(tx, version, made.job.created_at, made.job.id))


@pytest.mark.parametrize(
    ("payload", "kind", "reason"),
    [
        (PAYLOAD, "text/plain", "the payload format must be"),
        (b"", PAYLOAD_TYPE, "1 to 4096 bytes"),
        (b"x" * 4097, PAYLOAD_TYPE, "1 to 4096 bytes"),
        (b"[]", PAYLOAD_TYPE, "is not one of Notation"),
        (b'{"targetArtifact": {}}', PAYLOAD_TYPE, "names no artifact"),
        (b'{"targetArtifact": {}, "other": 1}', PAYLOAD_TYPE, "is not one of Notation"),
    ],
)
def test_only_payloads_of_notation_are_signed(payload: bytes, kind: str, reason: str) -> None:
    with pytest.raises(SigningError, match=reason):
        signatures.check_payload(payload, kind)


@pytest.mark.parametrize(
    "change",
    [
        {"payload": "e30"},
        {"signature": "AAAA"},
        {"signature": "?"},
        {"protected": "e30"},
        {"header": {"x5c": []}},
        {"header": {"x5c": ["AAAA"]}},
    ],
)
def test_a_changed_envelope_is_not_valid(world: World, change: dict[str, object]) -> None:
    world.create()
    envelope = json.loads(world.sign().envelope) | change

    with pytest.raises(SignatureInvalid):
        verify_notation(json.dumps(envelope).encode(), DIGEST)


def test_a_certificate_of_an_unknown_version_makes_an_envelope_invalid(world: World) -> None:
    world.create()
    envelope = json.loads(world.sign().envelope)
    certificate = base64.b64decode(envelope["header"]["x5c"][0])
    version_3 = b"\xa0\x03\x02\x01\x02"
    assert version_3 in certificate
    envelope["header"]["x5c"] = [base64.b64encode(certificate.replace(version_3, b"\xa0\x03\x02\x01\x07", 1)).decode()]

    with pytest.raises(SignatureInvalid, match="InvalidVersion"):
        verify_notation(json.dumps(envelope).encode(), DIGEST)
