"""The rules of a signing configuration: which profiles sign an image that is pushed to a repository.

ECR user guide, "Managed signing"; API reference, SigningConfiguration.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from moorage.domain.errors import Validation
from moorage.domain.names import Registry, matches_wildcard
from moorage.domain.registry.manifests import INDEX_TYPES
from moorage.domain.registry.referrers import REFERRERS_TAG
from moorage.domain.signing.errors import SigningError
from moorage.domain.signing.profiles import ProfileName

NOTATION_SIGNATURE: Final = "application/vnd.cncf.notary.signature"
"""The artifact type of Notation signatures (Notary Project specification, "OCI Signatures")."""

_SIGNATURE_TYPES: Final = (NOTATION_SIGNATURE, "application/vnd.dev.cosign.", "application/vnd.dev.sigstore.")
_COSIGN_TAG: Final = re.compile(r"sha256-[0-9a-f]{64}\.(?:sig|att|sbom)", re.ASCII)


class SigningRule(msgspec.Struct, frozen=True):
    """A profile, and the repositories whose images it signs: all of them without filters."""

    profile: str
    filters: tuple[str, ...] = ()

    def matches(self, repository: str) -> bool:
        """Whether a filter matches the whole name. `*` stands for any characters, `/` included."""
        return not self.filters or any(matches_wildcard(pattern, repository) for pattern in self.filters)


def check(registry: Registry, rules: Sequence[SigningRule]) -> None:
    """Raises Validation, with ECR's text, for a profile of another Region."""
    for rule in rules:
        try:
            region = ProfileName.of_arn(rule.profile).registry.region
        except SigningError as error:  # another partition
            raise Validation(reason=str(error)) from None
        if region != registry.region:
            raise Validation(
                reason=f"The region of signing profile ARN '{rule.profile}' is '{region}'"
                f" but must be '{registry.region}' (the current region)"
            )


def profiles_for(rules: Sequence[SigningRule], repository: str) -> tuple[str, ...]:
    """The ARNs of the profiles that sign images of a repository, each once."""
    return tuple(dict.fromkeys(rule.profile for rule in rules if rule.matches(repository)))


def is_signature(artifact_type: str | None, tags: Sequence[str], media_type: str) -> bool:
    """Whether an image is a signature, or the list of an image's signatures: those are never signed.

    cosign also keeps signatures and attestations as images with a tag of their subject's digest.
    """
    if artifact_type is not None and artifact_type.startswith(_SIGNATURE_TYPES):
        return True
    is_list = media_type in INDEX_TYPES and any(REFERRERS_TAG.fullmatch(tag) for tag in tags)
    return is_list or any(_COSIGN_TAG.fullmatch(tag) for tag in tags)
