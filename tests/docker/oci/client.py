"""The registry endpoint in this process, over a real database and real files. Tests script how bodies arrive."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
from collections.abc import Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from moorage.adapters.files.blob_store import FileBlobStore
from moorage.adapters.remote_registry.registries import DEFAULT_DEADLINES, Deadlines, DistributionRegistries
from moorage.app import reactions_of
from moorage.core.clock import system_clock
from moorage.core.events.audit import Audit
from moorage.core.garbage.grace import GracePeriods
from moorage.core.identity.accounts import create_key, create_user, root_key
from moorage.core.identity.authentication import Authenticator, Credentials
from moorage.core.identity.authorization import Authorizer
from moorage.core.identity.policies import attach, policy_name
from moorage.core.operating.audit_records import AuditRecords
from moorage.core.pages import PageTokens
from moorage.core.pull_through.cache import CacheParts, PullThroughCache
from moorage.core.pull_through.upstreams import Upstreams
from moorage.core.registry import repositories
from moorage.core.registry.addresses import Addresses
from moorage.core.registry.downloads import DownloadLinks
from moorage.core.registry.images import Images
from moorage.core.registry.layers import Layers
from moorage.core.registry.mounts import Mounts
from moorage.core.registry.pulls import Pulls
from moorage.core.registry.repositories import NewRepository
from moorage.core.secrets.changes import Secrets
from moorage.core.services import Services
from moorage.core.signing.guard import SignatureGuard
from moorage.core.signing.keys import SealedKeys
from moorage.core.signing.signatures import Signatures
from moorage.core.vault import Vault
from moorage.domain.errors import BodyTimeout, MalformedBody
from moorage.domain.identity.callers import Caller
from moorage.domain.location_forms import AUTO
from moorage.domain.names import Registry, RepositoryName
from moorage.domain.pull_through.upstreams import AddedUpstreams
from moorage.domain.registry.upload_ids import UploadIds
from moorage.http.blob_response import BlobResponses
from moorage.http.bodies import ClientGone, RequestBody
from moorage.http.locations import Locations
from moorage.http.messages import CallDetails, Request, RequestHead, Response
from moorage.http.shares.body_budget import BodyBudget
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts as identities
from moorage.metadata.registry.repositories import Repository, RepositorySettings
from moorage.oci.routes import RegistryEndpoint
from moorage.telemetry import Log
from tests.support.databases import engine_of, tables
from tests.support.images import Blob, Image
from tests.support.limits import LIMITS

T = TypeVar("T")

ACCOUNT = "000000000000"
REGION = "us-east-1"
HOST = "localhost:5000"
VAULT = Vault(b"k" * 32)


class Piece(NamedTuple):
    """A part of a request's body, and what follows it: another part, or the end of the body."""

    content: bytes
    more: bool


DISCONNECT = Piece(b"", more=True)
STALL = Piece(b"", more=True)
MALFORMED = Piece(b"", more=True)


def piece(content: bytes, *, more: bool = True) -> Piece:
    """A part of a request's body."""
    return Piece(content, more)


class ScriptedBody:
    """A body that arrives as a test scripts it. After its last piece the client disconnects, unless the body ended."""

    has_arrived = False

    def __init__(self, script: Iterable[Piece]) -> None:
        self._script = iter(script)
        self._ended = False

    def require_within_limit(self, size: int) -> None:
        """Do nothing: time does not pass here."""

    async def read(self) -> bytes:
        while not self._ended:
            part = next(self._script, DISCONNECT)
            if part is STALL:
                raise BodyTimeout
            if part is MALFORMED:
                raise MalformedBody(reason="not a chunk")
            if part is DISCONNECT:
                raise ClientGone
            self._ended = not part.more
            if part.content:
                return part.content
        return b""


