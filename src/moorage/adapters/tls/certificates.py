"""The server's certificate, from the built-in authority or from the operator's files, and its renewal.

DATA/tls/ca.crt        the authority's certificate, for clients to trust
DATA/tls/bundle.crt    the same plus the system's CA certificates, for clients that read one file (AWS_CA_BUNDLE)
DATA/tls/ca.pem        the authority with its key, mode 0600
DATA/tls/server.pem    the server's certificate with its key, mode 0600
DATA/tls/given.pem     the operator's certificate with its key, mode 0600
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from moorage.adapters.files.durable import replace_file
from moorage.adapters.tls.authority import (
    CertificateUnusable,
    CertifiedKey,
    names_in,
    new_authority,
    new_server,
    read_certified_key,
)
from moorage.domain.certificates import is_issued_by

Now = Callable[[], datetime]

RENEW_BEFORE: Final = timedelta(days=30)
_CHECK_EVERY: Final = timedelta(days=1)

# The file in which systems keep their trusted CAs: Debian and Alpine, Fedora, macOS and BSD.
_SYSTEM_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


class Certificates(Protocol):
    """A source of the server's certificate. `file` contains it with its key."""

    file: Path

    def prepare(self) -> None:
        """Make `file` ready to serve from. Raises CertificateUnusable, OSError."""

    def refresh(self) -> bool:
        """Update `file`; returns whether it changed. Raises CertificateUnusable, OSError; then the old file stays."""


def expiry_of(file: Path) -> tuple[str, float]:
    """The first name in the certificate of a file, and when it expires, in Unix seconds.

    Raises CertificateUnusable, OSError.
    """
    certificate = _read_file(file).certificate
    return next(iter(names_in(certificate)), ""), certificate.not_valid_after_utc.timestamp()


def names_to_serve(hosts: Iterable[str], region: str, domain: str | None) -> list[str]:
    """The names and addresses for a server's certificate, without duplicates and in a stable order.

    A `*` matches one label only (RFC 6125, 6.4.3), so registry hosts need one name with the Region.
    """
    names = ["localhost", "*.localhost", "127.0.0.1", "::1", f"*.dkr.ecr.{region}.localhost"]
    if domain is not None:
        without_port = domain.partition(":")[0]
        names += [without_port, f"*.dkr.ecr.{region}.{without_port}"]
    return list(dict.fromkeys(_normal(name) for name in [*names, *hosts]))


class BuiltInAuthority:
    """A certificate for `names`, signed by an authority whose key is in `folder`."""

    def __init__(self, folder: Path, names: list[str], now: Now) -> None:
        self.file = folder / "server.pem"
        self.certificate = folder / "ca.crt"
        self.bundle = folder / "bundle.crt"
        self._secret = folder / "ca.pem"
        self._names = names
        self._now = now
        self._next_check = now() + _CHECK_EVERY

    def prepare(self) -> None:
        """Create what is missing, expires within 30 days or has other names. Raises CertificateUnusable, OSError."""
        self.file.parent.mkdir(mode=0o700, exist_ok=True)
        self._renew()

    def refresh(self) -> bool:
        """Renew what is due; checks once a day. Raises CertificateUnusable, OSError."""
        if self._now() < self._next_check:
            return False
        self._next_check = self._now() + _CHECK_EVERY
        return self._renew()

    def _renew(self) -> bool:
        authority = self._authority()
        public = authority.public_pem()
        _write_if_changed(self.certificate, public)
        _write_if_changed(self.bundle, public + _system_bundle())
        if self._is_current(authority):
            return False
        replace_file(self.file, new_server(self._names, authority, self._now()).pem())
        return True

    def _authority(self) -> CertifiedKey:
        if self._secret.exists():
            kept = _read_file(self._secret)
            if self._is_valid_long_enough(kept):
                return kept
        made = new_authority(self._now())
        replace_file(self._secret, made.pem())
        return made

    def _is_current(self, authority: CertifiedKey) -> bool:
        try:
            served = _read_file(self.file)
        except (CertificateUnusable, FileNotFoundError):
            return False  # the caller creates a new one
        by_us = is_issued_by(served.certificate, authority.certificate)
        return by_us and self._is_valid_long_enough(served) and names_in(served.certificate) == self._names

    def _is_valid_long_enough(self, pair: CertifiedKey) -> bool:
        return pair.certificate.not_valid_after_utc - self._now() > RENEW_BEFORE


class OperatorFiles:
    """The operator's certificate and key, copied into one file when they change and match each other."""

    def __init__(self, certificate: Path, key: Path, folder: Path) -> None:
        self.file = folder / "given.pem"
        self._certificate = certificate
        self._key = key
        self._seen = self._state()

    def prepare(self) -> None:
        """Copy the files. Raises CertificateUnusable, OSError."""
        self.file.parent.mkdir(mode=0o700, exist_ok=True)
        self._seen = self._state()
        try:
            pair = read_certified_key(self._certificate.read_bytes(), self._key.read_bytes())
        except CertificateUnusable as error:
            raise CertificateUnusable(f"{self._certificate} and {self._key}: {error}") from None
        replace_file(self.file, pair.pem())

    def refresh(self) -> bool:
        """Copy the files if they changed. Raises CertificateUnusable, OSError, once per change."""
        if self._state() == self._seen:
            return False
        self.prepare()
        return True

    def host_name(self) -> str | None:
        """The first host name in the certificate that is not a wildcard or an address."""
        names = names_in(_read_file(self.file).certificate)
        return next((name for name in names if "*" not in name and not _is_address(name)), None)

    def _state(self) -> list[tuple[int, int, int]]:
        """A value that changes when a file is written or replaced, or when a link points elsewhere."""
        return [_file_state(path) for path in (self._certificate, self._key)]


def _read_file(path: Path) -> CertifiedKey:
    content = path.read_bytes()
    try:
        return read_certified_key(content, content)
    except CertificateUnusable as error:
        raise CertificateUnusable(f"{path}: {error}") from None


def _file_state(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:  # the operator is replacing it
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino


def _system_bundle() -> bytes:
    """The system's CA certificates: a client that uses our bundle must still be able to reach other servers."""
    found = next((Path(name) for name in _SYSTEM_BUNDLES if Path(name).is_file()), None)
    return b"" if found is None else found.read_bytes()


def _write_if_changed(path: Path, content: bytes) -> None:
    """Replace a public file atomically if its content differs."""
    if path.exists() and path.read_bytes() == content:
        return
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(content)
    temporary.chmod(0o644)
    temporary.rename(path)


def _normal(name: str) -> str:
    """The name in lower case; an address in the form that certificates use."""
    plain = name.strip("[]").lower()
    return str(ipaddress.ip_address(plain)) if _is_address(plain) else plain


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
