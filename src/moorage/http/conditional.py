"""Conditional requests (RFC 9110, section 13). The entity tag is the digest, so its content never changes."""

from __future__ import annotations

from moorage.http.messages import Request


def etag_of(digest: str) -> bytes:
    """The entity tag of content with that digest."""
    return b'"%b"' % digest.encode()


def is_unchanged(request: Request, etag: bytes) -> bool:
    """Whether If-None-Match has this entity tag. The comparison is weak, so `W/` is ignored."""
    value = request.headers.get(b"if-none-match")
    if value is None:
        return False
    return any(candidate.strip().removeprefix(b"W/") in {etag, b"*"} for candidate in value.split(b","))
