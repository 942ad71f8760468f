"""PutImage: how tags and digests change, what is rejected, and with which messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.api.ecr.pushing import push, put, put_refused, upload_blobs, variants
from tests.api.ecr.wire import ACCOUNT
from tests.support.http_client import Docker
from tests.support.images import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Blob,
    Image,
    digest,
    image,
    index,
    layer,
)


def tags_of(ecr: Any, repository: str, pushed: Image) -> list[str] | None:
    """The tags of an image, or None if the repository does not have it."""
    rows = ecr.describe_images(repositoryName=repository)["imageDetails"]
    found = [row for row in rows if row["imageDigest"] == pushed.manifest.digest]
    return found[0].get("imageTags", []) if found else None


def already_there(pushed: Image, tag: str, repository: str) -> tuple[int, str, str]:
    message = (
        f"Image with digest '{pushed.manifest.digest}' and tag '{tag}' already exists "
        f"in the repository with name '{repository}' in registry with id '{ACCOUNT}'"
    )
    return 400, "ImageAlreadyExistsException", message


def immutable(tag: str, repository: str) -> tuple[int, str, str]:
    message = (
        f"The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten "
        "because the tag is immutable."
    )
    return 400, "ImageTagAlreadyExistsException", message


@pytest.fixture(params=["MUTABLE", "IMMUTABLE"])
def mutability(ecr: Any, repository: str, request: pytest.FixtureRequest) -> str:
    """Each of the two settings, applied to the test's repository."""
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability=request.param)
    return str(request.param)


@pytest.fixture
def pair(ecr: Any, repository: str, mutability: str) -> Sequence[Image]:
    """Two images with the same blobs. The first is pushed as `old`."""
    first, second = (each for each, _ in zip(variants(), range(2), strict=False))
    push(ecr, repository, first, "old")
    return first, second


def test_a_new_image_is_returned_in_full(ecr: Any, repository: str) -> None:
    pushed = image()
    upload_blobs(ecr, repository, pushed.blobs)

    assert put(ecr, repository, pushed, "v1") == {
        "registryId": ACCOUNT,
        "repositoryName": repository,
        "imageId": {"imageDigest": pushed.manifest.digest, "imageTag": "v1"},
        "imageManifest": pushed.manifest.content.decode(),
        "imageManifestMediaType": OCI_MANIFEST,
    }


def test_an_image_without_a_tag_is_returned_without_a_tag(ecr: Any, repository: str) -> None:
    pushed = image()
    upload_blobs(ecr, repository, pushed.blobs)

    assert put(ecr, repository, pushed)["imageId"] == {"imageDigest": pushed.manifest.digest}
    assert tags_of(ecr, repository, pushed) == []


# --- The decision table ---------------------------------------------------------------------------------------------


def test_a_new_image_takes_an_unused_tag(ecr: Any, repository: str, pair: Sequence[Image]) -> None:
    first, second = pair

    put(ecr, repository, second, "new")

    assert (tags_of(ecr, repository, first), tags_of(ecr, repository, second)) == (["old"], ["new"])


def test_a_new_image_takes_a_used_tag_only_where_tags_are_mutable(
    ecr: Any, repository: str, pair: Sequence[Image], mutability: str
) -> None:
    """The previous image of the tag stays without a tag. A rejected image is not stored at all."""
    first, second = pair

    if mutability == "MUTABLE":
        put(ecr, repository, second, "old")
        assert (tags_of(ecr, repository, first), tags_of(ecr, repository, second)) == ([], ["old"])
    else:
        assert put_refused(ecr, repository, second, "old") == immutable("old", repository)
        assert (tags_of(ecr, repository, first), tags_of(ecr, repository, second)) == (["old"], None)


def test_a_known_image_gets_one_more_tag(ecr: Any, repository: str, pair: Sequence[Image]) -> None:
    first, _ = pair

    assert put(ecr, repository, first, "more")["imageId"]["imageTag"] == "more"

    assert tags_of(ecr, repository, first) == ["more", "old"]


