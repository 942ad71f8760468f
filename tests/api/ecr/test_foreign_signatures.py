"""Pulls that need a signature by a certificate from elsewhere (`moorage signing require --notation-certificate`)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.api.ecr.pushing import push
from tests.api.ecr.signing import REGION, SigningRegistry, arn_of
from tests.api.ecr.test_signed_pulls import by_api, require
from tests.support.images import image
from tests.unit.signing.authorities import AUTHORITY, SIGNER, Holder, certified

START = datetime.now(UTC) - timedelta(hours=1)
END = START + timedelta(days=2)


def authority(folder: Path, name: str) -> tuple[Holder, Path]:
    """A root, and its certificate in a file."""
    made = certified(name, None, AUTHORITY, start=START, end=END)
    file = folder / f"{name}.pem"
    file.write_text(made.pem)
    return made, file


def refusals(registry: SigningRegistry, repository: str, digest: str, *trusted: str) -> list[str]:
    """Why the image cannot be pulled while these signatures are required: at most one reason."""
    line = registry.moorage("signing", "require", repository, *trusted, "--region", REGION)
    answer = registry.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])
    registry.moorage("signing", "unrequire", line.partition("\t")[0], "--region", REGION)
    return [failure["failureReason"].partition(", and ")[2] for failure in answer["failures"]]


@pytest.mark.parametrize("kind", ["application/jose+json", "application/cose"])
def test_an_image_that_notation_signed_can_be_pulled(registry: SigningRegistry, tmp_path: Path, kind: str) -> None:
    """Only envelopes in JSON are read, which `notation` makes unless it is told otherwise."""
    repository = registry.repository()
    digest = push(registry.ecr, repository, image(seed=61), "v1").manifest.digest
    root, trusted = authority(tmp_path, "root")
    _, other = authority(tmp_path, "other")
    key = ec.generate_private_key(ec.SECP384R1())
    signer = certified("signer", root, SIGNER, key=key, start=START, end=END)
    (tmp_path / "key.pem").write_text(signer.key_pem)
    (tmp_path / "chain.pem").write_text(signer.pem + root.pem)
    registry.sign_by_notation(tmp_path, repository, digest, kind)

    reasons = {
        name: refusals(registry, repository, digest, "--notation-certificate", str(file))
        for name, file in {"trusted": trusted, "other": other}.items()
    }

    if kind == "application/cose":
        reason = "no signature of it is valid: its envelope is COSE, and this server reads only JWS"
        assert reasons == {"trusted": [reason], "other": [reason]}
        return
    reason = "no signature of it is valid: its certificates lead to none that is trusted"
    assert reasons == {"trusted": [], "other": [reason]}
    reason = "no signature of it is valid: its scheme is not notary.x509.signingAuthority"
    assert refusals(registry, repository, digest, "--notation-authority", str(trusted)) == [reason]
    registry.moorage("signing", "require", repository, "--notation-certificate", str(trusted), "--region", REGION)
    assert "\tnotation-certificate\tsha256:" in registry.moorage("signing", "requirements", "--region", REGION)


def test_signatures_of_another_moorage_are_those_of_a_signing_authority(
    registry: SigningRegistry, tmp_path: Path
) -> None:
    name, repository = registry.profile(), registry.repository()
    registry.configure(arn_of(name))
    digest = push(registry.ecr, repository, image(seed=62), "v1").manifest.digest
    registry.statuses(repository, digest)
    registry.trust(tmp_path, name)
    bundle, (_, other) = tmp_path / "roots.pem", authority(tmp_path, "other")
    bundle.write_text("".join(file.read_text() for file in tmp_path.rglob("*.crt")))

    assert refusals(registry, repository, digest, "--notation-authority", str(bundle)) == []
    assert refusals(registry, repository, digest, "--notation-authority", str(other)) == [
        "no signature of it is valid: its certificates lead to none that is trusted"
    ]


def test_a_requirement_names_what_it_trusts(registry: SigningRegistry, tmp_path: Path) -> None:
    repository = registry.repository()
    pushed = push(registry.ecr, repository, image(seed=63), "v1")
    _, file = authority(tmp_path, "root")
    require(registry, repository, "--notation-certificate", str(file))
    require(registry, repository, "--notation-authority", str(file))

    (failure,) = by_api(registry, repository, pushed)

    trusted = "a Notation certificate or a Notation signing authority"
    assert f"the repository requires a signature by {trusted}, and it has no" in failure["failureReason"]


def test_a_file_without_certificates_is_refused(registry: SigningRegistry, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")

    reason = registry.server.moorage_error("signing", "require", "a", "--notation-certificate", str(file))

    assert "the file has no certificates in PEM" in reason
