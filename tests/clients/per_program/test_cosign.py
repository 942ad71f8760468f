"""cosign with a local key and without a transparency log, in both of its modes to store signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.api.ecr.pushing import push
from tests.clients.per_program.programs import Programs
from tests.support.images import image
from tests.support.server import Server

pytestmark = pytest.mark.client

PLAIN_HTTP = "--allow-http-registry"
NO_LOG = ("--use-signing-config=false", "--tlog-upload=false")
PASSWORD = {"COSIGN_PASSWORD": "secret"}
MODES: dict[str, tuple[str, ...]] = {"referrers": (), "tags": ("--new-bundle-format=false",)}
"""Since cosign 3 a signature names its image as `subject`. Before, the tag of the signature named the image."""


class Keys(NamedTuple):
    private: Path
    public: Path


@pytest.fixture(scope="module")
def keys(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return new_keys(programs, tmp_path_factory.mktemp("keys") / "cosign")


@pytest.fixture(scope="module")
def two_keys(programs: Programs, keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> tuple[Keys, Keys]:
    return keys, new_keys(programs, tmp_path_factory.mktemp("keys") / "other")


def new_keys(programs: Programs, prefix: Path) -> Keys:
    programs.run("cosign", "generate-key-pair", "--output-key-prefix", prefix, extra=PASSWORD)
    return Keys(prefix.with_suffix(".key"), prefix.with_suffix(".pub"))


def sign(programs: Programs, keys: Keys, mode: str, name: str) -> None:
    words: tuple[str | Path, ...] = ("sign", "--yes", PLAIN_HTTP, *NO_LOG, *MODES[mode], "--key", keys.private, name)
    programs.run("cosign", *words, extra=PASSWORD)


def verification(keys: Keys, mode: str, name: str) -> tuple[str | Path, ...]:
    return ("verify", PLAIN_HTTP, "--insecure-ignore-tlog", *MODES[mode], "--key", keys.public, name)


@pytest.mark.parametrize("mode", MODES)
def test_signs_an_image_and_verifies_it(mode: str, programs: Programs, ecr: Any, repository: str, keys: Keys) -> None:
    pushed = push(ecr, repository, image(seed=1), "v1")

    sign(programs, keys, mode, programs.name(repository, pushed.manifest.digest))

    output = programs.run("cosign", *verification(keys, mode, programs.name(repository)))
    assert pushed.manifest.digest in output


def test_stores_signatures_as_its_mode_requires(programs: Programs, ecr: Any, new_repository: Any, keys: Keys) -> None:
    tags = {}
    for mode in MODES:
        repository = new_repository()
        pushed = push(ecr, repository, image(seed=2), "v1")
        sign(programs, keys, mode, programs.name(repository, pushed.manifest.digest))
        listed = ecr.list_images(repositoryName=repository)["imageIds"]
        tags[mode] = sorted(each.get("imageTag", "none") for each in listed)

    assert tags["referrers"] == ["none", "v1"]
    assert tags["tags"] == [f"{pushed.manifest.digest.replace(':', '-')}.sig", "v1"]


@pytest.mark.parametrize("mode", MODES)
def test_rejects_an_image_that_another_key_signed(
    mode: str, programs: Programs, ecr: Any, repository: str, keys: Keys, tmp_path: Path
) -> None:
    pushed = push(ecr, repository, image(seed=3), "v1")
    sign(programs, new_keys(programs, tmp_path / "other"), mode, programs.name(repository, pushed.manifest.digest))

    programs.refused("cosign", *verification(keys, mode, programs.name(repository)))


def test_rejects_an_unsigned_image(programs: Programs, ecr: Any, repository: str, keys: Keys) -> None:
    push(ecr, repository, image(seed=4), "v1")

    assert "no signatures found" in programs.refused(
        "cosign", *verification(keys, "referrers", programs.name(repository))
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_repository_that_requires_its_key_serves_what_it_signed(
    mode: str, programs: Programs, ecr: Any, repository: str, served: Server, two_keys: tuple[Keys, Keys]
) -> None:
    keys, other = two_keys
    signed, unsigned = (push(ecr, repository, image(seed=seed), f"v{seed}") for seed in (5, 6))
    sign(programs, keys, mode, programs.name(repository, signed.manifest.digest))

    def reasons(key: Keys) -> list[str]:
        """Why the images cannot be pulled while this key is required."""
        line = served.moorage("signing", "require", repository, "--cosign-key", str(key.public))
        identifiers = [{"imageDigest": one.manifest.digest} for one in (signed, unsigned)]
        failures = ecr.batch_get_image(repositoryName=repository, imageIds=identifiers)["failures"]
        served.moorage("signing", "unrequire", line.partition("\t")[0])
        return [failure["failureReason"].rpartition("a cosign key, and ")[2] for failure in failures]

    assert reasons(keys) == ["it has no such signature"]
    assert reasons(other) == [
        "no signature of it is valid: the signature does not match the key",
        "it has no such signature",
    ]
