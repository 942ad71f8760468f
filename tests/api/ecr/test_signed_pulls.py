"""Repositories that refuse pulls of unsigned images (`moorage signing require`), at both endpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from moorage.domain.signing.verification import COSIGN_PAYLOAD
from tests.api.ecr.pushing import push, put
from tests.api.ecr.signing import NOTATION, REGION, SigningRegistry, arn_of, tampered
from tests.api.ecr.test_signing import signature_of
from tests.conftest import StartServer
from tests.support.aws import docker_password
from tests.support.commands import run_here
from tests.support.http_client import Docker
from tests.support.images import Blob, Image, artifact, image, index, layer

ONE_OF = "Give one of --notation-profile, --notation-certificate, --notation-authority and --cosign-key."


def require(registry: SigningRegistry, repository: str, *trusted: str) -> None:
    registry.moorage("signing", "require", repository, *trusted, "--region", REGION)


def by_docker(registry: SigningRegistry, repository: str, reference: str, method: str = "GET") -> tuple[int, Any]:
    """Status and error of a pull at the registry endpoint."""
    docker = Docker(registry.server.host, registry.server.port, docker_password(registry.ecr))
    answer = docker.request(method, f"/v2/{repository}/manifests/{reference}")
    body = json.loads(answer.body or b"{}")
    return answer.status, body["errors"][0] if answer.status >= 400 else None


def by_api(registry: SigningRegistry, repository: str, pushed: Image) -> list[dict[str, Any]]:
    """The failures of a pull at the ECR endpoint."""
    identifier = {"imageDigest": pushed.manifest.digest}
    answer = registry.ecr.batch_get_image(repositoryName=repository, imageIds=[identifier])
    failures: list[dict[str, Any]] = answer["failures"]
    assert len(answer["images"]) + len(failures) == 1
    return failures


def test_an_unsigned_image_is_refused_with_the_reason_at_both_endpoints(registry: SigningRegistry) -> None:
    name, repository = registry.profile(), registry.repository()
    pushed = push(registry.ecr, repository, image(seed=31), "v1")
    assert by_docker(registry, repository, "v1") == (200, None)

    require(registry, "signing/*", "--notation-profile", arn_of(name))

    reason = (
        f"The image with digest '{pushed.manifest.digest}' in the repository with name '{repository}' cannot be pulled:"
        f" the repository requires a signature by {arn_of(name)}, and it has no such signature"
    )
    assert by_docker(registry, repository, "v1") == (403, {"code": "DENIED", "message": reason})
    assert by_docker(registry, repository, "v1", "HEAD") == (200, None)
    identifier = {"imageDigest": pushed.manifest.digest}
    failure = {"imageId": identifier, "failureCode": "ImageInaccessible", "failureReason": reason}
    assert by_api(registry, repository, pushed) == [failure]


def test_a_signed_image_and_its_signature_can_be_pulled(registry: SigningRegistry) -> None:
    name, repository = registry.profile(), registry.repository()
    registry.configure(arn_of(name))
    require(registry, repository, "--notation-profile", arn_of(name))

    pushed = push(registry.ecr, repository, image(seed=32), "v1")
    registry.statuses(repository, pushed.manifest.digest)

    (signature,) = registry.signatures(repository, pushed.manifest.digest)
    assert by_docker(registry, repository, "v1") == (200, None)
    assert by_docker(registry, repository, signature) == (200, None)
    assert by_docker(registry, repository, pushed.manifest.digest.replace(":", "-")) == (200, None)
    assert by_api(registry, repository, pushed) == []


def test_referrers_that_nobody_can_run_need_no_signature_and_disguised_images_do(registry: SigningRegistry) -> None:
    name, repository = registry.profile(), registry.repository()
    subject = push(registry.ecr, repository, image(seed=33), "v1")
    require(registry, repository, "--notation-profile", arn_of(name))
    note = json.loads(artifact(b"note").manifest.content) | {"subject": subject.manifest.descriptor}
    referrer = Image(subject.manifest._replace(content=json.dumps(note).encode()), artifact(b"note").blobs)
    disguised = image(seed=34, extra={"subject": subject.manifest.descriptor, "artifactType": NOTATION})

    push(registry.ecr, repository, referrer, "note")
    push(registry.ecr, repository, disguised, "disguised")

    assert by_docker(registry, repository, "note") == (200, None)
    assert by_docker(registry, repository, "disguised")[0] == 403


def test_an_image_whose_layers_have_the_media_type_of_signatures_needs_one(registry: SigningRegistry) -> None:
    """docker takes it for an image because of its configuration. Signatures of cosign 2 have such a one, too."""
    name, repository = registry.profile(), registry.repository()
    require(registry, repository, "--notation-profile", arn_of(name))
    files, payload = layer(100, seed=41), Blob(b'{"critical": {}}', COSIGN_PAYLOAD)

    disguised = push(registry.ecr, repository, image([files._replace(media_type=COSIGN_PAYLOAD)]), "disguised")
    push(registry.ecr, repository, image([payload, files._replace(media_type=COSIGN_PAYLOAD)]), "both")
    push(registry.ecr, repository, image([payload]), "signature")

    assert by_docker(registry, repository, "disguised")[0] == 403
    assert by_api(registry, repository, disguised)
    assert by_docker(registry, repository, "both")[0] == 403
    assert [by_docker(registry, repository, "signature") for _ in range(2)] == [(200, None)] * 2


def test_the_images_of_a_signed_index_can_be_pulled(registry: SigningRegistry) -> None:
    name, repository = registry.profile(), registry.repository()
    children = [push(registry.ecr, repository, image(seed=seed)) for seed in (35, 36)]
    registry.configure(arn_of(name))
    listed = index(children)
    put(registry.ecr, repository, listed, "v1")
    registry.statuses(repository, listed.manifest.digest)

    require(registry, repository, "--notation-profile", arn_of(name))

    for one in (listed, *children):
        assert by_docker(registry, repository, one.manifest.digest) == (200, None)


def test_a_changed_signature_and_one_of_another_profile_do_not_count(registry: SigningRegistry) -> None:
    name, other, repository = registry.profile(), registry.profile(), registry.repository()
    registry.configure(arn_of(name))
    pushed = push(registry.ecr, repository, image(seed=37), "v1")
    registry.statuses(repository, pushed.manifest.digest)
    (signature,) = registry.signatures(repository, pushed.manifest.digest)
    envelope = registry.envelope(repository, signature)
    require(registry, repository, "--notation-profile", arn_of(other))

    status, error = by_docker(registry, repository, "v1")
    assert status == 403
    assert error["message"].endswith("and no signature of it is valid: it is by another profile")

    require(registry, repository, "--notation-profile", arn_of(name))
    assert by_docker(registry, repository, "v1") == (200, None)

    registry.ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": signature}])
    push(registry.ecr, repository, signature_of(pushed, tampered(envelope)))
    status, error = by_docker(registry, repository, "v1")
    assert status == 403
    assert error["message"].endswith("and no signature of it is valid: the signature does not match the key")


def test_a_revoked_signature_and_a_revoked_profile_do_not_count(registry: SigningRegistry) -> None:
    name, repository = registry.profile(), registry.repository()
    registry.configure(arn_of(name))
    require(registry, repository, "--notation-profile", arn_of(name))
    first = push(registry.ecr, repository, image(seed=38), "v1")
    second = push(registry.ecr, repository, image(seed=39), "v2")
    for pushed in (first, second):
        registry.statuses(repository, pushed.manifest.digest)
        assert by_api(registry, repository, pushed) == []

    (signature,) = registry.signatures(repository, first.manifest.digest)
    job = registry.job_of(repository, signature)
    registry.moorage("signing-profile", "revoke-signature", job, "--reason", "leaked", "--region", REGION)
    assert by_docker(registry, repository, "v1")[1]["message"].endswith("no signature of it is valid: it is revoked")
    assert by_docker(registry, repository, "v2") == (200, None)

    registry.moorage("signing-profile", "revoke", name, "--reason", "leaked", "--region", REGION)
    assert by_docker(registry, repository, "v2")[1]["message"].endswith("no signature of it is valid: it is revoked")


def test_a_signature_whose_content_was_lost_does_not_count(fresh_server: StartServer) -> None:
    registry = SigningRegistry(fresh_server())
    name, repository = registry.profile(), registry.repository()
    registry.configure(arn_of(name))
    pushed = push(registry.ecr, repository, image(seed=40), "v1")
    registry.statuses(repository, pushed.manifest.digest)
    (signature,) = registry.signatures(repository, pushed.manifest.digest)
    answer = registry.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": signature}])
    layer = json.loads(answer["images"][0]["imageManifest"])["layers"][0]["digest"]
    for file in (registry.server.data / "blobs").rglob(f"{layer.partition(':')[2]}*"):
        file.unlink()

    require(registry, repository, "--notation-profile", arn_of(name))

    reason = by_docker(registry, repository, "v1")[1]["message"]
    assert reason.endswith("no signature of it is valid: its content is missing")


def test_a_requirement_without_an_option_is_an_invalid_command(registry: SigningRegistry) -> None:
    ended = run_here("signing", "require", "a", "--data", registry.server.data, variables=registry.server.settings)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.endswith(f"Error: {ONE_OF}\n")


def test_a_requirement_is_checked_when_it_is_made(registry: SigningRegistry, tmp_path: Path) -> None:
    file = tmp_path / "cosign.pub"
    file.write_text("no key")
    error = registry.server.moorage_error

    assert "is not the ARN of a signing profile" in error("signing", "require", "a", "--notation-profile", "web")
    assert "the file has no public key in PEM" in error("signing", "require", "a", "--cosign-key", str(file))
    assert error("signing", "unrequire", "req-1") == "there is no requirement 'req-1'"
