"""The ECR API pulls through the cache, too, and each attempt is an event."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.docker.pull_through.caches import PREFIX, Cache
from tests.docker.pull_through.upstream import Upstream
from tests.support.images import image, layer


def test_batch_get_image_and_layers(cache: Cache, upstream: Upstream, name: str) -> None:
    one = upstream.put(image([layer(100_000, seed=11)]), "api")
    repository = f"{PREFIX}/{name}"

    found = cache.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "api"}])
    ((got,), failures) = found["images"], found["failures"]
    url = cache.ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=one.blobs[1].digest)

    assert (got["imageManifest"].encode(), failures) == (one.manifest.content, [])
    assert got["imageId"] == {"imageTag": "api", "imageDigest": one.manifest.digest}
    with urllib.request.urlopen(url["downloadUrl"]) as response:
        assert response.read() == one.blobs[1].content
    cache.wait_for_image(name, one.manifest.digest)


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "UpstreamAccessDenied"), (500, "UpstreamUnavailable"), (404, "ImageNotFound")],
)
def test_each_failure_of_the_upstream_registry_has_a_code(
    cache: Cache, upstream: Upstream, name: str, status: int, code: str
) -> None:
    cache.pull_whole(name, f"here-{status}", upstream.put(image(), f"here-{status}"))
    upstream.refused = {f"/manifests/absent-{status}": status}
    ids = [{"imageTag": f"here-{status}"}, {"imageTag": f"absent-{status}"}]

    found = cache.ecr.batch_get_image(repositoryName=f"{PREFIX}/{name}", imageIds=ids)

    assert len(found["images"]) == 1
    ((identifier, failure_code),) = [(one["imageId"], one["failureCode"]) for one in found["failures"]]
    assert (identifier, failure_code) == (ids[1], code)


def test_referrers_of_both_registries_are_listed_once(cache: Cache, upstream: Upstream, name: str) -> None:
    one = upstream.put(image(seed=31), "signed")
    subject = one.manifest.digest
    cache.pull_whole(name, "signed", one)
    cache.wait_for_image(name, subject)
    theirs = upstream.put(image(seed=32, extra={"artifactType": "text/a", "subject": one.manifest.descriptor}))
    described = {**theirs.manifest.descriptor, "artifactType": "text/a", "annotations": {"key": "value"}}
    upstream.referrers[subject] = [described]
    ours = image(seed=33, extra={"artifactType": "text/b", "subject": one.manifest.descriptor})
    cache.docker.push(f"{PREFIX}/{name}", ours)
    path = f"/v2/{PREFIX}/{name}/referrers/{subject}"

    both = cache.docker.get(path).json()["manifests"]
    filtered = cache.docker.get(f"{path}?artifactType=text/a").json()["manifests"]
    listed = cache.ecr.list_image_referrers(repositoryName=f"{PREFIX}/{name}", subjectId={"imageDigest": subject})
    assert cache.pull(name, theirs.manifest.digest).body == theirs.manifest.content
    cache.wait_for_image(name, theirs.manifest.digest)
    after = cache.docker.get(path).json()["manifests"]

    expected = [ours.manifest.digest, theirs.manifest.digest]
    assert [entry["digest"] for entry in both] == expected
    assert filtered == [described]
    assert [entry["digest"] for entry in listed["referrers"]] == expected
    assert sorted(entry["digest"] for entry in after) == sorted(expected)
    assert upstream.number("GET", f"/referrers/{subject}") == 1


def test_pages_of_referrers_have_all_of_both_registries(cache: Cache, upstream: Upstream, name: str) -> None:
    """Also if their descriptors are too large for one response."""
    one = upstream.put(image(seed=35), "signed")
    subject = one.manifest.digest
    cache.pull_whole(name, "signed", one)
    cache.wait_for_image(name, subject)
    extra = {"artifactType": "text/a", "subject": one.manifest.descriptor}
    theirs = [upstream.put(image(seed=number, extra=extra)) for number in range(36, 40)]
    large = {"annotations": {"key": "x" * 900_000}}
    upstream.referrers[subject] = [{**each.manifest.descriptor, "artifactType": "text/a", **large} for each in theirs]
    ours = [image(seed=number, extra={**extra, **large}) for number in (41, 42)]
    for each in ours:
        cache.docker.push(f"{PREFIX}/{name}", each)
    expected = [each.manifest.digest for each in (*ours, *theirs)]

    request: dict[str, Any] = {"repositoryName": f"{PREFIX}/{name}", "subjectId": {"imageDigest": subject}}
    for size in (1, 2, 4, 5):
        found, token = [], {"maxResults": size}
        while token:
            page = cache.ecr.list_image_referrers(**request, **token)
            assert len(page["referrers"]) <= size
            found += [each["digest"] for each in page["referrers"]]
            token = {"maxResults": size, "nextToken": page["nextToken"]} if "nextToken" in page else {}
        assert found == expected

    path: str | None = f"/v2/{PREFIX}/{name}/referrers/{subject}"
    listed = []
    while path is not None:
        answer = cache.docker.get(path)
        assert len(answer.body) <= 4 << 20
        listed.append([each["digest"] for each in answer.json()["manifests"]])
        link = answer.headers.get("Link")
        path = link.partition("<")[2].partition(">")[0] if link else None
    assert len(listed) > 1
    assert [digest for page in listed for digest in page] == expected


def test_referrers_of_an_upstream_registry_that_fails(cache: Cache, upstream: Upstream, name: str) -> None:
    one = upstream.put(image(seed=34), "signed-too")
    cache.pull_whole(name, "signed-too", one)
    upstream.refused = {f"/referrers/{one.manifest.digest}": 500}
    repository, subject = f"{PREFIX}/{name}", {"imageDigest": one.manifest.digest}

    assert cache.docker.get(f"/v2/{repository}/referrers/{one.manifest.digest}").json()["manifests"] == []
    with pytest.raises(ClientError) as failed:
        cache.ecr.list_image_referrers(repositoryName=repository, subjectId=subject)
    assert _code(failed) == "UnableToListUpstreamImageReferrersException"


def _code(error: pytest.ExceptionInfo[ClientError]) -> Any:
    return error.value.response["Error"]["Code"]


def test_the_exceptions_of_the_operations(cache: Cache, upstream: Upstream, name: str) -> None:
    """API reference: UnableToGetUpstreamImageException, UnableToGetUpstreamLayerException."""
    repository = f"{PREFIX}/{name}"
    upstream.refused = {f"/v2/{name}/manifests/v1": 500}
    with pytest.raises(ClientError) as no_image:
        cache.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])
    assert _code(no_image) == "UnableToGetUpstreamImageException"

    one = upstream.put(image([layer(seed=12)]), "broken")
    upstream.refused = {one.blobs[1].digest: 500}
    cache.pull(name, "broken")
    with pytest.raises(ClientError) as no_layer:
        cache.ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=one.blobs[1].digest)
    assert _code(no_layer) == "UnableToGetUpstreamLayerException"

    with pytest.raises(ClientError) as nothing:
        cache.ecr.get_download_url_for_layer(repositoryName=f"other/{name}", layerDigest=one.blobs[1].digest)
    assert _code(nothing) == "RepositoryNotFoundException"
