"""What callers may do through the cache: each is judged by the own permissions, also who joins the pull of another."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from tests.docker.pull_through.caches import PREFIX, Cache
from tests.docker.pull_through.upstream import Upstream
from tests.support.http_client import Answer, Docker
from tests.support.images import image
from tests.support.policies import allowing, policy

PULLS = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
IMPORTS = (*PULLS, "ecr:BatchImportUpstreamImage")


def user(cache: Cache, name: str, document: str) -> Docker:
    """A new user with an identity policy."""
    cache.server.moorage("user", "create", name)
    cache.server.moorage("user", "put-policy", name, "own", "-", stdin=document)
    lines = cache.server.moorage("key", "create", "--user", name)
    key = dict(re.findall(r"export (AWS_\w+)=(\S+)", lines))
    return Docker(cache.docker.host, cache.docker.port, key["AWS_SECRET_ACCESS_KEY"], key["AWS_ACCESS_KEY_ID"])


def pull(caller: Docker, name: str, tag: str) -> Answer:
    return caller.get(f"/v2/{PREFIX}/{name}/manifests/{tag}")


def test_a_caller_who_may_not_import_images_finds_nothing(cache: Cache, upstream: Upstream, name: str) -> None:
    """ECR user guide, "Considerations": a missing right surfaces as a missing repository or image."""
    one = upstream.put(image(seed=43), "v43")
    caller = user(cache, "reader", allowing(*PULLS))
    path = f"/v2/{PREFIX}/{name}/manifests/v43"

    assert caller.get(path).error_codes() == ["NAME_UNKNOWN"]
    cache.pull_whole(name, "other", upstream.put(image(seed=44), "other"))
    assert caller.get(path).error_codes() == ["MANIFEST_UNKNOWN"]
    assert upstream.number("GET", "/manifests/v43") == 0
    cache.pull_whole(name, "v43", one)
    cache.wait_for_image(name, one.manifest.digest)
    assert caller.get(path).body == one.manifest.content


def test_who_may_not_create_the_repository_asks_nobody_and_joins_nobody(
    cache: Cache, upstream: Upstream, name: str
) -> None:
    one = upstream.put(image(seed=45), "v45")
    caller = user(cache, "importer", allowing(*IMPORTS))
    assert pull(caller, name, "v45").error_codes() == ["NAME_UNKNOWN"]
    assert upstream.seen.total() == 0

    with ThreadPoolExecutor(1) as others:
        upstream.hold_manifests()
        other = others.submit(cache.pull, name, "v45")
        upstream.wait_until_paused()
        assert pull(caller, name, "v45").error_codes() == ["NAME_UNKNOWN"]
        upstream.resume()
        assert other.result().body == one.manifest.content

    next_one = upstream.put(image(seed=46), "v46").manifest
    assert pull(caller, name, "v46").body == next_one.content


def test_a_template_with_tags_needs_the_permission_to_set_them(cache: Cache, upstream: Upstream, name: str) -> None:
    """As for a repository that a push creates, and for CreateRepository itself."""
    one = upstream.put(image(seed=47), "v47")
    cache.ecr.create_repository_creation_template(
        prefix=f"{PREFIX}/{name}", appliedFor=["PULL_THROUGH_CACHE"], resourceTags=[{"Key": "team", "Value": "a"}]
    )
    creates = {"Effect": "Allow", "Action": [*IMPORTS, "ecr:CreateRepository"], "Resource": "*"}
    tags = {"Effect": "Allow", "Action": "ecr:TagResource", "Resource": "*"}
    documents = {
        "without": policy(creates),
        "other": policy(creates, {**tags, "Condition": {"StringEquals": {"aws:RequestTag/team": "b"}}}),
        "tagger": policy(creates, {**tags, "Condition": {"StringEquals": {"aws:RequestTag/team": "a"}}}),
    }
    without, other, tagger = (user(cache, name, document) for name, document in documents.items())

    for caller in (without, other):
        assert pull(caller, f"{name}/app", "v47").error_codes() == ["NAME_UNKNOWN"]
    assert pull(tagger, f"{name}/app", "v47").body == one.manifest.content

    (made,) = cache.ecr.describe_repositories(repositoryNames=[f"{PREFIX}/{name}/app"])["repositories"]
    assert cache.ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"] == [
        {"Key": "team", "Value": "a"}
    ]
    assert pull(without, f"{name}/app", "v47").body == one.manifest.content
