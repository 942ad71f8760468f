"""What the client sends to a registry that behaves well: logins, redirects, pages, continued blobs."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import web

from moorage.domain.remote_registries import (
    RemoteAddress,
    RemoteMissing,
    RemoteRegistry,
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
from tests.support.images import OCI_INDEX, digest


def test_a_challenge_is_answered_with_a_token_from_the_realm() -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        manifest = await registry.manifest(REPOSITORY, "v1")

        assert manifest.body == IMAGE.manifest.content
        assert (manifest.media_type, manifest.digest) == (IMAGE.manifest.media_type, IMAGE.manifest.digest)
        assert hostile.methods == ["GET registry", "GET token", "GET registry"]
        assert hostile.seen[1].authorization == "Basic dTpw"
        assert hostile.seen[1].query == {"service": "tests", "scope": f"repository:{REPOSITORY}:pull"}
        assert hostile.seen[2].authorization == "Bearer T1"

    against(scenario)


def test_a_token_is_used_again_for_the_same_repository() -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        await registry.manifest(REPOSITORY, "v1")
        hostile.seen.clear()

        await registry.manifest(REPOSITORY, "v2")
        assert hostile.methods == ["GET registry"]

    against(scenario)


def test_a_token_that_is_no_longer_accepted_is_replaced_once() -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        await registry.manifest(REPOSITORY, "v1")
        hostile.token = "T2"
        hostile.seen.clear()

        await registry.manifest(REPOSITORY, "v1")
        assert hostile.methods == ["GET registry", "GET token", "GET registry"]

    against(scenario)


def test_requests_at_the_same_time_share_one_token() -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        await asyncio.gather(*(registry.manifest(REPOSITORY, "v1") for _ in range(50)))

        assert hostile.methods.count("GET token") == 1

    against(scenario)


def test_basic_is_sent_to_all_repositories_after_one_challenge() -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        await registry.manifest(REPOSITORY, "v1")
        await registry.manifest("another/app", "v1")

        assert [one.authorization for one in hostile.seen] == [None, "Basic dTpw", "Basic dTpw"]

    against(scenario, scheme="Basic")


def test_a_redirect_to_another_origin_gets_no_credentials() -> None:
    """Amazon S3 refuses requests that are signed and have an Authorization header (open-policy-agent/opa#6580)."""

    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        assert await content(registry, len(LAYER.content)) == LAYER.content
        assert hostile.seen[-1].server == "cdn"
        assert hostile.seen[-1].authorization is None

    against(scenario)


def test_manifests_are_redirected_too() -> None:
    """registry.k8s.io answers every request for a manifest with 307."""

    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        async def redirect(_: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": f"{hostile.cdn}/v2/x/manifests/v1"})

        async def manifest(request: web.Request) -> web.Response:
            return hostile.as_manifest(request, hostile.manifest)

        hostile.answers = {"/v2/x/manifests/v1": manifest, "/manifests/v1": redirect}
        assert (await registry.manifest(REPOSITORY, "v1")).digest == IMAGE.manifest.digest

    against(scenario)


def test_head_returns_the_digest_of_a_tag_with_one_request() -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        assert await registry.head(REPOSITORY, "v1") == IMAGE.manifest.digest
        hostile.manifest_headers = {"Docker-Content-Digest": "none"}
        assert await registry.head(REPOSITORY, "v1") is None
        assert hostile.methods == ["HEAD registry", "GET token", "HEAD registry", "HEAD registry"]

    against(scenario)


def test_what_is_not_there_is_missing() -> None:
    async def scenario(_: HostileRegistry, registry: RemoteRegistry) -> None:
        with pytest.raises(RemoteMissing, match="answered 404") as missing:
            await registry.manifest(REPOSITORY, "gone")
        assert missing.value.code == "MANIFEST_UNKNOWN"
        with pytest.raises(RemoteMissing):
            await registry.head(REPOSITORY, "gone")

    against(scenario)


def test_a_blob_whose_connection_breaks_is_continued_where_it_broke() -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        async def break_off(request: web.Request) -> web.StreamResponse:
            start = int(request.headers.get("Range", "bytes=0-")[6:-1])
            response = web.StreamResponse(status=206 if start else 200)
            response.content_length = len(LAYER.content) - start
            response.headers["Content-Range"] = f"bytes {start}-{len(LAYER.content) - 1}/{len(LAYER.content)}"
            await response.prepare(request)
            await response.write(LAYER.content[start : start + 300_000])
            if request.transport is not None and start + 300_000 < len(LAYER.content):
                await asyncio.sleep(0.05)  # for what was written to be sent before the end
                request.transport.close()
            return response

        hostile.answers["/blob"] = break_off
        assert await content(registry, len(LAYER.content)) == LAYER.content
        assert hostile.methods.count("GET cdn") == 3

    against(scenario)


def test_a_blob_that_cannot_be_continued_is_never_whole() -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        async def break_off(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            response.content_length = len(LAYER.content)
            await response.prepare(request)
            await response.write(LAYER.content[:300_000])
            await asyncio.sleep(0.05)
            if request.transport is not None:
                request.transport.close()
            return response

        hostile.answers["/blob"] = break_off
        with pytest.raises(RemoteUnavailable, match="cannot continue"):
            await content(registry, len(LAYER.content))

    against(scenario)


def test_the_size_of_a_blob_is_known_before_its_bytes() -> None:
    async def scenario(_: HostileRegistry, registry: RemoteRegistry) -> None:
        async with registry.blob(REPOSITORY, LAYER.digest) as blob:
            assert blob.size == len(LAYER.content)

    against(scenario)


def test_an_empty_blob_is_read() -> None:
    async def scenario(_: HostileRegistry, registry: RemoteRegistry) -> None:
        async with registry.blob(REPOSITORY, digest(b""), 0) as blob:
            assert [chunk async for chunk in blob.chunks] == []

    against(scenario, blob=b"")


def listed(*names: str) -> str:
    """A page of referrers, or an index for the fallback tag."""
    found = [{"mediaType": OCI_INDEX, "digest": digest(name.encode()), "size": 1} for name in names]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found})


def test_referrers_are_read_page_by_page() -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        async def page(request: web.Request) -> web.Response:
            if "last" in request.query:
                return web.Response(text=listed("c"), content_type=OCI_INDEX)
            headers = {"Link": f'<{request.path}?last=b>; rel="next"'}
            return web.Response(text=listed("a", "b"), content_type=OCI_INDEX, headers=headers)

        hostile.answers[f"/referrers/{IMAGE.manifest.digest}"] = page
        found = await registry.referrers(REPOSITORY, IMAGE.manifest.digest)
        assert [one.digest for one in found] == [digest(name) for name in (b"a", b"b", b"c")]

    against(scenario)


@pytest.mark.parametrize("status", [404, 405])
def test_referrers_come_from_the_fallback_tag_where_there_is_no_api(status: int) -> None:
    """ghcr.io answers 404 for the referrers API (project-zot/zot#4060)."""

    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        async def none(_: web.Request) -> web.Response:
            return web.Response(status=status)

        hostile.answers[f"/referrers/{IMAGE.manifest.digest}"] = none
        hostile.manifest = listed("a").encode()
        hostile.manifest_headers = {"Content-Type": OCI_INDEX}
        found = await registry.referrers(REPOSITORY, IMAGE.manifest.digest)
        assert [one.digest for one in found] == [digest(b"a")]
        assert hostile.seen[-1].path.endswith(f"/manifests/{IMAGE.manifest.digest.replace(':', '-')}")

        hostile.answers[f"/manifests/{IMAGE.manifest.digest.replace(':', '-')}"] = none
        if status == 404:
            assert await registry.referrers(REPOSITORY, IMAGE.manifest.digest) == []

    against(scenario)


def test_tags_are_read_page_by_page() -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        async def page(request: web.Request) -> web.Response:
            if "last" in request.query:
                return web.json_response({"name": REPOSITORY, "tags": None})
            headers = {"Link": f'<{hostile.url}{request.path}?n=2&last=v2>; rel="next"'}
            return web.json_response({"name": REPOSITORY, "tags": ["v1", "v2"]}, headers=headers)

        hostile.answers["/tags/list"] = page
        assert [tags async for tags in registry.tags(REPOSITORY)] == [["v1", "v2"], []]

    against(scenario)


def test_a_login_is_checked_without_a_repository() -> None:
    async def scenario(hostile: HostileRegistry, registry: RemoteRegistry) -> None:
        await registry.check()

        assert [one.path for one in hostile.seen] == ["/v2/", "/token", "/v2/"]

    against(scenario)


def test_a_realm_that_the_operator_allows_issues_tokens() -> None:
    async def run() -> None:
        async with running(HostileRegistry()) as hostile, registries() as remotes:
            hostile.realm = f"http://localhost:{hostile.port}/token"
            user = UserCredentials("u", "p")
            allowed = RemoteAddress(hostile.url, user, frozenset({"localhost"}), private_networks=True)

            await remotes.at(allowed).manifest(REPOSITORY, "v1")
            assert "GET token" in hostile.methods

    asyncio.run(run())
