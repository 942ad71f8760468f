"""Authentication, authorization and errors of the registry endpoint, and the order of its checks."""

from __future__ import annotations

import pytest

from moorage.core.identity.authentication import DOCKER_TOKEN_LIFE
from moorage.domain.errors import Unavailable
from moorage.http.bodies import RequestBody
from moorage.http.messages import CallDetails, Request, RequestHead
from moorage.metadata.identity import accounts as identities
from moorage.oci.errors import code_of, error_response
from moorage.oci.routes import resource_of
from tests.docker.oci.client import HOST, Client, ScriptedBody, World, basic
from tests.support.images import digest, image

PULL_ONLY = "AmazonEC2ContainerRegistryPullOnly"
READ_ONLY = "AmazonEC2ContainerRegistryReadOnly"
POWER_USER = "AmazonEC2ContainerRegistryPowerUser"

ABSENT = digest(b"absent")
UPLOAD = "00000000-0000-4000-8000-000000000000"

ENDPOINTS = [
    ("GET", "manifests/latest", "BatchGetImage"),
    ("HEAD", "manifests/latest", "BatchGetImage"),
    ("PUT", "manifests/latest", "PutImage"),
    ("DELETE", "manifests/latest", "BatchDeleteImage"),
    ("GET", f"blobs/{ABSENT}", "GetDownloadUrlForLayer"),
    ("HEAD", f"blobs/{ABSENT}", "GetDownloadUrlForLayer"),
    ("POST", "blobs/uploads/", "InitiateLayerUpload"),
    ("POST", f"blobs/uploads/?digest={ABSENT}", "InitiateLayerUpload"),
    ("GET", f"blobs/uploads/{UPLOAD}", "UploadLayerPart"),
    ("PATCH", f"blobs/uploads/{UPLOAD}", "UploadLayerPart"),
    ("PUT", f"blobs/uploads/{UPLOAD}?digest={ABSENT}", "CompleteLayerUpload"),
    ("DELETE", f"blobs/uploads/{UPLOAD}", "UploadLayerPart"),
    ("GET", "tags/list", "ListImages"),
    ("GET", f"referrers/{ABSENT}", "BatchGetImage"),
]


@pytest.mark.parametrize("path", ["/v2/", "/v2"])
def test_the_base_path_confirms_valid_credentials(root: Client, path: str) -> None:
    answer = root.get(path)

    assert (answer.status, answer.body) == (200, b"{}")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"
    assert answer.details.caller_name == "arn:aws:iam::000000000000:root"


def test_an_access_key_works_like_a_token(root: Client) -> None:
    assert root.get("/v2/", {"authorization": root.key}).status == 200


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Basic",
        "Basic !!!",
        "Bearer abc",
        basic("AWS", "junk"),
        basic("AKIAAAAAAAAAAAAAAAAA", "secret"),
        "Basic QVdT",
    ],
)
@pytest.mark.parametrize("path", ["/v2/", "/v2/team/app/manifests/latest", "/v2/nowhere", "/v2/_catalog"])
def test_a_caller_without_credentials_gets_ecr_s_challenge_everywhere(
    root: Client, path: str, authorization: str | None
) -> None:
    answer = root.get(path, {"authorization": authorization})

    assert (answer.status, answer.body) == (401, b"Not Authorized\n")
    assert answer.headers["www-authenticate"] == 'Basic realm="http://localhost:5000/",service="ecr.amazonaws.com"'
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"


def test_a_wrong_secret_gets_a_challenge(root: Client) -> None:
    assert root.get("/v2/", {"authorization": basic(root.caller.key, "wrong")}).status == 401


def test_an_expired_token_has_its_own_error(world: World, root: Client) -> None:
    world.offset = DOCKER_TOKEN_LIFE

    answer = root.get("/v2/")

    assert (answer.status, answer.code) == (403, "DENIED")
    assert "authorization token has expired" in answer.json()["errors"][0]["message"]


