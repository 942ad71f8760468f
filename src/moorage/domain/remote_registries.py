"""Other registries, as ports: read from one and write to one over the OCI distribution protocol.

`RemoteRegistries.at` returns the registry at an address. It is cheap and does no input or output: connections, tokens
and the time for which a registry asked for silence are kept by address.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from moorage.domain.registry.manifests import Descriptor

REPLICATED_FROM: Final = "Moorage-Replicated-From"
"""The header that tells another Moorage which registry a change is replicated from, as `ACCOUNT/REGION`."""


class RemoteFailure(Exception):
    """A request to a remote registry did not succeed; the text says why, without secrets.

    `status` and `code` are those of the registry's answer (`MANIFEST_UNKNOWN`), 0 and empty if there was none.
    """

    def __init__(self, reason: str, *, status: int = 0, code: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.code = code


class RemoteMissing(RemoteFailure):
    """The registry does not have the repository, manifest, blob or upload (404)."""


class RemoteDenied(RemoteFailure):
    """The registry does not accept the credentials, or its address or realm is not allowed."""


class RemoteThrottled(RemoteFailure):
    """The registry asks for fewer requests (429). No request is sent until `retry_after` seconds have passed."""

    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(reason, status=429)
        self.retry_after = retry_after


class RemoteUnavailable(RemoteFailure):
    """The registry cannot be reached, does not answer in time, or reports an error of its own (5xx)."""


class RemoteInvalid(RemoteFailure):
    """The registry's answer is wrong: another digest or size, HTML, no end, or no answer of the protocol at all."""


class RemoteRefused(RemoteFailure):
    """The registry does not accept what was sent, such as another image under an immutable tag. A retry cannot help."""


@dataclass(frozen=True, slots=True)
class UserCredentials:
    """A user name with a password or an access token."""

    username: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """An access key, for which ECR issues tokens of 12 hours (GetAuthorizationToken).

    `endpoint` is the URL of the ECR API; the default is that of AWS in the Region.
    """

    key_id: str
    secret: str = field(repr=False)
    region: str
    session_token: str = field(default="", repr=False)
    endpoint: str = ""


RemoteCredentials = UserCredentials | AwsCredentials


@dataclass(frozen=True, slots=True)
class RemoteAddress:
    """Where a registry is, and how to log in.

    `url` is `https://HOST[:PORT]` without a path. `realms` are hosts that may issue the registry's tokens, beside its
    own and those that are known for public registries (auth.docker.io). Unless `private_networks` is true, no
    connection is made to a loopback, private or link-local address, neither after a redirect.
    """

    url: str
    credentials: RemoteCredentials | None = None
    realms: frozenset[str] = frozenset()
    private_networks: bool = False


@dataclass(frozen=True, slots=True)
class RemoteManifest:
    """A manifest as a registry sent it, or gets it. `digest` is that of `body`, and the one that was asked for.

    `origin` is `ACCOUNT/REGION` of the registry that it is replicated from: another Moorage stores it as a replica.
    """

    body: bytes
    media_type: str
    digest: str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class RemoteBlob:
    """A blob on its way. `size` is None if neither the caller nor the registry names it.

    The last chunk comes only after digest and size of the whole were right, so a wrong blob is never complete; the
    iterator raises RemoteFailure instead. A connection that breaks is continued where it broke. A caller that computes
    the digest itself asks for bytes that are not `verified`: then only the size is compared.
    """

    size: int | None
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class RemoteUpload:
    """An upload at the registry, which has received `offset` bytes. It can be stored and continued later."""

    repository: str
    location: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class FilePart:
    """Bytes of a local file, from `start` on. `pace` is awaited with the number of bytes before they are sent."""

    path: Path
    start: int
    pace: Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class UploadContent:
    """The next `size` bytes of an upload: `chunks`, or the same bytes of `file`, which may be sent instead.

    An exception of `chunks` passes through the request that sends them.
    """

    chunks: AsyncIterator[bytes]
    size: int
    file: FilePart | None = None


class RemoteRegistry(Protocol):
    """One remote registry. All methods raise RemoteFailure; repositories are named without the host."""

    async def check(self) -> None:
        """Check that the registry answers and accepts the credentials. Raises RemoteDenied, RemoteUnavailable."""

    async def manifest(self, repository: str, reference: str) -> RemoteManifest:
        """The manifest with a tag or digest. Registries count it as a pull."""

    async def head(self, repository: str, reference: str) -> str | None:
        """The digest of the manifest with a tag or digest; None if the registry names none. No registry counts it.

        Raises RemoteMissing if the manifest does not exist.
        """

    def blob(
        self, repository: str, digest: str, size: int | None = None, *, verified: bool = True
    ) -> AbstractAsyncContextManager[RemoteBlob]:
        """The blob with a digest. With `size`, a blob of any other size is refused."""

    async def referrers(self, repository: str, digest: str) -> list[Descriptor]:
        """The referrers of a manifest: from the referrers API, or else from the fallback tag."""

    def tags(self, repository: str) -> AsyncIterator[list[str]]:
        """The tags of a repository, in pages."""

    def catalog(self) -> AsyncIterator[list[str]]:
        """The names of the repositories, in pages. Many registries show it to few users, or to nobody."""

    async def create_repository(self, repository: str) -> None:
        """Create a repository, where an access key of ECR can do that; RemoteRefused elsewhere."""

    async def has_blob(self, repository: str, digest: str) -> bool:
        """Whether a repository has a blob. Only for registries that are written to: ECR Public refuses the request."""

    async def start_upload(self, repository: str, digest: str, mount_from: str | None = None) -> RemoteUpload | None:
        """Start an upload. None if the registry mounted the blob from the repository `mount_from` instead."""

    async def find_upload(self, upload: RemoteUpload) -> RemoteUpload:
        """The upload with the offset that the registry reports. Raises RemoteMissing if it has ended."""

    async def append(self, upload: RemoteUpload, content: UploadContent) -> RemoteUpload:
        """Send the next bytes. An exception of the content's chunks passes through."""

    async def finish_upload(self, upload: RemoteUpload, digest: str) -> None:
        """Turn the upload into a blob. Raises RemoteRefused if the registry has received other bytes."""

    async def put_manifest(self, repository: str, reference: str, manifest: RemoteManifest) -> None:
        """Store a manifest under a tag or its digest."""

    async def delete_manifest(self, repository: str, reference: str, origin: str = "", expected: str = "") -> None:
        """Delete a tag, or a manifest by digest; at another Moorage only of a replica from `origin`, if that is named.

        `origin` is the one that the manifest had when it was put. A tag can have an `expected` digest: registries with
        conditional requests, such as Moorage, raise RemoteMissing if it names another manifest.
        """

    async def archive_image(self, repository: str, digest: str, origin: str = "") -> None:
        """Archive an image; at another Moorage only a replica from `origin`, if that is named.

        Nothing happens in a registry without storage classes, to an image that is archived, and to one that an active
        index there lists. Only an access key of ECR can archive. Raises RemoteMissing if the image does not exist.
        """


class RemoteRegistries(Protocol):
    """All remote registries that this process talks to."""

    def at(self, address: RemoteAddress) -> RemoteRegistry:
        """The registry at an address. Raises ValueError if the address is not one of a registry."""

    async def close(self) -> None:
        """Close all connections; the next request opens new ones."""
