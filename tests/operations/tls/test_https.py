"""A server with a certificate of its own authority, used by AWS clients, curl and skopeo."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import boto3
import pytest

from tests.operations.tls.conftest import Operator, StartTls, TlsServer
from tests.support.aws import aws_client, docker_password
from tests.support.clients import program_environment, require_client, run
from tests.support.images import image, write_layout
from tests.support.port_mapping import mapped_port
from tests.support.server import Server
from tests.support.waiting import PATIENCE_SECONDS, wait_until


@pytest.fixture(scope="module")
def ecr(tls_server: TlsServer) -> Iterator[Any]:
    """boto3 with only the output of `moorage env`."""
    given = tls_server.environment
    client = boto3.client(
        "ecr",
        endpoint_url=given["AWS_ENDPOINT_URL_ECR"],
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        region_name=given["AWS_REGION"],
        verify=given["AWS_CA_BUNDLE"],
    )
    yield client
    client.close()


def moorage(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "moorage", *words]
    return subprocess.run(
        program,
        env=program_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_current_versions_of_tls_are_supported(tls_server: TlsServer, version: ssl.TLSVersion) -> None:
    with tls_server.handshake(version=version) as connection:
        assert connection.version() == version.name.replace("_", ".")


def test_older_versions_of_tls_are_rejected(tls_server: TlsServer) -> None:
    with pytest.warns(DeprecationWarning, match="TLSv1_1"), pytest.raises(ssl.SSLError):
        tls_server.handshake(version=ssl.TLSVersion.TLSv1_1)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "000000000000.dkr.ecr.us-east-1.localhost"])
def test_the_certificate_is_valid_for_every_name_of_the_server(tls_server: TlsServer, name: str) -> None:
    tls_server.handshake(name).close()


def test_clients_reject_a_name_that_is_not_the_server_s(tls_server: TlsServer) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        tls_server.handshake("registry.example")


def test_every_address_that_the_api_returns_is_https(tls_server: TlsServer, ecr: Any) -> None:
    host = f"localhost:{tls_server.port}"
    made = ecr.create_repository(repositoryName="addresses")["repository"]
    pushed = image(seed=3)
    for blob in pushed.blobs:
        upload = ecr.initiate_layer_upload(repositoryName="addresses")["uploadId"]
        last = len(blob.content) - 1
        part = {"partFirstByte": 0, "partLastByte": last, "layerPartBlob": blob.content}
        ecr.upload_layer_part(repositoryName="addresses", uploadId=upload, **part)
        ecr.complete_layer_upload(repositoryName="addresses", uploadId=upload, layerDigests=[blob.digest])
    ecr.put_image(repositoryName="addresses", imageManifest=pushed.manifest.content.decode(), imageTag="v1")
    layer = pushed.blobs[-1]

    link = ecr.get_download_url_for_layer(repositoryName="addresses", layerDigest=layer.digest)["downloadUrl"]

    assert made["repositoryUri"] == f"{host}/addresses"
    assert ecr.get_authorization_token()["authorizationData"][0]["proxyEndpoint"] == f"https://{host}"
    assert link.startswith(f"https://{host}/layers/")
    with urlopen(link, context=tls_server.trust()) as response:
        assert response.read() == layer.content


@pytest.mark.parametrize(
    ("names", "host"), [(["registry.example", "localhost"], "registry.example:{listen}"), (["localhost"], "{used}")]
)
def test_a_certificate_names_the_server_for_every_client_unless_it_only_says_localhost(
    start_tls: StartTls, operator: Operator, monkeypatch: pytest.MonkeyPatch, names: list[str], host: str
) -> None:
    operator.install(operator.issue(*names))
    server = start_tls(operator.words)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(server.authority))
    with mapped_port(server.port) as port:
        used = f"localhost:{port}"
        with aws_client(server, endpoint=f"https://{used}") as ecr:
            returned = ecr.get_authorization_token()["authorizationData"][0]["proxyEndpoint"]

    assert returned == "https://" + host.format(listen=server.port, used=used)


def test_the_challenge_names_the_requested_host(tls_server: TlsServer) -> None:
    name = "000000000000.dkr.ecr.us-east-1.localhost"
    connection = tls_server.connection(name)
    connection.request("GET", "/v2/")
    answer = connection.getresponse()
    connection.close()

    realm = f"https://{name}:{tls_server.port}/"
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == f'Basic realm="{realm}",service="ecr.amazonaws.com"'


def test_the_server_prints_https_and_what_to_trust(tls_server: TlsServer) -> None:
    wait_until(lambda: f"must trust {tls_server.authority} first" in tls_server.output())

    assert f"on https://localhost:{tls_server.port}\n" in tls_server.output()


def test_the_authority_is_printed_without_its_key(tls_server: TlsServer, tmp_path: Path) -> None:
    ended = moorage(tmp_path, "tls", "ca", "--data", str(tls_server.data))

    assert (ended.returncode, ended.stdout) == (0, tls_server.authority.read_text())
    assert ended.stderr == f"{tls_server.authority}\n"
    assert "PRIVATE" not in ended.stdout


def test_a_folder_without_an_authority_is_reported(tmp_path: Path) -> None:
    (tmp_path / "moorage.db").touch()

    ended = moorage(tmp_path, "tls", "ca", "--data", str(tmp_path))

    assert ended.returncode == 1
    assert "Start the server once with --tls" in ended.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tls-cert", "a"], "--tls-cert and --tls-key must be set together."),
        (["--tls", "--tls-cert", "a", "--tls-key", "b"], "set only one of the pairs."),
        (["--tls-name", "a.example"], "set --tls, too."),
        (["--tls", "--tls-name", "a b"], "--tls-name is invalid: 'a b' is neither a host name nor an address"),
        (
            ["--host-name", "http://a"],
            "--host-name must be a host name or an address, with or without a port, not 'http://a'.",
        ),
        (["--trusted-proxy", "10.0.0.1/8"], "--trusted-proxy is invalid: 10.0.0.1/8 has host bits set."),
    ],
)
def test_contradicting_settings_are_named(tmp_path: Path, words: list[str], message: str) -> None:
    ended = moorage(tmp_path, "serve", "--data", str(tmp_path / "data"), *words)

    assert ended.returncode == 2
    assert message in ended.stderr


def test_a_missing_certificate_is_reported(tmp_path: Path) -> None:
    words = ["--listen", "127.0.0.1:0", "--tls-cert", "no.pem", "--tls-key", "no.key"]

    ended = moorage(tmp_path, "serve", "--data", str(tmp_path / "data"), *words)

    assert (ended.returncode, ended.stderr) == (1, "Error: no.pem: No such file or directory\n")


def test_a_restart_keeps_the_authority_and_more_names_issue_a_new_certificate(start_tls: StartTls) -> None:
    server = start_tls(["--tls", "--tls-name", "one.example", "--tls-name", "192.0.2.7"])
    authority, first = server.authority.read_bytes(), server.serial_number()
    server.handshake("one.example").close()
    server.handshake("192.0.2.7").close()

    server.restart(extra_args=["--tls", "--workers", "1", "--domain", f"registry.example:{server.port}"])

    assert server.authority.read_bytes() == authority
    assert server.serial_number() != first
    server.handshake("000000000000.dkr.ecr.us-east-1.registry.example").close()
    with pytest.raises(ssl.SSLCertVerificationError):
        server.handshake("one.example")


def test_without_tls_the_environment_has_no_authority(start_tls: StartTls) -> None:
    server = start_tls(["--tls"])
    assert "AWS_CA_BUNDLE" in server.environment
    server.stop()

    plain = Server(server.data)
    plain.start(extra_args=["--workers", "1"])
    plain.stop()

    assert "AWS_CA_BUNDLE" not in plain.environment
    assert plain.environment["AWS_ENDPOINT_URL_ECR"] == f"http://localhost:{plain.port}"


@pytest.mark.client
def test_curl_verifies_the_server_by_the_printed_authority(tls_server: TlsServer, tmp_path: Path) -> None:
    curl = require_client("curl")
    words: list[str | Path] = ["--silent", "--fail", "--noproxy", "*", "--cacert", tls_server.authority]

    assert run([curl, *words, f"{tls_server.url}/healthz"], program_environment(tmp_path)) == "ok\n"


@pytest.mark.client
def test_the_aws_command_line_only_needs_the_environment(tls_server: TlsServer, tmp_path: Path) -> None:
    aws = require_client("aws")

    out = run([aws, "ecr", "describe-registry"], program_environment(tmp_path, tls_server.environment))

    assert json.loads(out)["registryId"] == "000000000000"


@pytest.mark.client
def test_skopeo_pushes_and_pulls_with_an_authority_in_a_folder(tls_server: TlsServer, ecr: Any, tmp_path: Path) -> None:
    skopeo, pushed = require_client("skopeo"), image(seed=7)
    ecr.create_repository(repositoryName="by/skopeo")
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    (certificates / "ca.crt").write_bytes(tls_server.authority.read_bytes())
    environment = program_environment(tmp_path)
    address = f"docker://localhost:{tls_server.port}/by/skopeo:v1"
    credentials = f"AWS:{docker_password(ecr)}"
    layout = f"oci:{write_layout(tmp_path / 'layout', pushed)}"

    to: list[str | Path] = ["--dest-cert-dir", certificates, "--dest-creds", credentials]
    run([skopeo, "copy", "--preserve-digests", *to, layout, address], environment)
    by: list[str | Path] = ["--src-cert-dir", certificates, "--src-creds", credentials]
    run([skopeo, "copy", *by, address, f"dir:{tmp_path / 'pulled'}"], environment)

    assert (tmp_path / "pulled" / "manifest.json").read_bytes() == pushed.manifest.content


def test_the_command_for_health_checks_uses_tls(tls_server: TlsServer, tmp_path: Path) -> None:
    address = ("--listen", f"{tls_server.host}:{tls_server.port}")

    assert moorage(tmp_path, "ready", "--tls", *address).returncode == 0
    assert moorage(tmp_path, "ready", *address).returncode == 1


def test_a_request_that_arrives_in_one_record_with_the_body_before_it_is_answered(start_tls: StartTls) -> None:
    """TLS has decrypted it with the body, so the socket does not show that there is more."""
    server = start_tls(["--tls"])
    body = b"Action=Nothing"
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as plain:
        connection = server.trust().wrap_socket(plain, server_hostname="localhost")
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body))
        time.sleep(0.5)  # The server waits for the body now.
        connection.sendall(body + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: connection.recv(65536), b""))
        connection.close()

    assert received.endswith(b"\r\n\r\nok\n"), received