def test_an_upload_with_a_deactivated_key_is_refused_at_once_and_not_logged_as_its_callers(
    world: World, root: Client, repository: str
) -> None:
    user = world.user("AmazonEC2ContainerRegistryPowerUser")
    start = f"/v2/{repository}/blobs/uploads/"
    location = user.send("POST", start).headers["location"]
    assert user.send("PATCH", location, b"part").status == 202
    world.run(world.database.write(lambda tx: identities.set_key_active(tx, user.caller.key, False)))

    for answer in (user.send("PATCH", location, b"more"), user.send("POST", start)):
        assert (answer.status, answer.details.caller, answer.details.caller_name) == (401, None, "")


def test_a_deactivated_key_is_rejected_at_once(world: World) -> None:
    user = world.user(READ_ONLY)
    world.run(world.database.write(lambda tx: identities.set_key_active(tx, user.caller.key, False)))

    assert user.get("/v2/").status == 401


def test_the_host_name_selects_the_registry(world: World, root: Client, repository: str) -> None:
    host = {"host": "000000000000.dkr.ecr.us-east-1.localhost:5000"}

    assert root.get(f"/v2/{repository}/tags/list", host).status == 200


def test_the_registry_of_another_account_is_closed(root: Client, repository: str) -> None:
    answer = root.get(f"/v2/{repository}/tags/list", {"host": "999999999999.dkr.ecr.us-east-1.localhost:5000"})

    assert (answer.status, answer.code) == (403, "DENIED")
    assert "arn:aws:ecr:us-east-1:999999999999:repository/" in answer.json()["errors"][0]["message"]


def test_a_token_is_valid_in_its_region_and_a_key_in_all_regions(root: Client) -> None:
    host = {"host": "000000000000.dkr.ecr.eu-central-1.localhost:5000"}

    refused_answer = root.get("/v2/", host)
    accepted = root.get("/v2/", {**host, "authorization": root.key})

    assert (refused_answer.status, refused_answer.code) == (403, "DENIED")
    assert "us-east-1" in refused_answer.json()["errors"][0]["message"]
    assert accepted.status == 200


@pytest.mark.parametrize("region", ["local", "us-east", "us-east-1-", "a--1"])
@pytest.mark.parametrize("by", ["host", "ns"])
def test_a_name_that_no_region_has_is_refused(root: Client, repository: str, region: str, by: str) -> None:
    host = f"000000000000.dkr.ecr.{region}.localhost:5000"
    headers = {"host": host if by == "host" else HOST, "authorization": root.key}

    answer = root.get(f"/v2/{repository}/tags/list" + (f"?ns={host}" if by == "ns" else ""), headers)

    assert (answer.status, answer.code) == (400, "UNSUPPORTED")
    assert f"'{region}' is not a Region" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(("method", "target", "action"), ENDPOINTS)
def test_permission_is_checked_before_the_body_and_before_existence(
    world: World, repository: str, method: str, target: str, action: str
) -> None:
    """A denied caller gets the same response whether the repository exists or not, and sends no body."""
    nobody = world.user()

    answers = [
        nobody.send(method, f"/v2/{name}/{target}", [], {"content-length": "10"})  # To receive is to disconnect.
        for name in (repository, "not/there")
    ]

    for answer, name in zip(answers, (repository, "not/there"), strict=True):
        assert answer.status == 403
        if method != "HEAD":
            assert answer.code == "DENIED"
            assert (
                f"ecr:{action} on resource: arn:aws:ecr:us-east-1:000000000000:repository/{name}"
                in answer.body.decode()
            )


@pytest.mark.parametrize(("method", "target", "action"), ENDPOINTS)
def test_an_unknown_repository_is_name_unknown(root: Client, method: str, target: str, action: str) -> None:
    content = image().manifest
    body = content.content if method == "PUT" else b""

    answer = root.send(method, f"/v2/not/there/{target}", body, {"content-type": content.media_type})

    assert answer.status == 404
    assert method == "HEAD" or answer.code == "NAME_UNKNOWN"
    assert answer.details.operation  # For the log.


