"""Managed signing: configurations, signatures of pushed images, and their statuses.

Sources: API reference, PutSigningConfiguration, DescribeImageSigningStatus; ECR user guide, "Managed signing".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.conftest import KeyedUser
from tests.api.ecr.pushing import push, put
from tests.api.ecr.signing import ACCOUNT, NOTATION, REGION, SigningRegistry, arn_of, tampered
from tests.api.ecr.wire import client_of, refusal
from tests.support.images import OCI_EMPTY, OCI_MANIFEST, Blob, Image, artifact, image, index
from tests.support.server import Server


def signature_of(subject: Image, envelope: bytes) -> Image:
    """The manifest of a signature that a client pushes."""
    empty, body = Blob(b"{}", OCI_EMPTY), Blob(envelope, "application/jose+json")
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": NOTATION,
        "config": empty.descriptor,
        "layers": [body.descriptor],
        "subject": subject.manifest.descriptor,
    }
    return Image(Blob(json.dumps(manifest).encode(), OCI_MANIFEST), (empty, body))


# --- Configurations ---------------------------------------------------------------------------------------------


def test_a_configuration_is_returned_as_it_was_put(registry: SigningRegistry) -> None:
    rules = [
        {"signingProfileArn": arn_of("all")},
        {
            "signingProfileArn": arn_of("web"),
            "repositoryFilters": [{"filter": "web/*", "filterType": "WILDCARD_MATCH"}],
        },
    ]

    put_answer = registry.ecr.put_signing_configuration(signingConfiguration={"rules": rules})
    got = registry.ecr.get_signing_configuration()
    deleted = registry.ecr.delete_signing_configuration()

    assert put_answer["signingConfiguration"] == {"rules": rules}
    for answer in (got, deleted):
        assert (answer["registryId"], answer["signingConfiguration"]) == (ACCOUNT, {"rules": rules})
    registry.configure()


def test_a_registry_without_a_configuration_has_none_to_get_or_delete(server: Server) -> None:
    ecr = client_of(server, region="me-central-1")
    missing = (
        400,
        "SigningConfigurationNotFoundException",
        f"Signing configuration does not exist in the registry with id '{ACCOUNT}'",
    )

    assert refusal(ecr.get_signing_configuration) == missing
    assert refusal(ecr.delete_signing_configuration) == missing


def test_a_profile_belongs_to_the_region_of_the_registry(registry: SigningRegistry) -> None:
    """The text was captured by badmintoncryer/cdk-preflight in September 2026."""
    registry.configure()
    arn = arn_of("web", region="eu-west-1")

    refused = refusal(
        registry.ecr.put_signing_configuration, signingConfiguration={"rules": [{"signingProfileArn": arn}]}
    )

    assert refused == (
        400,
        "ValidationException",
        f"The region of signing profile ARN '{arn}' is 'eu-west-1' but must be '{REGION}' (the current region)",
    )


def test_a_profile_of_another_partition_is_refused(registry: SigningRegistry) -> None:
    registry.configure()
    arn = arn_of("web").replace("arn:aws:", "arn:aws-cn:")

    refused = refusal(
        registry.ecr.put_signing_configuration, signingConfiguration={"rules": [{"signingProfileArn": arn}]}
    )

    assert refused == (400, "ValidationException", f"'{arn}' is not the ARN of a signing profile")


def test_a_configuration_has_at_most_ten_rules(registry: SigningRegistry) -> None:
    registry.configure()

    refused = refusal(
        registry.ecr.put_signing_configuration,
        signingConfiguration={"rules": [{"signingProfileArn": arn_of("web")}] * 11},
    )

    assert refused.status == 400
    assert "less than or equal to 10" in refused.message


# --- Signatures -------------------------------------------------------------------------------------------------


def test_a_pushed_image_gets_a_signature_that_notation_verifies(registry: SigningRegistry, tmp_path: Path) -> None:
    name, repository = registry.profile(), registry.repository()
    registry.configure(arn_of(name))

    pushed = push(registry.ecr, repository, image(seed=1), "v1")

    statuses = registry.statuses(repository, pushed.manifest.digest)
    assert statuses == {name: {"signingProfileArn": arn_of(name), "status": "COMPLETE"}}
    (signature,) = registry.signatures(repository, pushed.manifest.digest)
    registry.trust(tmp_path, name)
    assert registry.verified(tmp_path, repository, pushed.manifest.digest).startswith("verified sha256:")

    envelope = registry.envelope(repository, signature)
    registry.ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": signature}])
    push(registry.ecr, repository, signature_of(pushed, tampered(envelope)))
    assert "signature" in registry.rejected(tmp_path, repository, pushed.manifest.digest)


def test_another_profile_is_not_trusted(registry: SigningRegistry, tmp_path: Path) -> None:
    name, other, repository = registry.profile(), registry.profile(), registry.repository()
    registry.configure(arn_of(name))
    pushed = push(registry.ecr, repository, image(seed=2), "v1")
    registry.statuses(repository, pushed.manifest.digest)

    registry.trust(tmp_path, other)

    assert "does not match the X.509 trusted identities" in registry.rejected(
        tmp_path, repository, pushed.manifest.digest
    )


def test_each_matching_rule_makes_a_signature(registry: SigningRegistry) -> None:
    first, second, repository = registry.profile(), registry.profile(), registry.repository()
    registry.configure(arn_of(first), arn_of(second), arn_of(first), filters=("none/*", "signing/*"))

    pushed = push(registry.ecr, repository, image(seed=3), "v1")

    statuses = registry.statuses(repository, pushed.manifest.digest)
    assert {name: status["status"] for name, status in statuses.items()} == {first: "COMPLETE", second: "COMPLETE"}
    assert len(registry.signatures(repository, pushed.manifest.digest)) == 2


@pytest.mark.parametrize("filters", [("other/*",), ("signing",), ("igning/*", "signing/app")])
def test_a_filter_matches_whole_names(registry: SigningRegistry, filters: tuple[str, ...]) -> None:
    name, repository = registry.profile(), registry.repository()
    registry.configure(arn_of(name), filters=filters)

    pushed = push(registry.ecr, repository, image(seed=4), "v1")

    assert registry.statuses(repository, pushed.manifest.digest) == {}


def test_signatures_are_not_signed_and_other_referrers_are(registry: SigningRegistry) -> None:
    name, repository = registry.profile(), registry.repository()
    registry.configure(arn_of(name))
    subject = push(registry.ecr, repository, image(seed=5), "v1")
    registry.statuses(repository, subject.manifest.digest)
    note = artifact(b"note")

    by_client = push(registry.ecr, repository, signature_of(subject, b"{}"))
    push(registry.ecr, repository, note, "note")

    assert registry.statuses(repository, note.manifest.digest)[name]["status"] == "COMPLETE"
    for signature in (by_client.manifest.digest, *registry.signatures(repository, subject.manifest.digest)):
        assert registry.statuses(repository, signature) == {}
        assert registry.signatures(repository, signature) == []


def test_an_index_and_the_images_that_it_lists_are_signed(registry: SigningRegistry, tmp_path: Path) -> None:
    name, repository = registry.profile(), registry.repository()
    registry.configure(arn_of(name))
    children = [push(registry.ecr, repository, image(seed=seed)) for seed in (6, 7)]
    listed = index(children)

    put(registry.ecr, repository, listed, "v1")

    registry.trust(tmp_path, name)
    for one in (listed, *children):
        assert registry.statuses(repository, one.manifest.digest)[name]["status"] == "COMPLETE"
        registry.verified(tmp_path, repository, one.manifest.digest)


def test_an_image_that_is_pushed_again_keeps_its_signature(registry: SigningRegistry) -> None:
    name, repository = registry.profile(), registry.repository()
    registry.configure(arn_of(name))
    pushed = push(registry.ecr, repository, image(seed=8), "v1")
    registry.statuses(repository, pushed.manifest.digest)

    put(registry.ecr, repository, pushed, "v2")

    assert registry.statuses(repository, pushed.manifest.digest)[name]["status"] == "COMPLETE"
    assert len(registry.signatures(repository, pushed.manifest.digest)) == 1


def test_the_status_of_an_image_that_is_missing_is_refused(registry: SigningRegistry) -> None:
    registry.configure()
    repository = registry.repository()
    describe = registry.ecr.describe_image_signing_status

    assert refusal(describe, repositoryName=repository, imageId={"imageTag": "no"}).code == "ImageNotFoundException"
    missing = refusal(describe, repositoryName="signing/none", imageId={"imageTag": "no"})
    assert missing.code == "RepositoryNotFoundException"


# --- What prevents a signature ----------------------------------------------------------------------------------


def failure(registry: SigningRegistry, repository: str, pushed: Image, name: str) -> tuple[str, str]:
    status = registry.statuses(repository, pushed.manifest.digest)[name]
    assert status["status"] == "FAILED", status
    return status["failureCode"], status["failureReason"]


def test_a_profile_that_is_missing_canceled_or_revoked_signs_nothing(registry: SigningRegistry) -> None:
    canceled, revoked, repository = registry.profile(), registry.profile(), registry.repository()
    registry.moorage("signing-profile", "cancel", canceled, "--region", REGION)
    registry.moorage("signing-profile", "revoke", revoked, "--region", REGION, "--reason", "lost")
    registry.configure(arn_of("missing"), arn_of(canceled), arn_of(revoked))

    pushed = push(registry.ecr, repository, image(seed=9), "v1")

    assert failure(registry, repository, pushed, "missing") == (
        "ResourceNotFoundException",
        f"there is no signing profile {arn_of('missing')}",
    )
    for name, status in ((canceled, "canceled"), (revoked, "revoked")):
        assert failure(registry, repository, pushed, name) == (
            "ValidationException",
            f"the signing profile {arn_of(name)} is {status}",
        )
    assert registry.signatures(repository, pushed.manifest.digest) == []


def test_the_pusher_needs_the_permission_to_sign(
    registry: SigningRegistry, colleague: KeyedUser, server: Server
) -> None:
    name, repository = registry.profile(), registry.repository()
    registry.configure(arn_of(name))
    by_colleague = client_of(
        server, region=REGION, aws_access_key_id=colleague.key, aws_secret_access_key=colleague.secret
    )

    first = push(by_colleague, repository, image(seed=10), "v1")
    refused = failure(registry, repository, first, name)
    statement = {"Effect": "Allow", "Action": "signer:SignPayload", "Resource": arn_of(name)}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    server.moorage("user", "put-policy", colleague.name, "signing", "-", stdin=policy)
    second = push(by_colleague, repository, image(seed=11), "v2")

    code, reason = refused
    assert code == "AccessDeniedException"
    assert reason == (
        f"User: arn:aws:iam::{ACCOUNT}:user/{colleague.name} is not authorized to perform: signer:SignPayload on"
        f" resource: {arn_of(name)} because no identity-based policy allows the signer:SignPayload action"
    )
    assert registry.statuses(repository, second.manifest.digest)[name]["status"] == "COMPLETE"
    server.moorage("user", "delete-policy", colleague.name, "signing")


def test_a_session_may_sign_what_its_policies_allow(
    registry: SigningRegistry, server: Server, new_user: Callable[..., KeyedUser]
) -> None:
    name, repository = registry.profile(), registry.repository()
    registry.configure(arn_of(name))
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
    document = {"Version": "2012-10-17", "Statement": trust}
    everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    only_ecr = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}}
    server.moorage("role", "create", "signing-ci", "--trust", "-", stdin=json.dumps(document))
    server.moorage("role", "put-policy", "signing-ci", "all", "-", stdin=json.dumps(everything))

    user = new_user("AmazonEC2ContainerRegistryReadOnly")
    server.moorage("user", "put-policy", user.name, "all", "-", stdin=json.dumps(everything))

    def session(**more: str) -> Any:
        sts = client_of(server, "sts", aws_access_key_id=user.key, aws_secret_access_key=user.secret)
        role = f"arn:aws:iam::{ACCOUNT}:role/signing-ci"
        found = sts.assume_role(RoleArn=role, RoleSessionName="build-7", **more)["Credentials"]
        return client_of(
            server,
            region=REGION,
            aws_access_key_id=found["AccessKeyId"],
            aws_secret_access_key=found["SecretAccessKey"],
            aws_session_token=found["SessionToken"],
        )

    free = push(session(), repository, image(seed=12), "v1")
    restricted = push(session(Policy=json.dumps(only_ecr)), repository, image(seed=13), "v2")

    assert registry.statuses(repository, free.manifest.digest)[name]["status"] == "COMPLETE"
    code, reason = failure(registry, repository, restricted, name)
    assert code == "AccessDeniedException"
    assert (
        f"assumed-role/signing-ci/build-7 is not authorized to perform: signer:SignPayload on resource: {arn_of(name)}"
        in reason
    )
    assert "session policy" in reason


def test_a_profile_of_another_account_signs_when_it_is_shared(registry: SigningRegistry, server: Server) -> None:
    other = "444455556666"
    server.moorage("account", "create", other)
    for name in ("shared", "private"):
        server.moorage("signing-profile", "create", name, "--region", REGION, "--account", other)
    server.moorage("signing-profile", "share", "shared", "--with", ACCOUNT, "--region", REGION, "--account", other)
    registry.configure(arn_of("shared", other), arn_of("private", other))
    repository = registry.repository()

    pushed = push(registry.ecr, repository, image(seed=14), "v1")

    assert registry.statuses(repository, pushed.manifest.digest)["shared"]["status"] == "COMPLETE"
    code, reason = failure(registry, repository, pushed, "private")
    assert code == "AccessDeniedException"
    assert reason == (f"account {ACCOUNT} may not sign with {arn_of('private', other)}: its owner has not shared it")
