"""Two Moorages in a chain."""

from __future__ import annotations

import json

from tests.conftest import StartServer
from tests.docker.pull_through.caches import HOST, PREFIX, start_cache
from tests.support.aws import aws_client, docker_password
from tests.support.http_client import Docker
from tests.support.images import image, index


def test_a_cache_of_a_moorage_with_credentials(fresh_server: StartServer) -> None:
    """The upstream registry is another Moorage, which wants an access key as Basic credentials."""
    upstream = fresh_server()
    with aws_client(upstream, "ecr") as there:
        there.create_repository(repositoryName="team/app")
        docker = Docker(upstream.host, upstream.port, docker_password(there))
    images = [image(seed=41), image(seed=42)]
    whole = index(images)
    for one in images:
        docker.push("team/app", one)
    docker.push("team/app", whole, "v1")
    cache = start_cache(fresh_server, upstream)
    key = {
        "username": upstream.environment["AWS_ACCESS_KEY_ID"],
        "accessToken": upstream.environment["AWS_SECRET_ACCESS_KEY"],
    }
    assert cache.pull("team/app", "v1").error_codes() == ["DENIED"]
    with aws_client(cache.server, "secretsmanager", endpoint=cache.server.url) as secrets:
        arn = secrets.create_secret(Name="ecr-pullthroughcache/moorage", SecretString=json.dumps(key))["ARN"]
    cache.ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix=PREFIX)
    cache.ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=PREFIX, upstreamRegistryUrl=HOST, credentialArn=arn)

    cache.wait_for_pull("team/app", "v1", whole.manifest.content)
    cache.pull_whole("team/app", images[1].manifest.digest, images[1])
    cache.wait_for_image("team/app", whole.manifest.digest)
