"""Heads and frames that no honest client sends: no internal error, no request smuggling, no lost worker."""

from __future__ import annotations

import pytest

from tests.api.ecr.wire import Wire
from tests.faults.durability.endpoints import Endpoints
from tests.faults.http.raw import Reply, exchange
from tests.support.server import Server

HOST = b"Host: r\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\n"
SECOND = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"


def post(*headers: bytes, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\n" + HOST + b"".join(headers) + b"\r\n" + body


def get(path: bytes, *headers: bytes) -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"".join(headers) + b"\r\n"


def length(*values: bytes) -> bytes:
    return b"".join(b"Content-Length: " + value + b"\r\n" for value in values)


# Two parsers could see two bodies here. The rest must not be handled as a request, and the connection ends.
AMBIGUOUS = {
    "a length and chunks": post(length(b"6"), CHUNKED, body=b"0\r\n\r\n" + SECOND),
    "chunks and a length": post(CHUNKED, length(b"5"), body=b"0\r\n\r\n" + SECOND),
    "two lengths": post(length(b"3", b"5"), body=b"abcde" + SECOND),
    "a list of lengths": post(length(b"3, 3"), body=b"abc" + SECOND),
    "a length with a plus": post(length(b"+3"), body=b"abc" + SECOND),
    "a length in hexadecimal": post(length(b"0x3"), body=b"abc" + SECOND),
    "a negative length": post(length(b"-1"), body=b"abc" + SECOND),
    "a length with an underscore": post(length(b"1_0"), body=b"abcdefghij" + SECOND),
    "a length beyond 64 bits": post(length(b"18446744073709551619"), body=b"abc" + SECOND),
    "an unknown coding": post(b"Transfer-Encoding: xchunked\r\n", body=CHUNKS + SECOND),
    "a coding after chunks": post(b"Transfer-Encoding: chunked, identity\r\n", body=CHUNKS + SECOND),
    "a control character before the coding": post(b"Transfer-Encoding:\x0bchunked\r\n", body=CHUNKS + SECOND),
    "a space before the colon": post(b"Content-Length : 3\r\n", body=b"abc" + SECOND),
    "a folded coding": post(b"Transfer-Encoding:\r\n chunked\r\n", body=CHUNKS + SECOND),
    "a bare CR in a header": get(b"/healthz", b"X-A: a\rb\r\n"),
    "a NUL in a header": get(b"/healthz", b"X-A: a\x00b\r\n"),
    "a chunk without its end": post(CHUNKED, body=b"3\r\nabcXX0\r\n\r\n" + SECOND),
    "a chunk size beyond 64 bits": post(CHUNKED, body=b"10000000000000003\r\nabc\r\n0\r\n\r\n" + SECOND),
    "a chunk size with 0x": post(CHUNKED, body=b"0x3\r\nabc\r\n0\r\n\r\n" + SECOND),
    "a chunk size that ends with LF": post(CHUNKED, body=b"3\nabc\r\n0\r\n\r\n" + SECOND),
}

# The target or the host of the request is ambiguous.
CONFUSED = {
    "no host": b"GET /v2/ HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /v2/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "two authorizations": get(b"/v2/", b"Authorization: Basic YTpi\r\nAuthorization: Basic Yzpk\r\n"),
    "two targets": post(b"X-Amz-Target: a\r\nX-Amz-Target: b\r\n", length(b"0")),
    "a NUL in the path": get(b"/v2/a%00b/tags/list"),
    "no slash before the path": b"GET v2/ HTTP/1.1\r\n" + HOST + b"\r\n",
}

# Unusual but clear: handled as an unknown path, an unknown method or a missing login.
ODD = {
    "an absolute target": b"GET http://evil.example/v2/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path that climbs": get(b"/v2/../../etc/passwd"),
    "an escaped path that climbs": get(b"/v2/%2e%2e%2f%2e%2e%2fetc%2fpasswd"),
    "a manifest path that climbs": get(b"/v2/a/../../../etc/manifests/passwd"),
    "a blob path that climbs": get(b"/v2/app/blobs/sha256:../../../../etc/passwd"),
    "a download path that climbs": get(b"/layers/../../master.key"),
    "an upload path that climbs": get(b"/v2/app/blobs/uploads/..%2f..%2fmaster.key"),
    "many slashes": get(b"//v2//app//tags//list"),
    "a path that is not UTF-8": get(b"/v2/a%ffb/tags/list"),
    "a path with a bad escape": get(b"/v2/a%zz/tags/list"),
    "a host with a path": b"GET /v2/ HTTP/1.1\r\nHost: a/b?c\r\n\r\n",
    "a host that is not text": b"GET /v2/ HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    "a method in lower case": b"get /v2/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "an unknown method": b"FOO /v2/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "TRACE": b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n",
    "CONNECT": b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "OPTIONS of all": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "a header of 70 KB": get(b"/v2/", b"X-A: " + b"a" * 70_000 + b"\r\n"),
    "an authorization of 60 KB": get(b"/v2/", b"Authorization: Basic " + b"QUFB" * 15_000 + b"\r\n"),
    "1000 headers": get(b"/v2/", b"".join(b"X-%d: a\r\n" % number for number in range(1_000))),
    "a path of 20 KB": get(b"/v2/" + b"a" * 20_000),
    "a query of 20 KB": get(b"/v2/_catalog?n=" + b"1" * 20_000),
    "1000 parameters": get(b"/v2/_catalog?" + b"&".join(b"a%d=1" % number for number in range(1_000))),
    "chunks over HTTP/1.0": b"POST / HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n" + CHUNKS,
    "HTTP/3.0 in words": b"GET /v2/ HTTP/3.0\r\n" + HOST + b"\r\n",
    "an expectation that is none": post(length(b"3"), b"Expect: junk\r\n", body=b"abc"),
    "a GET with a body": get(b"/v2/", length(b"3")) + b"abc",
    "an upgrade to a web socket": get(b"/v2/", UPGRADE + b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
    "an upgrade to HTTP/2": get(b"/v2/", UPGRADE + b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "the greeting of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
    "nothing but empty lines": b"\r\n" * 100,
}  # fmt: skip


def check_healthy(server: Server) -> None:
    assert exchange(server, get(b"/healthz", b"Connection: close\r\n")).statuses == [200]


def check_unharmed(server: Server, reply: Reply) -> None:
    assert all(status < 500 for status in reply.statuses), reply
    assert b"root:" not in reply.content
    check_healthy(server)


@pytest.mark.parametrize("content", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_an_ambiguous_body_does_not_smuggle_a_request(web: Server, content: bytes) -> None:
    reply = exchange(web, content)

    assert reply.closed, reply
    assert len(reply.statuses) <= 1, reply
    assert all(status in {400, 401, 501} for status in reply.statuses), reply
    check_healthy(web)


@pytest.mark.parametrize("content", CONFUSED.values(), ids=CONFUSED)
def test_an_ambiguous_request_is_rejected(web: Server, content: bytes) -> None:
    reply = exchange(web, content)

    assert reply.statuses == [400], reply
    check_unharmed(web, reply)


@pytest.mark.parametrize("content", ODD.values(), ids=ODD)
def test_an_unusual_request_causes_no_internal_error(web: Server, content: bytes) -> None:
    reply = exchange(web, content, first_seconds=0.15)

    assert all(status >= 400 for status in reply.statuses), reply
    check_unharmed(web, reply)


def test_two_equal_lengths_count_as_one_or_are_rejected(web: Server) -> None:
    """RFC 9112, section 6.3, allows both."""
    reply = exchange(web, post(length(b"3", b"3"), body=b"abc" + SECOND))

    assert reply.statuses[0] == 400, reply
    assert reply.statuses[1:] in ([], [200]), reply


def test_two_pipelined_requests_are_answered_in_order(web: Server) -> None:
    reply = exchange(web, get(b"/healthz") + get(b"/nothing") + get(b"/healthz", b"Connection: close\r\n"), seconds=60)

    assert reply.statuses == [200, 404, 200]


def test_a_body_is_requested_only_after_authentication(web: Server, endpoints: Endpoints, repository: str) -> None:
    """`Expect: 100-continue`: an unauthenticated client is rejected before it sends any of its ten gigabytes."""
    head = b"PUT /v2/" + repository.encode() + b"/blobs/uploads/x?digest=y HTTP/1.1\r\n" + HOST
    expecting = length(b"10000000000") + b"Expect: 100-continue\r\n\r\n"

    assert exchange(web, head + expecting).statuses == [401]

    location = endpoints.docker.post(f"/v2/{repository}/blobs/uploads/").headers["Location"]
    known = f"PATCH {location} HTTP/1.1\r\nHost: r\r\nAuthorization: {endpoints.docker.authorization}\r\n".encode()
    assert exchange(web, known + expecting).statuses == [100]


def test_an_api_call_that_is_too_large_is_rejected_by_its_announced_length(web: Server) -> None:
    signed = Wire(web).signer.headers("AmazonEC2ContainerRegistry_V20150921.DescribeRegistry", b"")
    lines = b"".join(f"{name}: {value}\r\n".encode() for name, value in signed.items() if name != "host")

    reply = exchange(web, post(lines, length(b"1000000000")))

    assert reply.statuses == [413], reply


def test_none_of_these_requests_caused_an_internal_error_or_ended_a_worker(web: Server) -> None:
    """Runs last in this file. The log has everything that the tests above did to the server."""
    assert "Traceback" not in web.output()
    assert "Unexpected exit" not in web.output()
    assert '"event":"fault"' not in web.output()
