"""The rules of a registry's replication: which repositories are replicated to which registries.

ECR user guide, "Private image replication": a rule without filters is for all repositories, and a filter is a prefix of
a repository's name. Of several rules with the same destination, one is enough, and one that replicates deletions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from moorage.domain.errors import InvalidParameter
from moorage.domain.names import Registry

MOST_DESTINATIONS: Final = 25
"""Different destinations of all rules together (user guide, "Service quotas"). The service model limits the rules."""

_PARAMETER: Final = "replicationConfiguration"
_PARTITIONS: Final = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "us-iso-": "aws-iso", "us-isob-": "aws-iso-b"}


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a replication configuration. `prefixes` is empty for all repositories."""

    destinations: tuple[Registry, ...]
    prefixes: tuple[str, ...] = ()
    replicates_deletions: bool = False

    def applies_to(self, repository: str) -> bool:
        return not self.prefixes or repository.startswith(self.prefixes)


@dataclass(frozen=True, slots=True)
class Target:
    """A destination of a repository's images, and whether deletions and archivals go there, too."""

    registry: Registry
    replicates_deletions: bool


def targets_of(rules: Sequence[Rule], repository: str) -> list[Target]:
    """The destinations of a repository, each once."""
    found: dict[Registry, bool] = {}
    for rule in rules:
        if rule.applies_to(repository):
            for registry in rule.destinations:
                found[registry] = found.get(registry, False) or rule.replicates_deletions
    return [Target(registry, deletions) for registry, deletions in found.items()]


def destinations_of(rules: Sequence[Rule]) -> list[Registry]:
    """The destinations of all rules, each once."""
    return list(dict.fromkeys(registry for rule in rules for registry in rule.destinations))


def check(rules: Sequence[Rule], source: Registry) -> None:
    """Check what the service model cannot. Raises InvalidParameter; only ECR's first text was captured."""
    destinations = destinations_of(rules)
    if source in destinations:
        reason = "Replication destination cannot be the same as the source registry"
        raise InvalidParameter(parameter=_PARAMETER, constraint=reason)
    partition = _partition(source.region)
    for destination in destinations:
        if _partition(destination.region) != partition:
            reason = f"Replication destination Region '{destination.region}' must be in the partition {partition}"
            raise InvalidParameter(parameter=_PARAMETER, constraint=reason)
    if len(destinations) > MOST_DESTINATIONS:
        reason = f"Number of unique replication destinations cannot be greater than {MOST_DESTINATIONS}"
        raise InvalidParameter(parameter=_PARAMETER, constraint=reason)


def _partition(region: str) -> str:
    return next((name for prefix, name in _PARTITIONS.items() if region.startswith(prefix)), "aws")
