"""Which repository of an upstream registry a repository caches (ECR user guide, "Customizing repository prefixes")."""

from __future__ import annotations

import pytest

from moorage.domain.pull_through.rules import Rule, RuleSet
from moorage.domain.pull_through.upstreams import AddedUpstream, AddedUpstreams, host_of_images, kind_of, needs_secret


@pytest.mark.parametrize(
    ("prefix", "upstream_prefix", "name", "expected"),
    [
        ("ecr-public", "ROOT", "ecr-public/my-app/image1", "my-app/image1"),
        ("ROOT", "ROOT", "my-app/image1", "my-app/image1"),
        ("team-a", "team-a", "team-a/image1", "team-a/image1"),
        ("my-app", "upstream-app", "my-app/image1", "upstream-app/image1"),
        ("a/b/", "c/d/", "a/b/e/f", "c/d/e/f"),
    ],
)
def test_a_name_is_mapped_to_the_upstream_repository_and_back(
    prefix: str, upstream_prefix: str, name: str, expected: str
) -> None:
    rules = RuleSet([Rule(prefix, "quay.io", upstream_prefix=upstream_prefix)])

    origin = rules.origin_of(name)

    assert origin is not None
    assert origin.repository == expected
    assert rules.mirrored_name("quay.io", expected) == name


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("team/app/x", "team/app"),
        ("team/app", "team"),  # A slash is assumed: `team/app` does not cover the repository of that name.
        ("team/apple/x", "team"),
        ("team", "ROOT"),
        ("other/x", "ROOT"),
    ],
)
def test_the_longest_prefix_before_a_slash_wins_and_root_is_the_last(name: str, prefix: str) -> None:
    rules = RuleSet([Rule("team", "a"), Rule("team/app/", "b"), Rule("ROOT", "c")])

    origin = rules.origin_of(name)

    assert origin is not None
    assert origin.rule.key == prefix


def test_without_a_rule_for_it_a_name_has_no_origin() -> None:
    assert RuleSet([]).origin_of("team/app") is None
    assert RuleSet([Rule("hub", "a")]).origin_of("hub") is None
    assert RuleSet([Rule("hub", "a")]).origin_of("hubble/x") is None


def test_a_mirror_uses_the_most_specific_rule_for_the_upstream_repository() -> None:
    rules = RuleSet([Rule("hub", "h"), Rule("official", "h", upstream_prefix="library"), Rule("quay", "q")])

    assert rules.mirrored_name("h", "library/nginx") == "official/nginx"
    assert rules.mirrored_name("h", "team/nginx") == "hub/team/nginx"
    assert rules.mirrored_name("q", "nginx") == "quay/nginx"
    assert rules.mirrored_name("other", "nginx") is None


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "ecr"),
        ("public.ecr.aws", "ecr-public"),
        ("registry.k8s.io", "k8s"),
        ("quay.io", "quay"),
        ("registry-1.docker.io", "docker-hub"),
        ("ghcr.io", "github-container-registry"),
        ("myregistry.azurecr.io", "azure-container-registry"),
        ("registry.gitlab.com", "gitlab-container-registry"),
        ("cgr.dev", "chainguard"),
        ("docker.io", None),
        ("https://quay.io", None),
        ("QUAY.IO", None),
        ("quay.io/", None),
        ("evil.quay.io", None),
        ("x.azurecr.io.evil.example", None),
    ],
)
def test_ecr_has_names_for_nine_kinds_of_registries(url: str, kind: str | None) -> None:
    assert kind_of(url) == kind


def test_five_kinds_need_a_secret() -> None:
    kinds = ["ecr", "ecr-public", "k8s", "quay", "docker-hub", "github-container-registry"]
    kinds += ["azure-container-registry", "gitlab-container-registry", "chainguard"]

    assert [kind for kind in kinds if not needs_secret(kind)] == ["ecr", "ecr-public", "k8s", "quay"]


def test_clients_call_docker_hub_by_other_names() -> None:
    assert host_of_images("docker.io") == host_of_images("index.docker.io") == "registry-1.docker.io"
    assert host_of_images("quay.io") == "quay.io"


def test_the_operator_adds_upstream_registries() -> None:
    added = AddedUpstreams.parse(
        ["quay.io", "git.corp:5050=http://10.0.0.7:5050/ realm=gitlab.corp", "h=https://[::1]:5"]
    )

    assert added.find("quay.io") == AddedUpstream("quay.io", "https://quay.io")
    private = AddedUpstream("git.corp:5050", "http://10.0.0.7:5050", frozenset({"gitlab.corp"}), private_networks=True)
    assert added.find("git.corp:5050") == private
    assert added.find("h") == AddedUpstream("h", "https://[::1]:5", private_networks=True)
    assert added.find("other") is None


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "=https://a",
        "a/b",
        "A",
        "a=",
        "a=ftp://b",
        "a=b",
        "a=https://b/path",
        "a=https://user:password@b",
        "a=https://b?c",
        "a=https://b other",
        "a=https://b realm=",
    ],
)
def test_other_texts_are_not_upstream_registries(entry: str) -> None:
    with pytest.raises(ValueError, match=r"NAME=URL|realm"):
        AddedUpstreams.parse([entry])


def test_a_name_is_added_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        AddedUpstreams.parse(["a", "a=https://b"])