def test_a_known_image_with_its_own_tag_already_exists(ecr: Any, repository: str, pair: Sequence[Image]) -> None:
    first, _ = pair

    assert put_refused(ecr, repository, first, "old") == already_there(first, "old", repository)


def test_a_known_image_without_a_tag_already_exists(ecr: Any, repository: str, pair: Sequence[Image]) -> None:
    first, _ = pair

    assert put_refused(ecr, repository, first) == already_there(first, "null", repository)
    assert tags_of(ecr, repository, first) == ["old"]


def test_a_known_image_takes_a_used_tag_only_where_tags_are_mutable(
    ecr: Any, repository: str, pair: Sequence[Image], mutability: str
) -> None:
    first, second = pair
    put(ecr, repository, second, "new")

    if mutability == "MUTABLE":
        put(ecr, repository, second, "old")
        assert (tags_of(ecr, repository, first), tags_of(ecr, repository, second)) == ([], ["new", "old"])
    else:
        assert put_refused(ecr, repository, second, "old") == immutable("old", repository)
        assert (tags_of(ecr, repository, first), tags_of(ecr, repository, second)) == (["old"], ["new"])


def test_adding_a_tag_does_not_change_the_time_of_the_push(ecr: Any, repository: str) -> None:
    pushed = push(ecr, repository, image(), "v1")
    before = ecr.describe_images(repositoryName=repository)["imageDetails"][0]["imagePushedAt"]

    put(ecr, repository, pushed, "v2")

    assert ecr.describe_images(repositoryName=repository)["imageDetails"][0]["imagePushedAt"] == before


# --- Bytes and digests ----------------------------------------------------------------------------------------------


def aws_sample(config: tuple[int, str], layers: Sequence[tuple[int, str]]) -> str:
    """A manifest as Docker writes it: in this order, indented by three spaces, without a final newline."""
    described = [{"mediaType": DOCKER_LAYER, "size": size, "digest": f"sha256:{name}"} for size, name in layers]
    configuration = {"mediaType": DOCKER_CONFIG, "size": config[0], "digest": f"sha256:{config[1]}"}
    manifest = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": configuration, "layers": described}
    return json.dumps(manifest, indent=3)


# The sample response of BatchGetImage (API reference), and of PutImage (user guide, "Logging with AWS CloudTrail").
BATCH_GET_IMAGE = aws_sample(
    (1486, "5b52b314511a611975c2c65e695d920acdf8ae8848fe0ef00b7d018d1f118b64"),
    [(91768077, "8e3fa21c4cc40232e835a6761332d225c7af3235c5755f44ada2ed9d0e4ab7e8")],
)
CLOUDTRAIL = aws_sample(
    (5543, "000b9b805af1cdb60628898c9f411996301a1c13afd3dbef1d8a16ac6dbf503a"),
    [
        (43252507, "3b37166ec61459e76e33282dda08f2a9cd698ca7e3d6bc44e6a6e7580cdeff8e"),
        (846, "504facff238fde83f1ca8f9f54520b4219c5b8f80be9616ddc52d31448a044bd"),
        (615, "ebbcacd28e101968415b0c812b2d2dc60f969e36b0b08c073bf796e12b1bb449"),
        (850, "c7fb3351ecad291a88b92b600037e2435c84a347683d540042086fe72c902b8a"),
        (168, "2e3debadcbf7e542e2aefbce1b64a358b1931fb403b3e4aeca27cb4d809d56c2"),
        (37720774, "f8c9f51ad524d8ae9bf4db69cd3e720ba92373ec265f5c390ffb21bb0c277941"),
        (30432107, "813a50b13f61cf1f8d25f19fa96ad3aa5b552896c83e86ce413b48b091d7f01b"),
        (197, "7ab043301a6187ea3293d80b30ba06c7bf1a0c3cd4c43d10353b31bc0cecfe7d"),
        (154, "67012cca8f31dc3b8ee2305e7762fee20c250513effdedb38a1c37784a5a2e71"),
        (176, "3bc892145603fffc9b1c97c94e2985b4cb19ca508750b15845a5d97becbd1a0e"),
        (183, "6f1c79518f18251d35977e7e46bfa6c6b9cf50df2a79d4194941d95c54258d18"),
        (212, "b7bcfbc2e2888afebede4dd1cd5eebf029bb6315feeaf0b56e425e11a50afe42"),
        (212, "2b220f8b0f32b7c2ed8eaafe1c802633bbd94849b9ab73926f0ba46cdae91629"),
    ],
)


