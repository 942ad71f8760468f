"""Upstream registries that lie, stall, redirect or refuse, seen at the registry endpoint through the cache.

Each has a status with a code, leaves nothing half visible, and the next pull works when the registry is well again.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from aiohttp import web

from moorage.adapters.remote_registry import origins
from moorage.adapters.remote_registry.registries import Deadlines
from moorage.core.pull_through import manifests
from moorage.core.pull_through.completion import CompletionJobs
from moorage.domain import hosts
from moorage.domain.errors import Unavailable
from moorage.domain.names import Registry
from moorage.domain.pull_through.rules import Rule
from moorage.domain.pull_through.upstreams import AddedUpstream, AddedUpstreams
from moorage.domain.units import HOUR
from moorage.metadata.database import Transaction
from moorage.metadata.jobs import Job, JobFailed
from moorage.metadata.pull_through import rules as stored_rules
from moorage.metadata.registry import images, layers, repositories
from tests.contract.remote_registry.hostile import IMAGE, LAYER, Handler, HostileRegistry, served
from tests.docker.oci.client import ACCOUNT, REGION, Client, World
from tests.docker.pull_through.caches import HOST, PREFIX
from tests.support.images import Image, digest, image, layer
from tests.support.waiting import wait_until

HERE: Final = Registry(ACCOUNT, REGION)
OTHER: Final = image([layer(700_000, seed=9)])
BROKEN: Final = (200, "broken off")
"""The response began before the failure, so its status is one of success, but it has not all bytes."""


# --- What the upstream registry does ------------------------------------------------------------------------------


async def silent(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(3600)
    raise AssertionError


async def denied(request: web.Request) -> web.StreamResponse:
    """401 for every token that the registry itself issues."""
    realm = f'Bearer realm="{request.scheme}://{request.host}/token",service="tests"'
    return web.Response(status=401, headers={"WWW-Authenticate": realm})


def stalls_after(sent: bytes, size: int) -> Handler:
    async def stall(request: web.Request) -> web.StreamResponse:
        response = await _begun(request, size)
        await response.write(sent)
        return await silent(request)

    return stall


def ends_after(sent: bytes, size: int | None = None) -> Handler:
    """Send these bytes, chunked or with this Content-Length, and close the connection."""

    async def end(request: web.Request) -> web.StreamResponse:
        response = await _begun(request, size)
        await response.write(sent)
        if size not in {None, len(sent)} and request.transport is not None:
            request.transport.close()
        return response

    return end


async def endless(request: web.Request) -> web.StreamResponse:
    response = await _begun(request, None)
    while True:
        await response.write(b" " * (1 << 20))


def refuses(status: int, **headers: str) -> Handler:
    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={name.replace("_", "-"): text for name, text in headers.items()})

    return refuse


def redirects(place: str) -> Handler:
    """Redirect to a place, in which `{port}` is the registry's own port and `{path}` the requested path."""

    async def redirect(request: web.Request) -> web.StreamResponse:
        target = place.format(port=request.url.port, path=request.path)
        return web.Response(status=307, headers={"Location": target})

    return redirect


