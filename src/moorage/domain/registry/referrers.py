"""The referrers tag schema: clients list the referrers of an image under a tag (distribution-spec)."""

from __future__ import annotations

import re
from typing import Final

REFERRERS_TAG: Final = re.compile(r"(sha256|sha512)-([a-f0-9]{64})", re.ASCII)
"""distribution-spec, "Referrers Tag Schema": only the first half of a SHA-512 digest."""


def referrers_tag(subject: str) -> str:
    """The tag for the referrers of a digest; empty for text that is not a digest."""
    algorithm, _, encoded = subject.partition(":")
    tag = f"{algorithm}-{encoded[:64]}"
    return tag if REFERRERS_TAG.fullmatch(tag) else ""