@pytest.mark.parametrize(
    ("manifest", "calculated"),
    [
        (BATCH_GET_IMAGE, "sha256:f1d4ae3f7261a72e98c6ebefe9985cf10a0ea5bd762585a43e0700ed99863807"),
        (CLOUDTRAIL, "sha256:98c8b060c21d9adbb6b8c41b916e95e6307102786973ab93a41e8b86d1fc6d3e"),
    ],
    ids=["BatchGetImage", "CloudTrail"],
)
def test_the_calculated_digest_of_an_aws_sample_is_the_documented_one(
    ecr: Any, repository: str, manifest: str, calculated: str
) -> None:
    """Their layers are not available. A refusal that names the layers shows that the digest was accepted."""
    missing = put_refused(ecr, repository, manifest, imageDigest=calculated)
    with_newline = put_refused(ecr, repository, manifest + "\n", imageDigest=calculated)

    named = ", ".join(blob["digest"] for blob in [json.loads(manifest)["config"], *json.loads(manifest)["layers"]])
    assert missing == (
        400,
        "LayersNotFoundException",
        (
            f"Layers with digests '[{named}]' required for pushing image into repository "
            f"with name '{repository}' in the registry with id '{ACCOUNT}' do not exist"
        ),
    )
    assert with_newline == (
        400,
        "ImageDigestDoesNotMatchException",
        (
            f"The image with digest '{calculated}' in repository '{repository}' and registry ID '{ACCOUNT}' "
            "does not match the image digest that Amazon ECR has calculated."
        ),
    )


@pytest.mark.parametrize(
    "expected", ["sha256:" + "0" * 64, "sha512:" + "0" * 128, "sha256:0", "md5:00", "nonsense", ""]
)
def test_an_image_with_another_digest_than_given_is_not_stored(ecr: Any, repository: str, expected: str) -> None:
    pushed = image()
    upload_blobs(ecr, repository, pushed.blobs)

    assert put_refused(ecr, repository, pushed, "v1", imageDigest=expected) == (
        400,
        "ImageDigestDoesNotMatchException",
        (
            f"The image with digest '{expected}' in repository '{repository}' and registry ID '{ACCOUNT}' "
            "does not match the image digest that Amazon ECR has calculated."
        ),
    )
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []


def test_an_image_with_its_digest_is_accepted(ecr: Any, repository: str) -> None:
    pushed = image()
    upload_blobs(ecr, repository, pushed.blobs)

    assert put(ecr, repository, pushed, "v1", imageDigest=pushed.manifest.digest)["imageId"]["imageTag"] == "v1"


@pytest.mark.parametrize(
    "written",
    [
        lambda manifest: json.dumps(manifest, indent=3) + "\n",
        lambda manifest: "\r\n\t " + json.dumps(manifest, separators=(" ,\n", "  :\t")) + "  \r\n",
        lambda manifest: json.dumps(dict(reversed(manifest.items()))),
        lambda manifest: json.dumps(
            {**manifest, "annotations": {"ключ": "значение 🚢 \x7f é e\u0301"}}, ensure_ascii=False
        ),
        lambda manifest: json.dumps({**manifest, "annotations": {"escaped": "🚢\u2028"}}),
        lambda manifest: json.dumps({**manifest, "org.example.unknown": [1.50, 1e2, None, {"deep": [[]]}]}),
    ],
    ids=["indented", "odd spaces", "reversed", "unicode", "escapes", "unknown members"],
)
def test_a_manifest_is_returned_byte_for_byte(
    ecr: Any, repository: str, written: Callable[[dict[str, Any]], str]
) -> None:
    pushed = image()
    text = written(json.loads(pushed.manifest.content))
    upload_blobs(ecr, repository, pushed.blobs)

    stored = put(ecr, repository, Image(Blob(text.encode(), OCI_MANIFEST), pushed.blobs), "v1")
    found = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["images"][0]

    assert stored["imageManifest"] == found["imageManifest"] == text
    assert stored["imageId"]["imageDigest"] == found["imageId"]["imageDigest"] == digest(text.encode())


