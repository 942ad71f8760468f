"""Registries that lie, stall, redirect to places inside, or send too much: each ends in a failure with a reason."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from aiohttp import web

from moorage.domain.remote_registries import (
    RemoteAddress,
    RemoteDenied,
    RemoteFailure,
    RemoteInvalid,
    RemoteRegistry,
    RemoteThrottled,
    RemoteUnavailable,
    UserCredentials,
)
from tests.contract.remote_registry.hostile import (
    IMAGE,
    LAYER,
    REPOSITORY,
    HostileRegistry,
    against,
    content,
    registries,
    running,
)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (LAYER.content[:-1] + b"x", "other bytes"),
        (LAYER.content[:-1], "bytes instead of"),
        (LAYER.content + b"x", "bytes instead of"),
    ],
    ids=["another digest", "too short", "too long"],
)
def test_a_wrong_blob_is_never_whole(sent: bytes, reason: str) -> None:
    async def scenario(_: HostileRegistry, registry: RemoteRegistry) -> None:
        received = bytearray()
        with pytest.raises(RemoteInvalid, match=reason):
            await content(registry, len(LAYER.content), received)
        assert len(received) < len(LAYER.content)

    against(scenario, blob=sent)


@pytest.mark.parametrize("extra", [b"x", b"x" * 1_000_000])
def test_a_blob_of_unknown_length_ends_at_its_size(extra: bytes) -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        async def chunked(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            response.enable_chunked_encoding()
            await response.prepare(request)
            await response.write(LAYER.content + extra)
            return response

        hostile.answers["/blob"] = chunked
        received = bytearray()
        with pytest.raises(RemoteInvalid, match="longer than its size"):
            await content(registry, len(LAYER.content), received)
        assert len(received) < len(LAYER.content)

    against(scenario)


@pytest.mark.parametrize(
    "realm", ["http://localhost:{port}/token", "file:///etc/passwd", "https://auth.docker.io/token"]
)
def test_a_foreign_realm_gets_nothing(realm: str) -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        hostile.realm = realm.format(port=hostile.port)
        with pytest.raises(RemoteFailure, match=r"must not get the credentials|no URL that issues"):
            await registry.manifest(REPOSITORY, "v1")
        assert hostile.methods == ["GET registry"]

    against(scenario)


def test_a_manifest_without_end_is_not_read_to_its_end() -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        sent = 0

        async def endless(request: web.Request) -> web.StreamResponse:
            nonlocal sent
            response = web.StreamResponse(headers={"Content-Type": IMAGE.manifest.media_type})
            await response.prepare(request)
            while True:
                await response.write(b" " * (1 << 20))
                sent += 1 << 20

        hostile.answers["/manifests/v1"] = endless
        with pytest.raises(RemoteInvalid, match="more than 4194304 bytes"):
            await registry.manifest(REPOSITORY, "v1")
        assert sent < 16 << 20

    against(scenario, scheme="")


def test_a_manifest_that_announces_ten_gigabytes_is_not_read() -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        async def announced(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": IMAGE.manifest.media_type})
            response.content_length = 10 << 30
            await response.prepare(request)
            return response

        hostile.answers["/manifests/v1"] = announced
        with pytest.raises(RemoteInvalid, match="more than 4194304 bytes"):
            await registry.manifest(REPOSITORY, "v1")

    against(scenario, scheme="")


def test_a_manifest_of_another_digest_is_refused() -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        with pytest.raises(RemoteInvalid, match="not sha256:0000"):
            await registry.manifest(REPOSITORY, "sha256:" + "0" * 64)
        hostile.manifest_headers = {"Docker-Content-Digest": "sha256:" + "1" * 64}
        with pytest.raises(RemoteInvalid, match="not sha256:1111"):
            await registry.manifest(REPOSITORY, "v1")

    against(scenario)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "text/html"}, b"<html>Log in to the hotel</html>"),
        ({"Content-Type": "application/json"}, b'{"schemaVersion": 1}'),
        ({"Content-Encoding": "gzip"}, gzip.compress(b" " * 100_000)),
    ],
    ids=["HTML", "schema 1", "gzip"],
)
def test_an_answer_that_is_no_manifest_is_refused(headers: dict[str, str], body: bytes) -> None:
    async def scenario(_: HostileRegistry, registry: RemoteRegistry) -> None:
        with pytest.raises(RemoteInvalid, match=r"instead of a manifest|compressed"):
            await registry.manifest(REPOSITORY, "v1")

    against(scenario, manifest=body, manifest_headers=headers)


def test_429_is_remembered_and_no_request_is_sent_while_it_lasts() -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        with pytest.raises(RemoteThrottled) as first:
            await registry.manifest(REPOSITORY, "v1")
        with pytest.raises(RemoteThrottled) as second:
            await registry.head("another/app", "v1")
        assert first.value.retry_after == 7
        assert 0 < second.value.retry_after <= 7
        assert len(hostile.seen) == 1

    against(scenario, status=429)


@pytest.mark.parametrize("status", [500, 503])
def test_errors_of_the_registry_may_pass(status: int) -> None:
    async def scenario(_: HostileRegistry, registry: RemoteRegistry) -> None:
        with pytest.raises(RemoteUnavailable, match=str(status)):
            await registry.manifest(REPOSITORY, "v1")

    against(scenario, status=status)


def test_401_for_every_token_ends() -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        hostile.token_body = b'{"access_token": "never right"}'
        with pytest.raises(RemoteDenied, match="401"):
            await registry.manifest(REPOSITORY, "v1")
        assert hostile.methods == ["GET registry", "GET token", "GET registry"]

    against(scenario)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"token": "a\\r\\nb: c"}', b'{"token": "%s"}' % (b"x" * 100_000)])
def test_a_token_that_cannot_be_used_is_refused(body: bytes) -> None:
    async def scenario(_: HostileRegistry, registry: RemoteRegistry) -> None:
        with pytest.raises(RemoteInvalid):
            await registry.manifest(REPOSITORY, "v1")

    against(scenario, token_body=body)


def test_a_challenge_of_an_unknown_kind_is_refused() -> None:
    async def scenario(_: HostileRegistry, registry: RemoteRegistry) -> None:
        with pytest.raises(RemoteDenied, match="no kind of login"):
            await registry.manifest(REPOSITORY, "v1")

    against(scenario, scheme="Negotiate")


def test_redirects_in_a_circle_end() -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        async def circle(request: web.Request) -> web.Response:
            return web.Response(status=302, headers={"Location": request.path})

        hostile.answers["/manifests/v1"] = circle
        with pytest.raises(RemoteInvalid, match="in a circle"):
            await registry.manifest(REPOSITORY, "v1")
        assert len(hostile.seen) < 10

    against(scenario)


@pytest.mark.parametrize("target", ["", "file:///etc/passwd", "ftp://127.0.0.1/", "http://u:p@127.0.0.1/", "http://["])
def test_a_redirect_to_something_else_than_http_is_refused(target: str) -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        async def elsewhere(_: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": target})

        hostile.answers["/manifests/v1"] = elsewhere
        with pytest.raises(RemoteInvalid, match="no place"):
            await registry.manifest(REPOSITORY, "v1")

    against(scenario)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[::ffff:169.254.169.254]", "[fe80::1]", "224.0.0.1", "0.0.0.0", "[::]", "2852039166"]
)
def test_no_redirect_reaches_the_metadata_of_a_cloud(host: str) -> None:
    """Not even where private networks are allowed."""

    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        async def inside(_: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": f"http://{host}/latest/meta-data/"})

        hostile.answers["/manifests/v1"] = inside
        with pytest.raises((RemoteDenied, RemoteInvalid), match=r"private network|does not speak HTTP"):
            await registry.manifest(REPOSITORY, "v1")

    against(scenario)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
def test_private_networks_are_reached_only_where_the_operator_allows_them(host: str) -> None:
    async def run() -> None:
        async with running(HostileRegistry()) as hostile, registries() as remotes:
            address = RemoteAddress(f"http://{host}:{hostile.port}", UserCredentials("u", "p"))
            with pytest.raises(RemoteDenied, match="private network"):
                await remotes.at(address).manifest(REPOSITORY, "v1")
            assert hostile.seen == []

    asyncio.run(run())


def test_a_registry_that_stalls_is_given_up() -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        async def stall(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            response.content_length = len(LAYER.content)
            await response.prepare(request)
            await response.write(LAYER.content[:10])
            await asyncio.sleep(30)
            return response

        hostile.answers = {"/blob": stall, "/manifests/v1": stall}
        with pytest.raises(RemoteUnavailable, match="cannot continue"):
            await content(registry, len(LAYER.content))
        with pytest.raises(RemoteUnavailable, match="in time"):
            await registry.manifest(REPOSITORY, "v1")

    against(scenario)


@pytest.mark.parametrize("place", ["/v2/library/app/referrers/x?n=1", "http://127.0.0.1:1/v2/"])
def test_lists_without_end_or_at_other_places_are_refused(place: str) -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        async def page(_: web.Request) -> web.Response:
            return web.json_response({"manifests": [], "tags": []}, headers={"Link": f'<{place}>; rel="next"'})

        hostile.answers = {"/tags/list": page, "/referrers/x": page, f"/referrers/{IMAGE.manifest.digest}": page}
        with pytest.raises(RemoteInvalid, match=r"no end|another place"):
            await registry.referrers(REPOSITORY, IMAGE.manifest.digest)
        assert len(hostile.seen) <= 23

    against(scenario)


def test_a_registry_that_is_down_is_unavailable() -> None:
    async def run() -> None:
        async with registries() as remotes:
            down = remotes.at(RemoteAddress("http://127.0.0.1:1", private_networks=True))
            with pytest.raises(RemoteUnavailable, match="no connection to 127"):
                await down.manifest(REPOSITORY, "v1")

    asyncio.run(run())


@pytest.mark.parametrize("url", ["registry.example", "ftp://registry.example", "http://u:p@host", "https://host/path"])
def test_an_address_without_an_origin_is_refused(url: str) -> None:
    async def run() -> None:
        async with registries() as remotes:
            with pytest.raises(ValueError, match="is not"):
                remotes.at(RemoteAddress(url))

    asyncio.run(run())
