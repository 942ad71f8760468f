"""Names in a registry, parsed once at the edge of the program.

A `RepositoryName`, `Tag` or `Digest` exists only after `parse` has accepted its text, so other code never checks again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from moorage.domain.errors import DigestInvalid, InvalidParameter, RepositoryNameInvalid, TagInvalid

# The pattern of the service model (RepositoryName), a subset of the OCI distribution-spec's <name>. Its separators and
# components are disjoint, so matching takes linear time.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
NAME_LIMIT = 256
"""Maximum length of a repository name, in characters."""

_REPOSITORY_NAME_LENGTHS = range(2, NAME_LIMIT + 1)

# distribution-spec, "Pulling manifests": <reference> as a tag.
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", re.ASCII)

# image-spec, descriptor.md: the two registered algorithms only, because digests become paths.
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}", re.ASCII)

_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_ACCOUNT_HOST = re.compile(r"(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9][a-z0-9-]{1,24})\.", re.ASCII)
_REPOSITORY_ARN = re.compile(r"arn:aws:ecr:([a-z0-9-]{2,25}):(\d{12}):repository/(.+)", re.ASCII)


def is_account(text: str) -> bool:
    """Whether a text has the form of an account id: 12 digits."""
    return _ACCOUNT.fullmatch(text) is not None


class RepositoryName(str):
    """`team/app`: 2 to 256 characters with the pattern of the service model."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> RepositoryName:
        """Check a name. Raises RepositoryNameInvalid."""
        if len(text) not in _REPOSITORY_NAME_LENGTHS or _REPOSITORY_NAME.fullmatch(text) is None:
            raise RepositoryNameInvalid(repository=text[:256])
        return cls(text)


class Tag(str):
    """`v1.2`: at most 128 characters, as Docker allows; the API's shape allows 300."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Tag:
        """Check a tag. Raises TagInvalid."""
        if _TAG.fullmatch(text) is None:
            raise TagInvalid(tag=text[:300])
        return cls(text)


class Digest(str):
    """`sha256:…` or `sha512:…` in lower-case hexadecimal."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Check a digest. Raises DigestInvalid."""
        if _DIGEST.fullmatch(text) is None:
            raise DigestInvalid(digest=text[:200])
        return cls(text)

    @property
    def algorithm(self) -> str:
        return self[:6]


@dataclass(frozen=True, slots=True)
class Registry:
    """One of the registries of a server: an account in a Region."""

    account: str
    region: str

    def repository_arn(self, name: str) -> str:
        return f"arn:aws:ecr:{self.region}:{self.account}:repository/{name}"

    def registry_arn(self) -> str:
        """The resource of operations on the registry itself, as in ECR's messages: it has no ARN."""
        return "*"


def registry_of_host(host: str) -> Registry | None:
    """The registry in a host name such as ACCOUNT.dkr.ecr.REGION.ANYTHING, or None."""
    found = _ACCOUNT_HOST.match(host)
    return Registry(found[1], found[2]) if found else None


def parse_repository_arn(text: str) -> tuple[Registry, RepositoryName]:
    """The registry and repository in an ARN. Raises InvalidParameter."""
    found = _REPOSITORY_ARN.fullmatch(text)
    if found is None:
        raise InvalidParameter(parameter="resourceArn", constraint="Invalid ARN")
    try:
        name = RepositoryName.parse(found[3])
    except RepositoryNameInvalid:
        raise InvalidParameter(parameter="resourceArn", constraint="Invalid ARN") from None
    return Registry(found[2], found[1]), name


def matches_wildcard(pattern: str, text: str) -> bool:
    """Whether the whole `text` matches `pattern`, in which `*` matches any number of characters."""
    return matches_pieces(pattern.split("*"), text)


def matches_pieces(pieces: list[str], text: str) -> bool:
    """Whether `text` consists of `pieces` in this order with anything between them.

    Linear for each piece; a user's text never becomes a regular expression.
    """
    if len(pieces) == 1:
        return text == pieces[0]
    first, *middle, last = pieces
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    return in_order(middle, text, len(first), len(text) - len(last))


def in_order(pieces: Iterable[str], text: str, position: int, end: int) -> bool:
    """Whether `text` has these pieces in order between two positions. Linear for each piece."""
    for piece in pieces:
        found = text.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return True
