"""Upstream registries: the nine kinds that ECR has names for, and those that the operator adds.

API reference, CreatePullThroughCacheRule; user guide, "Customizing repository prefixes" and "Upstream registry".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from moorage.domain.names import registry_of_host

ECR: Final = "ecr"

_HOSTS: Final[Mapping[str, str]] = {
    "public.ecr.aws": "ecr-public",
    "registry.k8s.io": "k8s",
    "quay.io": "quay",
    "registry-1.docker.io": "docker-hub",
    "ghcr.io": "github-container-registry",
    "registry.gitlab.com": "gitlab-container-registry",
    "cgr.dev": "chainguard",
}
_AZURE: Final = re.compile(r"[a-z0-9]{5,50}\.azurecr\.io", re.ASCII)
_ECR_HOST: Final = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]{2,25}\.amazonaws\.com(?:\.cn)?", re.ASCII)
_OPEN: Final = frozenset({"ecr-public", "k8s", "quay"})
"""Kinds that anyone can pull from. ECR accepts no secret for them."""

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::\d{1,5})?", re.ASCII)
_HOST: Final = re.compile(rf"(?i:{_NAME.pattern})|\[[0-9a-fA-F:.]{{2,45}}\](?::\d{{1,5}})?", re.ASCII)
_DOCKER_HUB: Final = "registry-1.docker.io"
_OTHER_NAMES: Final = {"docker.io": _DOCKER_HUB, "index.docker.io": _DOCKER_HUB}
"""Names of Docker Hub by which clients ask for its images; `ns=docker.io` is containerd's."""


def kind_of(url: str) -> str | None:
    """ECR's name for the registry at a host, such as `quay` for `quay.io`; None if ECR has none."""
    if _AZURE.fullmatch(url):
        return "azure-container-registry"
    return ECR if _ECR_HOST.fullmatch(url) else _HOSTS.get(url)


def needs_secret(kind: str) -> bool:
    """Whether ECR requires a secret for upstream registries of this kind."""
    return kind != ECR and kind not in _OPEN


def host_of_images(name: str) -> str:
    """The host of the registry that clients call by this name in the names of images."""
    return _OTHER_NAMES.get(name, name)


@dataclass(frozen=True, slots=True)
class AddedUpstream:
    """An upstream registry that the operator added. `url` is where it really is, `https://HOST[:PORT]`.

    `realms` are further hosts that issue its tokens. One with a URL may be in a private network.
    """

    name: str
    url: str
    realms: frozenset[str] = frozenset()
    private_networks: bool = False


class AddedUpstreams:
    """The upstream registries that the operator added, by the name that rules call them."""

    def __init__(self, added: Iterable[AddedUpstream] = ()) -> None:
        self._by_name = {upstream.name: upstream for upstream in added}

    @classmethod
    def parse(cls, entries: Iterable[str]) -> AddedUpstreams:
        """Each entry is NAME=URL, or NAME alone for `https://NAME`; then words `realm=HOST`. Raises ValueError."""
        added = [_parsed(entry) for entry in entries]
        names = [upstream.name for upstream in added]
        if len(set(names)) != len(names):
            raise ValueError("an upstream registry is named twice")
        return cls(added)

    def find(self, name: str) -> AddedUpstream | None:
        return self._by_name.get(name)


def url_of(name: str) -> str:
    """The URL of an upstream registry that ECR has a name for."""
    return f"https://{name}"


def region_of(url: str) -> str | None:
    """The Region in the host of an ECR registry."""
    registry = registry_of_host(url)
    return None if registry is None else registry.region


def _parsed(entry: str) -> AddedUpstream:
    place, *words = entry.split() or [""]
    name, equals, url = place.partition("=")
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{entry!r} is not NAME=URL: the name is that of a host, such as harbor.example.com")
    realms = [word.removeprefix("realm=") for word in words]
    if not all(word.startswith("realm=") and _NAME.fullmatch(realm) for word, realm in zip(words, realms, strict=True)):
        raise ValueError(f"{entry!r}: after NAME=URL, only realm=HOST can follow")
    url = url if equals else url_of(name)
    if not _is_plain_url(url):
        raise ValueError(f"{entry!r} is not NAME=URL: the URL is https://HOST[:PORT] without a path or credentials")
    return AddedUpstream(name, url.rstrip("/"), frozenset(realms), bool(equals))


def _is_plain_url(url: str) -> bool:
    scheme, separator, host = url.rstrip("/").partition("://")
    return scheme in {"http", "https"} and bool(separator) and _HOST.fullmatch(host) is not None