async def sends_html(_: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>Log in to the hotel's network</html>", content_type="text/html")


async def sends_another_digest(_: web.Request) -> web.StreamResponse:
    headers = {"Docker-Content-Digest": digest(b"another")}
    return web.Response(body=IMAGE.manifest.content, content_type=IMAGE.manifest.media_type, headers=headers)


async def _begun(request: web.Request, size: int | None) -> web.StreamResponse:
    """A response with a manifest's media type, which also blobs may have."""
    response = web.StreamResponse(headers={"Content-Type": IMAGE.manifest.media_type})
    response.content_length = size
    await response.prepare(request)
    return response


class Fault(NamedTuple):
    """What a registry does, and what the client gets: status and code, or BROKEN."""

    name: str
    does: Handler
    status: int
    code: str
    stalls: bool = False


_METADATA: Final = "http://169.254.169.254/latest/meta-data/"
_MAPPED: Final = "http://[::ffff:127.0.0.1]:{port}{path}"

OF_BOTH: Final = (
    Fault("no answer", silent, 503, "UNAVAILABLE", stalls=True),
    Fault("redirects in a circle", redirects("{path}"), 502, "UNAVAILABLE"),
    Fault("redirects to the metadata of a cloud", redirects(_METADATA), 403, "DENIED"),
    Fault("redirects to a mapped loopback address", redirects(_MAPPED), 403, "DENIED"),
    Fault("redirects to a file", redirects("file:///etc/passwd"), 502, "UNAVAILABLE"),
    Fault("HTML", sends_html, 502, "UNAVAILABLE"),
    Fault("401 for every token", denied, 403, "DENIED"),
    Fault("403", refuses(403), 403, "DENIED"),
    Fault("500", refuses(500), 503, "UNAVAILABLE"),
    Fault("503", refuses(503), 503, "UNAVAILABLE"),
    Fault("429", refuses(429, Retry_After="1"), 429, "TOOMANYREQUESTS"),
)

OF_MANIFESTS: Final = (
    *OF_BOTH,
    Fault("stalls", stalls_after(b"{", len(IMAGE.manifest.content)), 503, "UNAVAILABLE", stalls=True),
    Fault("ends early", ends_after(b"{", len(IMAGE.manifest.content)), 503, "UNAVAILABLE"),
    Fault("announces 10 GB", stalls_after(b"{", 10 << 30), 502, "UNAVAILABLE"),
    Fault("endless", endless, 502, "UNAVAILABLE"),
    Fault("another digest", sends_another_digest, 502, "UNAVAILABLE"),
)

_SIZE: Final = len(LAYER.content)
_WRONG: Final = LAYER.content[:-1] + b"x"

OF_LAYERS: Final = (
    *OF_BOTH,
    Fault("stalls", stalls_after(LAYER.content[: _SIZE // 2], _SIZE), *BROKEN, stalls=True),
    Fault("ends early", ends_after(LAYER.content[: _SIZE // 2], _SIZE), *BROKEN),
    Fault("another digest", ends_after(_WRONG, _SIZE), *BROKEN),
    Fault("announces too few bytes", ends_after(LAYER.content[:-1], _SIZE - 1), 502, "UNAVAILABLE"),
    Fault("announces too many bytes", ends_after(LAYER.content + b"x", _SIZE + 1), 502, "UNAVAILABLE"),
    Fault("too few bytes", ends_after(LAYER.content[:-1]), *BROKEN),
    Fault("too many bytes", ends_after(LAYER.content + b"x"), *BROKEN),
    Fault("endless", endless, *BROKEN),
)


# --- The cache ----------------------------------------------------------------------------------------------------


class Cache:
    """The registry endpoint in this process, with a rule for a hostile registry.

    To the cache, 127.0.0.1 is an address of the internet, and no other private one is.
    """

    def __init__(self, world: World, upstream: HostileRegistry) -> None:
        self.world = world
        self.upstream = upstream
        self.client: Client = world.root()

    def pull(self, name: str, reference: str = "v1") -> tuple[int, str, bytes]:
        return self._get(f"/v2/{name}/manifests/{reference}")

    def layer(self, name: str) -> tuple[int, str, bytes]:
        return self._get(f"/v2/{name}/blobs/{LAYER.digest}")

    def _get(self, path: str) -> tuple[int, str, bytes]:
        """Status, code of the error and body. A key does not expire while a test moves the time."""
        try:
            answer = self.client.get(path, {"authorization": self.client.key})
        except Unavailable:
            return (*BROKEN, b"")
        if answer.status in {429, 503}:
            assert int(answer.headers["retry-after"]) >= 1
        return answer.status, "" if answer.status == 200 else answer.code, answer.body

    def misbehave(self, end: str, does: Handler) -> None:
        self.upstream.answers[end] = does

    def serve(self, one: Image) -> None:
        """Behave well from now on, with this image alone, under the tag `v1`."""
        self.upstream.answers = {blob.digest: ends_after(blob.content, len(blob.content)) for blob in one.blobs}
        self.upstream.answers["/blob"] = refuses(404)  # To which requests for other blobs are redirected.
        self.upstream.manifest = one.manifest.content

    def complete(self, name: str, one: Image) -> None:
        """Run the job that completes a cached image."""
        world, services = self.world, self.world.services
        jobs = CompletionJobs(world.database, services.images, services.pull_through, world.now)
        repository = world.database.read_blocking(lambda tx: repositories.find(tx, HERE, name))
        assert repository is not None
        payload = {"repository": repository.id, "digest": one.manifest.digest}
        world.run(jobs.run(Job(manifests.JOB, "", payload, 1, "")))

    def visible(self, name: str) -> tuple[list[str], list[str]]:
        """The images of a repository, and those of the two layers and their configurations that it has."""
        blobs = [blob.digest for one in (IMAGE, OTHER) for blob in one.blobs]

        def read(tx: Transaction) -> tuple[list[str], list[str]]:
            repository = repositories.find(tx, HERE, name)
            if repository is None:
                return [], []
            found = images.find_all(tx, repository.id, [one.manifest.digest for one in (IMAGE, OTHER)])
            return list(found), list(layers.find_layers(tx, repository.id, blobs))

        return self.world.database.read_blocking(read)

    def is_left(self, name: str) -> bool:
        """Whether anything is left of fetches that have failed: a lease, an upload, or its file."""
        item = f"%/{name}%"

        def left(tx: Transaction) -> list[object]:
            lease = tx.one("SELECT 1 FROM fetching WHERE item LIKE :item", item=item)
            return [lease, tx.one("SELECT 1 FROM upload WHERE owner LIKE 'pull-through%'")]

        return any(self.world.database.read_blocking(left)) or any((self.world.folder / "uploads").iterdir())

    def is_whole(self, name: str, one: Image) -> bool:
        """Whether a client gets all of an image."""
        manifest = self.pull(name)[2]
        blobs = [self._get(f"/v2/{name}/blobs/{blob.digest}")[2] for blob in one.blobs]
        return manifest == one.manifest.content and blobs == [blob.content for blob in one.blobs]


def _new_cache(folder: Path, upstream: HostileRegistry, deadlines: Deadlines) -> Cache:
    world = World(folder, deadlines)
    world.upstreams = AddedUpstreams([AddedUpstream(HOST, upstream.url)])
    world.forget()
    world.run(world.database.write(lambda tx: stored_rules.insert(tx, HERE, Rule(PREFIX, HOST))))
    return Cache(world, upstream)


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[bool, Cache]]:
    """Two caches: a patient one, because a busy machine also lets a registry wait, and one for those that stall."""
    upstream = HostileRegistry(scheme="")

    def is_outside(host: str, *, private_networks: bool) -> bool:
        return host == "127.0.0.1" or hosts.may_connect(host, private_networks=private_networks)

    with pytest.MonkeyPatch.context() as patch, served(upstream):
        patch.setattr(origins, "may_connect", is_outside)
        patch.setattr(manifests, "FAILED_SECONDS", 0.1)
        made = {
            stalls: _new_cache(tmp_path_factory.mktemp("hostile"), upstream, Deadlines(connect=30.0, idle=seconds))
            for stalls, seconds in ((False, 60.0), (True, 2.0))
        }
        yield made
        for each in made.values():
            each.world.close()


@pytest.fixture
def cache(caches: dict[bool, Cache], request: pytest.FixtureRequest) -> Cache:
    """The cache for the fault of a test, with a registry that behaves well at first."""
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    one = caches["fault" in parameters and parameters["fault"].stalls]
    one.world.offset = 0
    one.serve(IMAGE)
    return one


_numbers = itertools.count(1)


@pytest.fixture
def name() -> str:
    return f"{PREFIX}/team/app-{next(_numbers)}"


# --- What clients get ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", OF_MANIFESTS, ids=lambda fault: fault.name)
def test_a_manifest_that_cannot_be_fetched(cache: Cache, name: str, fault: Fault) -> None:
    cache.misbehave("/manifests/v1", fault.does)

    assert cache.pull(name)[:2] == (fault.status, fault.code)
    assert cache.world.database.read_blocking(lambda tx: repositories.find(tx, HERE, name)) is None
    assert not cache.is_left(name)

    cache.serve(IMAGE)
    wait_until(lambda: cache.is_whole(name, IMAGE))
    cache.complete(name, IMAGE)
    assert cache.visible(name)[0] == [IMAGE.manifest.digest]


@pytest.mark.parametrize("fault", OF_LAYERS, ids=lambda fault: fault.name)
def test_a_layer_that_cannot_be_fetched(cache: Cache, name: str, fault: Fault) -> None:
    cache.misbehave(LAYER.digest, fault.does)

    wait_until(lambda: cache.pull(name)[0] == 200)
    assert cache.layer(name)[:2] == (fault.status, fault.code)
    with pytest.raises(JobFailed):  # So the job will be repeated.
        cache.complete(name, IMAGE)
    found, blobs = cache.visible(name)
    assert (found, LAYER.digest in blobs) == ([], False)
    assert not cache.is_left(name)

    cache.serve(IMAGE)
    wait_until(lambda: cache.is_whole(name, IMAGE))
    cache.complete(name, IMAGE)
    assert cache.visible(name)[0] == [IMAGE.manifest.digest]


def _fails_only_with(method: str, does: Handler) -> Handler:
    """Answer other methods with the digest of another image."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == method:
            return await does(request)
        return web.Response(headers={"Docker-Content-Digest": OTHER.manifest.digest})

    return answer


_OF_COMPARISONS: Final = (
    *OF_BOTH,
    *(Fault(f"moved, then {each.name}", _fails_only_with("GET", each.does), *each[2:]) for each in OF_MANIFESTS),
)


@pytest.mark.parametrize("fault", _OF_COMPARISONS, ids=lambda fault: fault.name)
def test_the_copy_is_served_while_a_comparison_fails(cache: Cache, name: str, fault: Fault) -> None:
    wait_until(lambda: cache.is_whole(name, IMAGE))
    cache.complete(name, IMAGE)
    before = cache.visible(name)
    cache.world.offset += 25 * HOUR
    cache.misbehave("/manifests/v1", fault.does)
    cache.upstream.seen.clear()

    assert cache.pull(name) == (200, "", IMAGE.manifest.content)
    assert cache.upstream.seen
    assert cache.visible(name) == before

    cache.serve(OTHER)

    def is_new() -> bool:
        cache.world.offset += manifests.RETRY_AFTER  # A comparison that failed is repeated after this time.
        return cache.is_whole(name, OTHER)

    wait_until(is_new)
    cache.complete(name, OTHER)
    assert sorted(cache.visible(name)[0]) == sorted([IMAGE.manifest.digest, OTHER.manifest.digest])


def test_a_tag_that_moves_between_manifest_and_layers_has_the_layers_of_its_manifest(cache: Cache, name: str) -> None:
    assert cache.pull(name)[2] == IMAGE.manifest.content
    answers = cache.upstream.answers
    cache.serve(OTHER)
    cache.upstream.answers |= answers

    assert cache.is_whole(name, IMAGE)
    cache.complete(name, IMAGE)
    assert cache.visible(name)[0] == [IMAGE.manifest.digest]


def test_a_tag_whose_image_is_gone_before_its_layers_were_fetched_is_asked_for_again(cache: Cache, name: str) -> None:
    assert cache.pull(name)[2] == IMAGE.manifest.content
    cache.serve(OTHER)

    assert cache.layer(name)[:2] == (404, "BLOB_UNKNOWN")
    cache.complete(name, IMAGE)
    assert cache.visible(name)[0] == []

    assert cache.is_whole(name, OTHER)
    cache.complete(name, OTHER)
    assert cache.visible(name)[0] == [OTHER.manifest.digest]
