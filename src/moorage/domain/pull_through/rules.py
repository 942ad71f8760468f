"""Pull-through cache rules: which repository of which upstream registry a repository caches.

    prefix      upstream prefix     repository      upstream repository
    hub         ROOT                hub/a/b         a/b
    hub         library             hub/a/b         library/a/b
    team        team                team/a          team/a
    ROOT        ROOT                a/b             a/b

ECR user guide, "Customizing repository prefixes for ECR to ECR pull through cache". As an upstream prefix, ROOT adds
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from moorage.domain.repository_prefixes import ROOT, key_of, prefixes_of
from moorage.domain.units import DAY

REFRESH: Final = DAY
"""ECR looks for a new image under a cached tag at most once in 24 hours (user guide, "Pulling an image")."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A pull-through cache rule. `kind` is ECR's name for the upstream registry; None for one that has no such name.

    `prefix` and `upstream_prefix` are as the client wrote them, and an empty upstream prefix is one that it left out.
    `url` is a host, as in ECR. `refresh` is the time after which a cached tag is compared with the upstream registry;
    None means `REFRESH`.
    """

    prefix: str
    url: str
    kind: str | None = None
    upstream_prefix: str = ""
    credential_arn: str | None = None
    role: str | None = None
    refresh: int | None = None
    created_at: int = 0
    updated_at: int = 0

    @property
    def key(self) -> str:
        """The prefix used for look-up: a trailing slash makes no difference."""
        return key_of(self.prefix)

    @property
    def upstream_key(self) -> str:
        """The upstream prefix that applies, without a trailing slash."""
        return key_of(self.upstream_prefix or ROOT)

    def upstream_repository(self, name: str) -> str:
        """The repository of the upstream registry that a repository covered by this rule caches."""
        rest = name if self.key == ROOT else name[len(self.key) + 1 :]
        upstream = self.upstream_key
        return rest if upstream == ROOT else f"{upstream}/{rest}"

    def covers_upstream(self, repository: str) -> bool:
        """Whether a repository of the upstream registry can be cached by this rule."""
        upstream = self.upstream_key
        return upstream == ROOT or repository.startswith(f"{upstream}/")

    def cached_name(self, repository: str) -> str:
        """The reverse of `upstream_repository`."""
        upstream = self.upstream_key
        rest = repository if upstream == ROOT else repository[len(upstream) + 1 :]
        return rest if self.key == ROOT else f"{self.key}/{rest}"


class Origin(NamedTuple):
    """Where the images of a repository come from: the rule, and the repository of the upstream registry."""

    rule: Rule
    repository: str


class RuleSet:
    """The rules of one registry."""

    __slots__ = ("_by_key",)

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._by_key = {rule.key: rule for rule in rules}

    def origin_of(self, name: str) -> Origin | None:
        """The origin of a repository with this name, by the rule with the longest prefix; None without a rule."""
        for prefix in prefixes_of(name) if self._by_key else ():
            rule = self._by_key.get(prefix)
            if rule is not None:
                return Origin(rule, rule.upstream_repository(name))
        return None

    def mirrored_name(self, url: str, repository: str) -> str | None:
        """The name under which a repository of an upstream registry is cached, by the most specific rule for it."""
        rules = [rule for rule in self._by_key.values() if rule.url == url and rule.covers_upstream(repository)]
        best = max(rules, key=_specificity, default=None)
        return None if best is None else best.cached_name(repository)

    @property
    def size(self) -> int:
        """About how many bytes of memory the rules take."""
        return 4096 * (1 + len(self._by_key))


def _specificity(rule: Rule) -> tuple[int, str]:
    upstream = rule.upstream_key
    return (0 if upstream == ROOT else len(upstream)), rule.key
