"""Profiles whose signatures need AWS Signer's plugin: `notation` refuses what GetRevocationStatus reports as revoked.

The plugin is that of `tests/support/go`, and AWS's own where this machine has it. AWS offers it for download only.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moorage.domain.signing.profiles import PLATFORM
from tests.api.ecr.conftest import KeyedUser
from tests.api.ecr.pushing import push
from tests.api.ecr.signing import REGION, SigningRegistry, arn_of
from tests.api.services.calls import client_of
from tests.support.go_clients import built_program
from tests.support.images import image
from tests.support.server import Server

NAME = "com.amazonaws.signer.notation.plugin"
AWS_PLUGIN = shutil.which(f"notation-{NAME}")
PLUGINS = ["ours", *(["AWS's"] if AWS_PLUGIN else [])]


@pytest.fixture
def signer(server: Server) -> Any:
    return client_of(server, "signer", region_name=REGION)


def install_plugin(home: Path, plugin: str) -> None:
    """Where `notation plugin install` puts it."""
    program = built_program("aws_signer_plugin") if plugin == "ours" else Path(str(AWS_PLUGIN))
    folder = home / "config" / "notation" / "plugins" / NAME
    folder.mkdir(parents=True)
    shutil.copy(program, folder / f"notation-{NAME}")


@pytest.mark.parametrize("plugin", PLUGINS)
def test_notation_refuses_what_is_revoked(registry: SigningRegistry, tmp_path: Path, plugin: str) -> None:
    name, repository = registry.profile("--aws-plugin"), registry.repository()
    registry.configure(arn_of(name))
    first, second = (push(registry.ecr, repository, image(seed=seed), f"v{seed}") for seed in (51, 52))
    for pushed in (first, second):
        registry.statuses(repository, pushed.manifest.digest)
    registry.trust(tmp_path, name)
    install_plugin(tmp_path, plugin)
    for pushed in (first, second):
        assert registry.verified(tmp_path, repository, pushed.manifest.digest).startswith("verified sha256:")

    (signature,) = registry.signatures(repository, first.manifest.digest)
    job = registry.job_of(repository, signature)
    registry.moorage("signing-profile", "revoke-signature", job, "--reason", "leaked", "--region", REGION)
    refused = registry.rejected(tmp_path, repository, first.manifest.digest)
    assert "revocation check by verification plugin" in refused
    assert f"/signing-jobs/{job} have been revoked" in refused
    registry.verified(tmp_path, repository, second.manifest.digest)

    registry.moorage("signing-profile", "revoke", name, "--reason", "leaked", "--region", REGION)
    assert f"{arn_of(name)}/" in registry.rejected(tmp_path, repository, second.manifest.digest)


def test_notation_without_the_plugin_or_with_another_profile_refuses(registry: SigningRegistry, tmp_path: Path) -> None:
    name, other, repository = registry.profile("--aws-plugin"), registry.profile("--aws-plugin"), registry.repository()
    registry.configure(arn_of(name))
    digest = push(registry.ecr, repository, image(seed=53), "v1").manifest.digest
    registry.statuses(repository, digest)
    registry.trust(tmp_path / "plain", name)
    registry.trust(tmp_path / "other", other)
    install_plugin(tmp_path / "other", "ours")

    assert f'error while locating the verification plugin "{NAME}"' in registry.rejected(
        tmp_path / "plain", repository, digest
    )
    assert "publisher doesn't match any trusted identities" in registry.rejected(tmp_path / "other", repository, digest)


def test_a_verifier_that_may_not_ask_refuses(
    registry: SigningRegistry, tmp_path: Path, new_user: Callable[..., KeyedUser]
) -> None:
    name, repository = registry.profile("--aws-plugin"), registry.repository()
    registry.configure(arn_of(name))
    digest = push(registry.ecr, repository, image(seed=54), "v1").manifest.digest
    registry.statuses(repository, digest)
    registry.trust(tmp_path, name)
    install_plugin(tmp_path, "ours")
    user = new_user("AmazonEC2ContainerRegistryReadOnly")
    key = {"AWS_ACCESS_KEY_ID": user.key, "AWS_SECRET_ACCESS_KEY": user.secret}

    assert "not authorized to perform: signer:GetRevocationStatus" in registry.rejected(
        tmp_path, repository, digest, key
    )


def test_a_pull_that_requires_such_a_signature_sees_its_revocation(registry: SigningRegistry) -> None:
    name, repository = registry.profile("--aws-plugin"), registry.repository()
    registry.configure(arn_of(name))
    registry.moorage("signing", "require", repository, "--notation-profile", arn_of(name), "--region", REGION)
    digest = push(registry.ecr, repository, image(seed=55), "v1").manifest.digest
    registry.statuses(repository, digest)
    pull = {"repositoryName": repository, "imageIds": [{"imageDigest": digest}]}

    assert registry.ecr.batch_get_image(**pull)["failures"] == []
    registry.moorage("signing-profile", "revoke", name, "--reason", "leaked", "--region", REGION)
    assert registry.ecr.batch_get_image(**pull)["failures"][0]["failureReason"].endswith("it is revoked")


def test_a_policy_names_a_profile_as_its_signatures_need_it(registry: SigningRegistry) -> None:
    """Signatures of earlier versions stay: a profile that changed has both names."""
    always, changed = registry.profile("--aws-plugin"), registry.profile()

    def identities(name: str) -> list[str]:
        text = registry.moorage("signing-profile", "trust", name, "--region", REGION)
        policy = json.loads(text.partition("-----BEGIN")[0])
        found: list[str] = policy["trustPolicies"][0]["trustedIdentities"]
        return found

    assert identities(always) == [arn_of(always)]
    (subject,) = identities(changed)
    assert subject.endswith(f"CN={changed}")
    registry.moorage("signing-profile", "create", changed, "--aws-plugin", "--region", REGION)
    assert identities(changed) == [subject, arn_of(changed)]


def test_a_profile_keeps_the_plugin_until_it_is_created_without(registry: SigningRegistry, signer: Any) -> None:
    """A new version of a root or of Terraform changes nothing."""
    name = registry.profile("--aws-plugin")

    def has_plugin() -> bool:
        newest, *_ = registry.moorage("signing-profile", "list", name, "--region", REGION).splitlines()
        return newest.endswith("\tAWS plugin")

    assert has_plugin()
    registry.moorage("signing-profile", "rotate-root", "--yes")
    assert has_plugin()
    signer.put_signing_profile(profileName=name, platformId=PLATFORM)
    assert has_plugin()
    registry.moorage("signing-profile", "create", name, "--no-aws-plugin", "--region", REGION)
    assert not has_plugin()
