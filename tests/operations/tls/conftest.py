"""Servers with TLS, and the certificates that clients see."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from moorage.adapters.tls.authority import CertifiedKey, new_authority, new_server
from tests.support.server import Server


class TlsServer(Server):
    """A server with HTTPS only. `authority` is the file with the certificate authority that clients must trust."""

    def __init__(self, data: Path, authority: Path) -> None:
        super().__init__(data)
        self.url = f"https://{self.host}:{self.port}"
        self.authority = authority

    def connection(self, name: str = "localhost") -> http.client.HTTPSConnection:
        """A connection to this host name. It verifies the certificate."""
        connection = http.client.HTTPSConnection(name, self.port, timeout=60, context=self.trust())
        connection.sock = self.handshake(name)
        return connection

    def handshake(self, name: str = "localhost", version: ssl.TLSVersion | None = None) -> ssl.SSLSocket:
        """A TLS connection to this host name, with this version of TLS if one is given. Raises ssl.SSLError."""
        context = self.trust()
        if version is not None:
            context.minimum_version = context.maximum_version = version
        plain = socket.create_connection((self.host, self.port), timeout=60)
        return context.wrap_socket(plain, server_hostname=name)

    def serial_number(self) -> int:
        """The serial number of the certificate that a new connection gets."""
        with self.handshake() as connection:
            shown = connection.getpeercert(binary_form=True)
        assert shown is not None
        return x509.load_der_x509_certificate(shown).serial_number

    def trust(self) -> ssl.SSLContext:
        """A context that trusts the server's authority and no other."""
        return ssl.create_default_context(cafile=str(self.authority))


StartTls = Callable[[Sequence[str]], TlsServer]


@pytest.fixture(scope="session")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    """A shared server with one worker process and a certificate of its own authority. Do not stop it."""
    data = tmp_path_factory.mktemp("tls-server") / "data"
    one = TlsServer(data, data / "tls" / "ca.crt")
    one.start(extra_args=["--tls", "--workers", "1"])
    yield one
    one.stop()


@pytest.fixture
def start_tls(tmp_path: Path) -> Iterator[StartTls]:
    """`start_tls(words)` starts a server with these options. With `--tls-cert`, its authority is `authority.crt`."""
    started: list[TlsServer] = []

    def start(words: Sequence[str]) -> TlsServer:
        data = tmp_path / f"server-{len(started)}" / "data"
        data.parent.mkdir()
        given = "--tls-cert" in words
        one = TlsServer(data, tmp_path / "authority.crt" if given else data / "tls" / "ca.crt")
        started.append(one)
        one.start(extra_args=[*words, "--workers", "1"])
        return one

    yield start
    for one in started:
        if one.process is not None:
            one.stop()


class Operator:
    """An operator with an own certificate authority, who installs a certificate and its key as two files."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "fullchain.pem"
        self.key = folder / "privkey.pem"
        self._authority = new_authority(datetime.now(UTC))
        (folder / "authority.crt").write_bytes(self._authority.public_pem())

    @property
    def words(self) -> list[str]:
        return ["--tls-cert", str(self.certificate), "--tls-key", str(self.key)]

    def issue(self, *names: str) -> CertifiedKey:
        return new_server(list(names), self._authority, datetime.now(UTC))

    def install(self, pair: CertifiedKey) -> int:
        """Write the pair to the files. Returns the serial number of the certificate."""
        self.certificate.write_bytes(pair.public_pem())
        self.key.write_bytes(pair.pem().partition(pair.public_pem())[2])
        return pair.certificate.serial_number


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)
