"""`moorage import registry` and `moorage import ecr`: over the network, from registries of any kind and from ECR."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.operations.transfer.conftest import Images, Moorage
from tests.support.aws import aws_client
from tests.support.distribution import Distribution
from tests.support.http_client import Docker
from tests.support.images import image

LIFECYCLE = (
    '{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"imageCountMoreThan",'
    '"countNumber":100},"action":{"type":"expire"}}]}'
)
STATEMENT = '{"Sid":"pull","Effect":"Allow","Principal":"*","Action":"ecr:ListImages"}'
POLICY = f'{{"Version":"2012-10-17","Statement":[{STATEMENT}]}}'


def test_tags_come_from_a_registry_with_their_indexes_and_signatures(
    moorage: Moorage, distribution: Distribution, upstream: Docker, team: str, images_of: Callable[[], Images]
) -> None:
    found = images_of()
    found.push(upstream, f"{team}/app")
    words = ("import", "registry", f"http://127.0.0.1:{distribution.port}", f"{team}/app", "--private-network")

    done = moorage.run(*words)
    again = moorage.run(*words)

    assert done.code == 0, done
    assert moorage.tags(f"{team}/app") == ["latest", "v1"]
    assert moorage.has(f"{team}/app", found.both, "latest")
    assert moorage.has(f"{team}/app", found.first, "v1")
    assert "Imported 0 images of 1 repositories; 2 were here" in again.out


def test_without_names_all_repositories_of_the_catalogue_come(
    moorage: Moorage, distribution: Distribution, upstream: Docker, team: str
) -> None:
    one, two = image(seed=301), image(seed=302)
    upstream.push(f"{team}/one", one, "v1")
    upstream.push(f"{team}/two", two, "v1")

    done = moorage.run(
        "import", "registry", f"http://127.0.0.1:{distribution.port}", "--private-network", "--repository", f"{team}/*"
    )

    assert done.code == 0, done
    assert moorage.has(f"{team}/one", one, "v1")
    assert moorage.has(f"{team}/two", two, "v1")


def test_a_repository_that_the_registry_does_not_have_is_listed(
    moorage: Moorage, distribution: Distribution, team: str
) -> None:
    url = f"http://127.0.0.1:{distribution.port}"

    missing = moorage.run("import", "registry", url, f"{team}/none", "--private-network")
    forbidden = moorage.run("import", "registry", url, f"{team}/none")

    assert missing.code == 3
    assert missing.out.startswith(f"{team}/none: ")
    assert forbidden.code == 1
    assert "The import did not finish" in forbidden.err


@pytest.mark.parametrize("with_images", [True, False])
def test_an_account_of_ecr_comes_with_its_settings_and_images(
    moorage: Moorage,
    other: Moorage,
    team: str,
    tmp_path: Path,
    images_of: Callable[[], Images],
    *,
    with_images: bool,
) -> None:
    """The other server stands for ECR: its API is that of AWS."""
    found, name = images_of(), f"{team}/app"
    with aws_client(other.server, "ecr") as ecr:
        ecr.create_repository(
            repositoryName=name,
            imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
            imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "latest*"}],
            tags=[{"Key": "team", "Value": "a"}],
        )
        ecr.set_repository_policy(repositoryName=name, policyText=POLICY)
        ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=LIFECYCLE)
        ecr.create_repository_creation_template(prefix=team, appliedFor=["CREATE_ON_PUSH"], description="ours")
        ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=team, upstreamRegistryUrl="quay.io")
        ecr.create_repository(
            repositoryName=f"{team}/secret",
            encryptionConfiguration={"encryptionType": "KMS"},
        )
        endpoint = ecr.meta.endpoint_url
    found.push(other.docker, name)
    variables = {name: value for name, value in other.server.environment.items() if name.startswith("AWS_")}
    options = () if with_images else ("--settings-only",)
    words = ("import", "ecr", "--from-region", "us-east-1", "--from-endpoint", endpoint, *options)

    done = moorage.run(*words, variables=variables)

    assert done.code == 0, done
    with aws_client(moorage.server, "ecr") as ecr:
        repository = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
        assert repository["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
        assert ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"] == LIFECYCLE
        assert '"Sid" : "pull"' in ecr.get_repository_policy(repositoryName=name)["policyText"]
        tags = ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
        assert tags == [{"Key": "team", "Value": "a"}]
        templates = ecr.describe_repository_creation_templates(prefixes=[team])["repositoryCreationTemplates"]
        assert templates[0]["description"] == "ours"
        rules = ecr.describe_pull_through_cache_rules(ecrRepositoryPrefixes=[team])["pullThroughCacheRules"]
        assert rules[0]["upstreamRegistryUrl"] == "quay.io"
    if with_images:
        assert moorage.tags(name) == ["latest", "v1"]
        for one in (found.first, found.second, found.signature, found.both):
            assert moorage.has(name, one)
        again = moorage.run(*words, variables=variables)
        assert "Settings: 0 changes." in again.out
        assert "Imported 0 images" in again.out
    else:
        assert moorage.tags(name) == []


def test_an_account_that_does_not_accept_the_key_is_reported(moorage: Moorage, other: Moorage) -> None:
    variables = {"AWS_ACCESS_KEY_ID": "AKIANOTTHERE00000000", "AWS_SECRET_ACCESS_KEY": "x"}
    endpoint = f"http://127.0.0.1:{other.server.port}"
    words = ("import", "ecr", "--from-region", "us-east-1", "--from-endpoint", endpoint)

    refused = moorage.run(*words, variables=variables)

    assert refused.code == 1
    assert "The import did not finish: " in refused.err
    assert "UnrecognizedClientException" in refused.err