@pytest.mark.parametrize(
    "name", ["../etc", "a", "Team/App", "team//app", "team/app/", "-app", "a" * 257, "team/äpp", ""]
)
@pytest.mark.parametrize(("method", "target", "action"), ENDPOINTS)
def test_an_invalid_name_is_rejected_before_permissions(
    root: Client, name: str, method: str, target: str, action: str
) -> None:
    answer = root.send(method, f"/v2/{name}/{target}")

    assert answer.status == 400
    assert method == "HEAD" or answer.code == "NAME_INVALID"


@pytest.mark.parametrize(
    "path", ["/v2/x", "/v2/team/app", "/v2/team/app/tags", "/v2/team/app/tags/all", "/v2x", "/v2/a/uploads/b"]
)
def test_an_unknown_path_is_not_found(root: Client, path: str) -> None:
    assert root.get(path).status == 404


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("POST", "manifests/latest", "GET, HEAD, PUT, DELETE"),
        ("PUT", f"blobs/{ABSENT}", "GET, HEAD, DELETE"),
        ("GET", "blobs/uploads/", "POST"),
        ("POST", f"blobs/uploads/{UPLOAD}", "GET, HEAD, PATCH, PUT, DELETE"),
        ("PUT", "tags/list", "GET, HEAD"),
    ],
)
def test_an_unsupported_method_is_rejected_with_the_allowed_ones(
    root: Client, repository: str, method: str, target: str, allowed: str
) -> None:
    answer = root.send(method, f"/v2/{repository}/{target}")

    assert (answer.status, answer.code, answer.headers["allow"]) == (405, "UNSUPPORTED", allowed)


def test_a_repository_name_may_contain_words_of_the_paths() -> None:
    assert resource_of("/v2/x/blobs/uploads/manifests/latest") == ("manifests", "x/blobs/uploads", "latest")
    assert resource_of("/v2/manifests/manifests/manifests/v1") == ("manifests", "manifests/manifests", "v1")
    assert resource_of("/v2/tags/list/tags/list") == ("tags", "tags/list", "list")
    assert resource_of("/v2/a/blobs/blobs/uploads/") == ("uploads", "a/blobs", "")


def test_a_refusal_without_a_row_has_the_code_of_its_parent() -> None:
    class Fuller(Unavailable):
        pass

    assert code_of(Fuller) == (503, "UNAVAILABLE")


def test_a_temporary_refusal_has_a_retry_after_header() -> None:
    answer = error_response(Unavailable(reason="The disk is full"))

    assert answer.status == 503
    assert (b"retry-after", b"10") in answer.headers


def test_an_internal_error_shows_only_the_request_id(root: Client) -> None:
    head = RequestHead("GET", b"/v2/", [(b"host", b"localhost")])

    answer = root.world.endpoint.fault(Request(head, RequestBody(ScriptedBody([]), 0), "request-1"), CallDetails())

    assert answer.status == 500
    assert b"request-1" in answer.body
    assert (b"docker-distribution-api-version", b"registry/2.0") in answer.headers


def test_too_many_parameters_are_a_client_error(root: Client, repository: str) -> None:
    answer = root.get(f"/v2/{repository}/tags/list?" + "&".join(f"a{number}=1" for number in range(200)))

    assert (answer.status, answer.code) == (400, "UNSUPPORTED")


def test_managed_policies_for_reading_only_allow_reading(world: World, root: Client, repository: str) -> None:
    pushed = image()
    root.push(repository, pushed, "v1")
    reader, pusher = world.user(PULL_ONLY), world.user(POWER_USER)
    layer = pushed.blobs[1].digest

    assert reader.get(f"/v2/{repository}/manifests/v1").status == 200
    assert reader.get(f"/v2/{repository}/blobs/{layer}").status == 200
    assert reader.head(f"/v2/{repository}/blobs/{layer}").status == 200
    assert reader.get(f"/v2/{repository}/tags/list").status == 403
    assert reader.send("POST", f"/v2/{repository}/blobs/uploads/").status == 403
    assert pusher.push(repository, image(seed=7), "v2").status == 201
    assert pusher.send("DELETE", f"/v2/{repository}/manifests/v2").status == 403