# --- What an image needs --------------------------------------------------------------------------------------------


def test_an_image_needs_its_layers_in_this_repository(ecr: Any, new_repository: Callable[[], str]) -> None:
    """Missing layers are listed in the manifest's order, even if another repository has them."""
    here, elsewhere = new_repository(), new_repository()
    pushed = image([layer(seed=1), layer(seed=2), layer(seed=3)])
    upload_blobs(ecr, elsewhere, pushed.blobs)
    upload_blobs(ecr, here, [pushed.blobs[0], pushed.blobs[2]])

    assert put_refused(ecr, here, pushed, "v1") == (
        400,
        "LayersNotFoundException",
        (
            f"Layers with digests '[{pushed.blobs[1].digest}, {pushed.blobs[3].digest}]' required for pushing image "
            f"into repository with name '{here}' in the registry with id '{ACCOUNT}' do not exist"
        ),
    )
    assert ecr.list_images(repositoryName=here)["imageIds"] == []


def test_an_image_without_layers_is_rejected_here_and_accepted_by_the_registry_endpoint(
    ecr: Any, http: Docker, repository: str
) -> None:
    """The text is ECR's (werf/werf#2544). OCI artifacts have no layers, and the image-spec allows it."""
    complete = image()
    manifest = {**json.loads(complete.manifest.content), "layers": []}
    empty = Image(Blob(json.dumps(manifest).encode(), OCI_MANIFEST), complete.blobs[:1])
    upload_blobs(ecr, repository, empty.blobs)
    message = "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Image has to have at least 1 layer'"

    assert put_refused(ecr, repository, empty, "v1") == (400, "InvalidParameterException", message)
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []

    path, headers = f"/v2/{repository}/manifests/v1", {"Content-Type": OCI_MANIFEST}
    assert http.put(path, empty.manifest.content, headers).status == 201
    push(ecr, repository, index([empty]), "list")


def test_a_foreign_layer_is_not_required(ecr: Any, repository: str) -> None:
    foreign = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": digest(b"windows"),
        "size": 7,
        "urls": ["https://example.com/layer"],
    }
    pushed = image(docker=True)
    manifest = json.loads(pushed.manifest.content)
    manifest["layers"].append(foreign)
    upload_blobs(ecr, repository, pushed.blobs)

    stored = ecr.put_image(repositoryName=repository, imageManifest=json.dumps(manifest), imageTag="v1")

    assert stored["image"]["imageManifestMediaType"] == DOCKER_MANIFEST


def test_an_index_needs_its_images_in_this_repository(ecr: Any, new_repository: Callable[[], str]) -> None:
    here, elsewhere = new_repository(), new_repository()
    images = [each for each, _ in zip(variants(), range(3), strict=False)]
    listed = index(images)
    for each in images:
        push(ecr, elsewhere, each)
    push(ecr, here, images[1])

    assert put_refused(ecr, here, listed, "v1") == (
        400,
        "ReferencedImagesNotFoundException",
        (
            f"Images with digests '[{images[0].manifest.digest}, {images[2].manifest.digest}]' required for pushing "
            f"image into repository with name '{here}' in the registry with id '{ACCOUNT}' do not exist"
        ),
    )
    assert put(ecr, elsewhere, listed, "v1")["imageManifestMediaType"] == OCI_INDEX


def test_an_image_for_an_unknown_repository_is_rejected(ecr: Any) -> None:
    assert put_refused(ecr, "tests/not-there", image()) == (
        400,
        "RepositoryNotFoundException",
        f"The repository with name 'tests/not-there' does not exist in the registry with id '{ACCOUNT}'",
    )