class Answer(NamedTuple):
    """The response. `headers` have lower-case names. With `by_server` the HTTP server sends a file itself."""

    status: int
    headers: dict[str, str]
    body: bytes
    by_server: bool
    details: CallDetails

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of the only error in an error document."""
        (error,) = self.json()["errors"]
        return str(error["code"])


def registry_endpoint(services: Services) -> RegistryEndpoint:
    """The registry endpoint, without a log and without a proxy in front."""
    return RegistryEndpoint(services, Log(requests=False), BodyBudget(), Locations(AUTO), BlobResponses(services.blobs))


class World:
    """A registry in a folder, with an event loop that runs its requests.

    Tests can set the `upstreams` of its operator, before they call `forget`.
    """

    def __init__(self, folder: Path, deadlines: Deadlines = DEFAULT_DEADLINES) -> None:
        self.runner = asyncio.Runner()
        self.offset = 0
        self.folder = folder
        self.database = engine_of(folder).open()
        self.database.start()
        self.remotes = DistributionRegistries(deadlines)
        self.upstreams = AddedUpstreams()
        FileBlobStore(folder).prepare()
        self.forget()
        self._numbers = itertools.count()
        self.root()

    def forget(self) -> None:
        """Drop everything in memory, as if another process continued."""
        vault, store = VAULT, FileBlobStore(self.folder)
        reactions = reactions_of(LIMITS)
        authorizer, images_ = Authorizer(self.database), Images(LIMITS, reactions)
        pulls, upstreams = (
            Pulls(self.database, reactions, self.now),
            Upstreams(self.database, vault, self.upstreams, self.now),
        )
        audit = Audit(None, self.now, REGION, reads=False)
        parts = CacheParts(
            database=self.database,
            blobs=store,
            images=images_,
            authorizer=authorizer,
            pulls=pulls,
            upstreams=upstreams,
            remotes=self.remotes,
            limits=LIMITS,
            reactions=reactions,
            audit=audit,
            now=self.now,
            log=Log(requests=False),
        )
        self.services = Services(
            operator=ACCOUNT,
            database=self.database,
            blobs=store,
            layers=Layers(self.database, store, UploadIds(vault.signer("upload")), self.now, LIMITS),
            authenticator=Authenticator(self.database, vault, self.now, REGION),
            authorizer=authorizer,
            mounts=Mounts(self.database, self.now),
            images=images_,
            grace_periods=GracePeriods(self.database, self.now, LIMITS),
            pages=PageTokens(vault),
            pulls=pulls,
            download_links=DownloadLinks(vault, self.now),
            addresses=Addresses("http", HOST),
            now=self.now,
            audit=audit,
            limits=LIMITS,
            reactions=reactions,
            remotes=self.remotes,
            secrets=Secrets(vault, LIMITS),
            upstreams=upstreams,
            pull_through=PullThroughCache(parts),
            signatures=Signatures(self.database, SealedKeys(vault), self.now),
            guard=SignatureGuard(self.database, store, self.now),
            audit_records=AuditRecords(lambda _: iter(())),
        )
        self.endpoint = registry_endpoint(self.services)

    def close(self) -> None:
        self.run(self.remotes.close())
        self.database.close()
        self.runner.close()

    def now(self) -> int:
        """The time in microseconds. Tests move it with `offset`."""
        return system_clock() + self.offset

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def new_repository(
        self, account: str = ACCOUNT, name: str | None = None, settings: RepositorySettings | None = None
    ) -> str:
        """An empty repository that no other test uses."""
        name = name or f"team/app-{next(self._numbers)}"
        registry = Registry(account, REGION)

        def make(tx: Transaction) -> Repository:
            chosen = settings or RepositorySettings()
            new_repository = NewRepository(registry, RepositoryName.parse(name), chosen)
            return repositories.create(tx, new_repository, LIMITS, self.now())

        self.run(self.database.write(make))
        return name

    def root(self, account: str = ACCOUNT) -> Client:
        """The root user of an account, which is created if it does not exist."""
        key = self.run(self.database.write(lambda tx: root_key(tx, VAULT, account, self.now())))
        return self._client(key.id)

    def user(self, *policies: str, account: str = ACCOUNT) -> Client:
        """A new user of the first account or of another existing one, with these managed policies."""
        name = f"user-{next(self._numbers)}"

        def make(tx: Transaction) -> str:
            user = create_user(tx, account, name, self.now())
            for policy in policies:
                attach(tx, user, policy_name(account, policy))
            return create_key(tx, VAULT, user, self.now()).id

        return self._client(self.run(self.database.write(make)))

    def _client(self, key_id: str) -> Client:
        key = self.database.read_blocking(lambda tx: identities.find_key(tx, key_id))
        assert key is not None
        user = key.user
        caller = Caller(user.account, REGION, user.id, user.name, key.id)
        secret = VAULT.open(key.sealed_secret, key.id)
        token, _ = self.services.authenticator.issue_docker_token(Credentials(secret, caller), caller.registry)
        return Client(self, caller, basic("AWS", token), basic(key.id, secret))

    def settle(self) -> None:
        """Write the pull times so far, which otherwise happens a little later."""

        async def flushed() -> None:
            written = self.services.pulls.flush()
            if written is not None:
                await written

        self.run(flushed())

    def trace(self) -> dict[str, Any]:
        """Everything that a request could change: the rows of every table, and the files with their sizes.

        Except the records of finished uploads, which only repeated requests see, and the times when layers were
        reported, which only the collector sees.
        """
        self.settle()

        def rows(tx: Transaction) -> dict[str, Any]:
            names = [row[0] for row in tx.all(tables()) if row[0] != "finished_upload"]
            columns = {"repository_layer": "repository_id, blob_id, linked_at"}
            return {name: tx.all(f"SELECT {columns.get(name, '*')} FROM {name} ORDER BY 1, 2") for name in names}

        folders = (self.folder / "uploads", self.folder / "blobs")
        files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        return {
            **self.database.read_blocking(rows),
            "files": sorted((str(path), path.stat().st_size) for path in files),
        }


class Client:
    """A caller with credentials, who sends requests with them."""

    def __init__(self, world: World, caller: Caller, token: str, key: str) -> None:
        self.world = world
        self.caller = caller
        self.token = token
        self.key = key

    def send(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[Piece] = b"",
        headers: Mapping[str, str | None] | None = None,
        *,
        stall: bool = False,
    ) -> Answer:
        """Send one request. `body` is the whole body, or the pieces that it arrives in. A header of None is not sent.

        After the last piece the client disconnects or, with `stall`, sends nothing more.
        """
        pieces = [piece(body, more=False)] if isinstance(body, bytes) else list(body)
        if stall:
            pieces.append(STALL)
        sent = {"host": HOST, "authorization": self.token}
        if isinstance(body, bytes):
            sent["content-length"] = str(len(body))
        return self.world.run(self._exchange(method, target, pieces, {**sent, **(headers or {})}))

    def get(self, target: str, headers: Mapping[str, str | None] | None = None) -> Answer:
        return self.send("GET", target, headers=headers)

    def head(self, target: str, headers: Mapping[str, str | None] | None = None) -> Answer:
        return self.send("HEAD", target, headers=headers)

    def push_blob(self, repository: str, content: bytes, algorithm_digest: str | None = None) -> str:
        """Upload a blob. Returns its digest."""
        digest = algorithm_digest or Blob(content, "").digest
        location = self.send("POST", f"/v2/{repository}/blobs/uploads/").headers["location"]
        answer = self.send("PUT", f"{location}?digest={digest}", content)
        assert answer.status == 201, answer
        return digest

    def push(self, repository: str, image: Image, reference: str | None = None) -> Answer:
        """Upload an image and its blobs, under a tag or its digest. Returns the response to the manifest's PUT."""
        for blob in image.blobs:
            self.push_blob(repository, blob.content)
        return self.push_manifest(repository, image.manifest, reference or image.manifest.digest)

    def push_manifest(self, repository: str, manifest: Blob, reference: str) -> Answer:
        path = f"/v2/{repository}/manifests/{reference}"
        return self.send("PUT", path, manifest.content, {"content-type": manifest.media_type})

    async def _exchange(
        self, method: str, target: str, pieces: list[Piece], headers: Mapping[str, str | None]
    ) -> Answer:
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items() if value is not None]
        length = dict(pairs).get(b"content-length")
        body = RequestBody(ScriptedBody(pieces), None if length is None else int(length))
        request = Request(RequestHead(method, target.encode(), pairs), body, "request-1")
        outcome = await self.world.endpoint.handle(request)
        if outcome.response is None:
            raise ClientGone
        return await _collected(outcome.response, outcome.details, request)


async def _collected(response: Response, details: CallDetails, request: Request) -> Answer:
    body = response.body
    if response.file is not None:
        body = os.pread(response.file.descriptor, response.size, response.file.start)
        os.close(response.file.descriptor)
    elif response.stream is not None:
        body = b"".join([chunk async for chunk in response.stream])
    names = [name for name, _ in response.headers]
    assert len(names) == len(set(names)), names
    headers = {name.decode(): value.decode() for name, value in response.headers}
    if request.method != "HEAD" and response.status not in {204, 304}:
        assert headers["content-length"] == str(len(body)), headers
    return Answer(response.status, headers, body, response.file is not None, details)


def basic(user: str, password: str) -> str:
    """The Authorization header of a user name and a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
