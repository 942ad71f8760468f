"""What a destination outside this server gets: which tags, only signed images or all, and under which names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from moorage.domain.names import matches_wildcard
from moorage.domain.replication.versions import VersionRange

MOST_PATTERNS: Final = 20
_PREFIX: Final = re.compile(r"(?:[a-z0-9]+(?:[._/-]+[a-z0-9]+)*/?)?", re.ASCII)
_PATTERN: Final = re.compile(r"[A-Za-z0-9_.*-]{1,128}", re.ASCII)

SIGNATURE_TYPES: Final = frozenset(
    {
        "application/vnd.cncf.notary.signature",
        "application/vnd.dev.cosign.artifact.sig.v1+json",
        "application/vnd.dev.sigstore.bundle.v0.3+json",
    }
)
"""Artifact types of signatures by Notation and cosign."""

_COSIGN_TAG: Final = re.compile(r"(sha256)-([a-f0-9]{64})\.sig", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A prefix of repository names here, and what takes its place there. Either may be empty."""

    here: str
    there: str

    @classmethod
    def parse(cls, text: str) -> Rewrite:
        """Read `HERE=THERE`. Raises ValueError."""
        here, separator, there = text.partition("=")
        if not separator or not all(_PREFIX.fullmatch(part) for part in (here, there)):
            raise ValueError(f"{text!r} is not HERE=THERE, two prefixes of repository names such as team/=mirror/team/")
        return cls(here, there)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a destination gets. Without tags and versions it gets every tag."""

    tags: tuple[str, ...] = ()
    versions: str = ""
    only_signed: bool = False
    rewrites: tuple[Rewrite, ...] = ()

    @property
    def takes_all_tags(self) -> bool:
        return not self.tags and not self.versions

    def takes_tag(self, tag: str) -> bool:
        """Whether a tag matches one of the patterns, or is a version in the range. A signature's tag always does."""
        if self.takes_all_tags or _COSIGN_TAG.fullmatch(tag):
            return True
        if any(matches_wildcard(pattern, tag) for pattern in self.tags):
            return True
        return bool(self.versions) and VersionRange.parse(self.versions).includes(tag)

    def name_there(self, repository: str) -> str:
        """The name of a repository at the destination: the longest prefix that matches is replaced."""
        matching = [rewrite for rewrite in self.rewrites if repository.startswith(rewrite.here)]
        if not matching:
            return repository
        longest = max(matching, key=lambda rewrite: len(rewrite.here))
        return longest.there + repository.removeprefix(longest.here)


def check_patterns(patterns: Sequence[str]) -> None:
    """Check patterns of tags. Raises ValueError."""
    if len(patterns) > MOST_PATTERNS:
        raise ValueError(f"a destination can have at most {MOST_PATTERNS} patterns of tags")
    for pattern in patterns:
        if _PATTERN.fullmatch(pattern) is None:
            raise ValueError(f"{pattern!r} is not a pattern of tags: letters, digits and . _ - with * for any text")


def signed_by_tag(tag: str) -> str | None:
    """The digest of the image that a signature of cosign with this tag is for; None for any other tag."""
    found = _COSIGN_TAG.fullmatch(tag)
    return f"{found[1]}:{found[2]}" if found else None


def cosign_tag(digest: str) -> str:
    """The tag of the signature of an image by cosign."""
    return f"{digest.replace(':', '-')}.sig"
