"""Spans that `moorage serve --traces` sends to an OpenTelemetry collector."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.conftest import StartServer
from tests.support.aws import aws_client, docker_password
from tests.support.http_client import Docker
from tests.support.images import image, layer
from tests.support.receiver import Receiver, receiving
from tests.support.server import Server

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


class Span(NamedTuple):
    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    failed: bool


class Traced(NamedTuple):
    server: Server
    collector: Receiver

    def stop(self) -> list[Span]:
        """Stop the server, which sends its remaining spans, and return all spans."""
        self.server.stop()
        return [span for message in self.collector.messages for span in spans_of(message.body, message.headers)]


def spans_of(body: bytes, headers: dict[str, str]) -> Iterator[Span]:
    content = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
    for resource in ExportTraceServiceRequest.FromString(content).resource_spans:
        resource_attributes = {
            attribute.key: attribute.value.string_value for attribute in resource.resource.attributes
        }
        assert resource_attributes["service.name"] == "moorage"
        for scope in resource.scope_spans:
            for span in scope.spans:
                attributes = {
                    attribute.key: getattr(attribute.value, attribute.value.WhichOneof("value") or "")
                    for attribute in span.attributes
                }
                ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
                yield Span(span.name, *ids, attributes, span.status.code == 2)


@pytest.fixture
def traced(fresh_server: StartServer) -> Iterator[Callable[..., Traced]]:
    with receiving() as collector:
        url = collector.url.partition("/hook")[0]
        yield lambda *words: Traced(fresh_server(extra_args=["--traces", url, *words]), collector)


def test_a_push_and_a_pull_are_spans_with_their_transactions_and_blob_store_calls(
    traced: Callable[..., Traced],
) -> None:
    traced_server, pushed = traced("--workers", "2"), image([layer(seed=1)])
    with aws_client(traced_server.server) as ecr:
        ecr.create_repository(repositoryName="team/app")
        password = docker_password(ecr)
    docker = Docker(traced_server.server.host, traced_server.server.port, password)
    docker.push("team/app", pushed, "v1")
    assert docker.get("/v2/team/app/manifests/v1").status == 200

    spans = traced_server.stop()

    of = {span.name: span for span in spans}
    put, pull = of["PutImage"], of["BatchGetImage"]
    assert put.attributes["http.request.method"] == "PUT"
    assert put.attributes["url.path"] == "/v2/team/app/manifests/v1"
    assert (put.attributes["http.response.status_code"], put.parent, put.failed) == (201, "", False)
    assert put.attributes["http.request.body.size"] == len(pushed.manifest.content)
    assert pull.attributes["http.response.body.size"] == len(pushed.manifest.content)
    assert pull.attributes["aws.request_id"]
    committed = [span for span in spans if span.parent == put.id and span.name.startswith("commit ")]
    assert len(committed) == 1, [each.name for each in spans if each.trace == put.trace]
    assert [span.name for span in spans if span.parent == committed[0].id] == [
        committed[0].name.removeprefix("commit ")
    ]
    assert {span.name for span in spans if span.trace == of["CompleteLayerUpload"].trace} >= {"blobs commit"}


def test_a_request_joins_only_the_trace_of_its_caller(traced: Callable[..., Traced]) -> None:
    traced_server = traced("--workers", "1")
    with aws_client(traced_server.server) as ecr:
        ecr.create_repository(repositoryName="team/app")
        password = docker_password(ecr)

    def send_request(number: int) -> None:
        docker = Docker(traced_server.server.host, traced_server.server.port, password)
        context = f"00-{TRACE[:-2]}{number:02x}-{PARENT}-01"
        assert docker.get("/v2/team/app/manifests/none", headers={"traceparent": context}).status == 404

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(send_request, range(1, 33)))

    spans = traced_server.stop()

    for number in range(1, 33):
        of_caller = [span for span in spans if span.trace == f"{TRACE[:-2]}{number:02x}"]
        (request,) = [span for span in of_caller if span.parent == PARENT]
        assert request.name == "BatchGetImage"
        assert {span.parent for span in of_caller if span is not request} <= {request.id}


def test_the_share_is_respected_and_health_checks_are_never_traced(traced: Callable[..., Traced]) -> None:
    traced_server = traced("--workers", "1", "--traces-share", "0")
    docker = Docker(traced_server.server.host, traced_server.server.port, "")
    sampled = f"00-{TRACE}-{PARENT}-01"
    assert docker.get("/v2/").status == 401
    assert docker.get("/v2/", headers={"traceparent": sampled}).status == 401
    assert docker.get("/readyz", headers={"traceparent": sampled}).status == 200

    assert [(span.trace, span.attributes["url.path"]) for span in traced_server.stop()] == [(TRACE, "/v2/")]


def test_spans_contain_no_secrets(traced: Callable[..., Traced]) -> None:
    traced_server, pushed = traced("--workers", "1"), image([layer(seed=1)])
    with aws_client(traced_server.server) as ecr:
        ecr.create_repository(repositoryName="team/app")
        password = docker_password(ecr)
        docker = Docker(traced_server.server.host, traced_server.server.port, password)
        docker.push("team/app", pushed, "v1")
        link = ecr.get_download_url_for_layer(repositoryName="team/app", layerDigest=pushed.blobs[0].digest)
        path, _, query = link["downloadUrl"].partition("?")
        assert docker.get(f"{path[path.index('/layers') :]}?{query}").status == 200

    text = repr(traced_server.stop())

    assert "/layers/" in text
    assert password not in text
    assert query.partition("=")[2] not in text


def test_an_unreachable_collector_is_logged_and_causes_no_failure(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--traces", "http://127.0.0.1:9", "--workers", "1"])
    with aws_client(server) as ecr:
        ecr.create_repository(repositoryName="team/app")

    began = time.monotonic()
    server.stop()

    assert time.monotonic() - began < 60
    assert '"event":"traces"' in server.output()
