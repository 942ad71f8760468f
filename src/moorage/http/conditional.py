"""Conditional requests (RFC 9110, section 13). The entity tag is the digest, so its content never changes."""

from __future__ import annotations

from moorage.http.messages import Request


def etag_of(digest: str) -> bytes:
    """The entity tag of content with that digest."""
    return b'"%b"' % digest.encode()


def is_unchanged(request: Request, etag: bytes) -> bool:
    """Whether If-None-Match has this entity tag. The comparison is weak, so `W/` is ignored."""
    value = request.headers.get(b"if-none-match")
    return value is not None and any(tag.removeprefix(b"W/") in {etag, b"*"} for tag in _listed(value))


def is_expected(request: Request, etag: bytes | None) -> bool:
    """Whether If-Match is absent or has this entity tag; None if there is no content.

    The comparison is strong, so a tag with `W/` matches nothing.
    """
    value = request.headers.get(b"if-match")
    return value is None or (etag is not None and any(tag in {etag, b"*"} for tag in _listed(value)))


def _listed(value: bytes) -> list[bytes]:
    return [tag.strip() for tag in value.split(b",")]
