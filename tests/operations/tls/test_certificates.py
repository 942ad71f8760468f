"""The contents of the certificates, and when new ones are issued, with a clock that the tests set."""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from moorage.adapters.tls.authority import CertificateUnusable, CertifiedKey, names_in, read_certified_key
from moorage.adapters.tls.certificates import BuiltInAuthority, OperatorFiles, names_to_serve
from tests.operations.tls.conftest import Operator

START = datetime(2030, 1, 1, tzinfo=UTC)
NAMES = ["localhost", "127.0.0.1", "::1"]


class Clock:
    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time

    def after(self, days: float) -> None:
        self.time = START + timedelta(days=days)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def pair_in(path: Path) -> CertifiedKey:
    return read_certified_key(path.read_bytes(), path.read_bytes())


def prepared(folder: Path, clock: Clock, names: list[str] = NAMES) -> tuple[x509.Certificate, x509.Certificate]:
    """The authority's and the server's certificate after a start."""
    BuiltInAuthority(folder, names, clock).prepare()
    return x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes()), pair_in(folder / "server.pem").certificate


def test_the_certificate_names_localhost_the_registries_and_the_requested_names() -> None:
    names = names_to_serve(["[::1]", "0:0::2", "BOX", "192.0.2.7"], "eu-west-1", "registry.example:8443")

    assert names == [
        "localhost",
        "*.localhost",
        "127.0.0.1",
        "::1",
        "*.dkr.ecr.eu-west-1.localhost",
        "registry.example",
        "*.dkr.ecr.eu-west-1.registry.example",
        "::2",
        "box",
        "192.0.2.7",
    ]


def test_the_authority_only_signs_servers_and_lasts_ten_years(tmp_path: Path, clock: Clock) -> None:
    authority, _ = prepared(tmp_path / "tls", clock)

    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = authority.extensions.get_extension_for_class(x509.KeyUsage)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    assert (usage.value.key_cert_sign, usage.value.digital_signature) == (True, False)
    assert authority.not_valid_after_utc - authority.not_valid_before_utc == timedelta(days=3650)
    assert isinstance(authority.public_key(), ec.EllipticCurvePublicKey)


def test_the_server_certificate_is_for_servers_and_lasts_no_longer_than_clients_accept(
    tmp_path: Path, clock: Clock
) -> None:
    authority, served = prepared(tmp_path / "tls", clock)

    served.verify_directly_issued_by(authority)
    usage = served.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert not served.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert served.not_valid_after_utc - served.not_valid_before_utc <= timedelta(days=397)
    assert served.not_valid_before_utc < START < served.not_valid_after_utc
    assert names_in(served) == NAMES


def test_only_the_owner_can_read_keys_and_everyone_the_certificate(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "tls"
    prepared(folder, clock)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"ca.pem": 0o600, "server.pem": 0o600, "ca.crt": 0o644, "bundle.crt": 0o644}
    assert b"PRIVATE" not in (folder / "ca.crt").read_bytes() + (folder / "bundle.crt").read_bytes()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_second_start_keeps_both(tmp_path: Path, clock: Clock) -> None:
    first = prepared(tmp_path / "tls", clock)
    clock.after(days=300)

    assert prepared(tmp_path / "tls", clock) == first


def test_a_start_within_thirty_days_of_the_end_renews_with_the_same_authority(tmp_path: Path, clock: Clock) -> None:
    authority, served = prepared(tmp_path / "tls", clock)
    clock.after(days=368)

    same, renewed = prepared(tmp_path / "tls", clock)

    assert same == authority
    assert renewed.serial_number != served.serial_number
    renewed.verify_directly_issued_by(authority)
    assert renewed.not_valid_after_utc > clock() + timedelta(days=396)


def test_other_names_cause_another_certificate(tmp_path: Path, clock: Clock) -> None:
    authority, _ = prepared(tmp_path / "tls", clock)

    same, renewed = prepared(tmp_path / "tls", clock, [*NAMES, "registry.example"])

    assert same == authority
    assert names_in(renewed) == [*NAMES, "registry.example"]


def test_a_server_certificate_never_outlives_its_authority(tmp_path: Path, clock: Clock) -> None:
    authority, _ = prepared(tmp_path / "tls", clock)
    clock.after(days=3500)

    _, served = prepared(tmp_path / "tls", clock)

    assert served.not_valid_after_utc == authority.not_valid_after_utc


def test_an_expiring_authority_is_replaced(tmp_path: Path, clock: Clock) -> None:
    authority, _ = prepared(tmp_path / "tls", clock)
    clock.after(days=3630)

    other, served = prepared(tmp_path / "tls", clock)

    assert other.subject != authority.subject
    served.verify_directly_issued_by(other)


def test_a_running_server_checks_once_a_day(tmp_path: Path, clock: Clock) -> None:
    own = BuiltInAuthority(tmp_path / "tls", NAMES, clock)
    own.prepare()
    before = own.file.read_bytes()

    clock.after(days=1)
    assert not own.refresh()
    clock.after(days=368.5)
    assert own.refresh()
    assert own.file.read_bytes() != before
    assert not own.refresh()


def test_a_damaged_server_certificate_is_issued_again_and_a_damaged_authority_is_reported(
    tmp_path: Path, clock: Clock
) -> None:
    authority, _ = prepared(tmp_path / "tls", clock)
    (tmp_path / "tls" / "server.pem").write_text("nonsense")
    assert prepared(tmp_path / "tls", clock)[0] == authority

    (tmp_path / "tls" / "ca.pem").write_text("nonsense")
    with pytest.raises(CertificateUnusable, match=r"ca\.pem"):
        prepared(tmp_path / "tls", clock)


def test_the_bundle_has_the_authority_and_the_roots_that_this_machine_trusts(tmp_path: Path, clock: Clock) -> None:
    authority, _ = prepared(tmp_path / "tls", clock)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(tmp_path / "tls" / "bundle.crt")
    assert authority.public_bytes(serialization.Encoding.DER) in context.get_ca_certs(binary_form=True)
    assert (tmp_path / "tls" / "bundle.crt").read_bytes().startswith((tmp_path / "tls" / "ca.crt").read_bytes())


def test_given_files_are_used_when_both_are_new(tmp_path: Path, operator: Operator) -> None:
    operator.install(operator.issue("one.example"))
    given = OperatorFiles(operator.certificate, operator.key, tmp_path / "tls")
    given.prepare()
    assert not given.refresh()
    assert given.host_name() == "one.example"

    other = operator.issue("*.example", "192.0.2.1", "two.example")
    operator.certificate.write_bytes(other.public_pem())
    with pytest.raises(CertificateUnusable, match="the key does not belong to the certificate"):
        given.refresh()
    assert not given.refresh(), "reported once"
    assert given.host_name() == "one.example", "the last good one stays"

    operator.install(other)
    assert given.refresh()
    assert pair_in(given.file).certificate == other.certificate
    assert given.host_name() == "two.example"
    assert stat.S_IMODE(given.file.stat().st_mode) == 0o600


def test_a_key_with_a_password_is_rejected(tmp_path: Path, operator: Operator) -> None:
    pair = operator.issue("one.example")
    operator.install(pair)
    sealed = serialization.BestAvailableEncryption(b"secret")
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    operator.key.write_bytes(pair.key.private_bytes(pem, form, sealed))

    with pytest.raises(CertificateUnusable, match=r"[Pp]assword"):
        OperatorFiles(operator.certificate, operator.key, tmp_path / "tls").prepare()
