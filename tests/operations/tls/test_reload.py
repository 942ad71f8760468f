"""A new certificate is used without a restart, and requests in progress continue."""

from __future__ import annotations

import http.client
import re
import signal
import urllib.request

import boto3

from tests.operations.tls.conftest import Operator, StartTls, TlsServer
from tests.support.ports import free_port
from tests.support.waiting import wait_until


def wait_for_serial(server: TlsServer, serial: int) -> None:
    """Wait until all new connections get this certificate."""
    wait_until(lambda: shown_serials(server) == {serial})


def shown_serials(server: TlsServer) -> set[int]:
    """The certificates of five new connections. Nothing if a connection reaches a worker that is stopping."""
    try:
        return {server.serial_number() for _ in range(5)}
    except OSError:
        return set()


def test_a_given_certificate_determines_the_server_s_name(start_tls: StartTls, operator: Operator) -> None:
    operator.install(operator.issue("*.example", "registry.example", "localhost"))

    server = start_tls(operator.words)

    assert server.environment["AWS_ENDPOINT_URL_ECR"] == f"https://registry.example:{server.port}"
    assert "AWS_CA_BUNDLE" not in server.environment


def test_changed_files_are_used_without_a_restart(start_tls: StartTls, operator: Operator) -> None:
    first = operator.install(operator.issue("localhost"))
    server = start_tls(operator.words)
    assert server.serial_number() == first

    second = operator.install(operator.issue("localhost"))

    wait_for_serial(server, second)


def test_the_metric_of_the_expiry_follows_the_certificate(start_tls: StartTls, operator: Operator) -> None:
    def expiry_of(name: str) -> float | None:
        with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=60) as answer:
            line = re.search(
                rf'^moorage_certificate_expiry_timestamp_seconds{{name="{name}"}} (.+)$',
                answer.read().decode(),
                re.MULTILINE,
            )
        return None if line is None else float(line[1])

    metrics, first, second = f"127.0.0.1:{free_port()}", operator.issue("localhost"), operator.issue("two.example")
    operator.install(first)
    start_tls([*operator.words, "--metrics", metrics])
    assert expiry_of("localhost") == first.certificate.not_valid_after_utc.timestamp()

    operator.install(second)

    wait_until(lambda: expiry_of("two.example") == second.certificate.not_valid_after_utc.timestamp())
    assert expiry_of("localhost") is None


def test_mismatched_files_are_reported_and_change_nothing(start_tls: StartTls, operator: Operator) -> None:
    first = operator.install(operator.issue("localhost"))
    server = start_tls(operator.words)

    operator.key.write_text("nonsense")

    wait_until(lambda: '"event":"certificate-unusable"' in server.output())
    assert server.serial_number() == first


def test_an_upload_in_progress_survives_the_change(start_tls: StartTls, operator: Operator) -> None:
    operator.install(operator.issue("localhost"))
    server = start_tls(operator.words)
    authorization = with_repository(server, "team/app")
    before = server.workers()
    slow = server.connection()
    slow.request("POST", "/v2/team/app/blobs/uploads/", headers=authorization)
    location = begun(slow)
    slow.putrequest("PATCH", location)
    for name, value in {**authorization, "Content-Length": "8"}.items():
        slow.putheader(name, value)
    slow.endheaders(b"1234")

    wait_for_serial(server, operator.install(operator.issue("localhost")))
    assert server.workers() == before
    slow.send(b"5678")

    answer = slow.getresponse()
    assert (answer.status, answer.headers["Range"]) == (202, "0-7")
    slow.close()


def test_a_signal_to_reload_keeps_the_workers_and_their_connections(start_tls: StartTls, operator: Operator) -> None:
    operator.install(operator.issue("localhost"))
    server = start_tls(operator.words)
    before = server.workers()
    assert server.process is not None
    connection = server.connection()
    connection.request("GET", "/healthz")
    assert connection.getresponse().read() == b"ok\n"

    server.process.send_signal(signal.SIGHUP)
    wait_for_serial(server, operator.install(operator.issue("localhost")))

    connection.request("GET", "/healthz")
    assert connection.getresponse().read() == b"ok\n"
    connection.close()
    assert server.workers() == before


def with_repository(server: TlsServer, name: str) -> dict[str, str]:
    """Create a repository. Returns the Authorization header of Docker clients."""
    given = server.environment
    client = boto3.client(
        "ecr",
        endpoint_url=f"https://localhost:{server.port}",
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        region_name=given["AWS_REGION"],
        verify=str(server.authority),
    )
    client.create_repository(repositoryName=name)
    token = client.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    client.close()
    return {"Authorization": f"Basic {token}"}


def begun(connection: http.client.HTTPSConnection) -> str:
    """The location of the upload that began on this connection."""
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 202
    return str(answer.headers["Location"])
