"""The certificate that the server shows: from its own authority or from the operator's files, and when it is another.

DATA/tls/ca.crt        the authority's certificate, for clients to trust
DATA/tls/bundle.crt    the same and what this machine trusts anyway, for clients that take one file (AWS_CA_BUNDLE)
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

from moorage.adapters.data_folder import write_secret
from moorage.adapters.tls.authority import (
    CertificateUnusable,
    Pair,
    is_issued_by,
    names_in,
    new_authority,
    new_server,
    read_pair,
)

Now = Callable[[], datetime]

RENEW_BEFORE: Final = timedelta(days=30)
_CHECK_EVERY: Final = timedelta(days=1)

# Where systems keep what they trust in one file: Debian and Alpine, Fedora, macOS and BSD.
_SYSTEM_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


class Certificates(Protocol):
    """Where the server's certificate comes from. `file` has it with its key."""

    file: Path

    def prepare(self) -> None:
        """Make `file` ready to serve from. Raises CertificateUnusable, OSError."""

    def refresh(self) -> bool:
        """Whether `file` has another certificate now. Raises CertificateUnusable, OSError; `file` then stays."""


def names_to_serve(hosts: Iterable[str], region: str, domain: str | None) -> list[str]:
    """The names and addresses of a server's certificate: each once, and in an order that stays.

    A `*` stands for one label only (RFC 6125, 6.4.3), so the hosts of registries need a name for the region.
    """
    names = ["localhost", "*.localhost", "127.0.0.1", "::1", f"*.dkr.ecr.{region}.localhost"]
    if domain is not None:
        without_port = domain.partition(":")[0]
        names += [without_port, f"*.dkr.ecr.{region}.{without_port}"]
    return list(dict.fromkeys(_normal(name) for name in [*names, *hosts]))


class OwnAuthority:
    """A certificate for `names`, signed by an authority that the folder keeps."""

    def __init__(self, folder: Path, names: list[str], now: Now) -> None:
        self.file = folder / "server.pem"
        self.certificate = folder / "ca.crt"
        self.bundle = folder / "bundle.crt"
        self._secret = folder / "ca.pem"
        self._names = names
        self._now = now
        self._next_check = now() + _CHECK_EVERY

    def prepare(self) -> None:
        """Make what is missing, ends within 30 days or has other names. Raises CertificateUnusable, OSError."""
        self.file.parent.mkdir(mode=0o700, exist_ok=True)
        self._renew()

    def refresh(self) -> bool:
        """Renew what is due, once a day. Raises CertificateUnusable, OSError."""
        if self._now() < self._next_check:
            return False
        self._next_check = self._now() + _CHECK_EVERY
        return self._renew()

    def _renew(self) -> bool:
        authority = self._authority()
        public = authority.public_pem()
        _write_if_other(self.certificate, public)
        _write_if_other(self.bundle, public + _system_bundle())
        if self._is_current(authority):
            return False
        write_secret(self.file, new_server(self._names, authority, self._now()).pem())
        return True

    def _authority(self) -> Pair:
        if self._secret.exists():
            kept = _pair_in(self._secret)
            if self._lasts(kept):
                return kept
        made = new_authority(self._now())
        write_secret(self._secret, made.pem())
        return made

    def _is_current(self, authority: Pair) -> bool:
        try:
            served = _pair_in(self.file)
        except (CertificateUnusable, FileNotFoundError):
            return False  # a new one is made
        by_us = is_issued_by(served.certificate, authority.certificate)
        return by_us and self._lasts(served) and names_in(served.certificate) == self._names

    def _lasts(self, pair: Pair) -> bool:
        return pair.certificate.not_valid_after_utc - self._now() > RENEW_BEFORE


class GivenFiles:
    """The operator's certificate and key, copied into one file whenever they are new and fit together."""

    def __init__(self, certificate: Path, key: Path, folder: Path) -> None:
        self.file = folder / "given.pem"
        self._certificate = certificate
        self._key = key
        self._seen = self._state()

    def prepare(self) -> None:
        """Take the files over. Raises CertificateUnusable, OSError."""
        self.file.parent.mkdir(mode=0o700, exist_ok=True)
        self._seen = self._state()
        try:
            pair = read_pair(self._certificate.read_bytes(), self._key.read_bytes())
        except CertificateUnusable as error:
            raise CertificateUnusable(f"{self._certificate} and {self._key}: {error}") from None
        write_secret(self.file, pair.pem())

    def refresh(self) -> bool:
        """Take the files over if they changed. Raises CertificateUnusable, OSError: once for each change."""
        if self._state() == self._seen:
            return False
        self.prepare()
        return True

    def host_name(self) -> str | None:
        """The first name of the certificate that a client can call: no pattern, no address."""
        names = names_in(_pair_in(self.file).certificate)
        return next((name for name in names if "*" not in name and not _is_address(name)), None)

    def _state(self) -> list[tuple[int, int, int]]:
        """Another one when a file is written or replaced, or a link leads elsewhere."""
        return [_stamp(path) for path in (self._certificate, self._key)]


def _pair_in(path: Path) -> Pair:
    content = path.read_bytes()
    try:
        return read_pair(content, content)
    except CertificateUnusable as error:
        raise CertificateUnusable(f"{path}: {error}") from None


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:  # between two steps of whoever renews it
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino


def _system_bundle() -> bytes:
    """What this machine trusts: a client that is pointed at our bundle must still reach all others."""
    found = next((Path(name) for name in _SYSTEM_BUNDLES if Path(name).is_file()), None)
    return b"" if found is None else found.read_bytes()


def _write_if_other(path: Path, content: bytes) -> None:
    """A file for everybody that can be made again at any time; readers see the old or the new one."""
    if path.exists() and path.read_bytes() == content:
        return
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(content)
    temporary.chmod(0o644)
    temporary.rename(path)


def _normal(name: str) -> str:
    """Lower case, and an address as certificates have it."""
    plain = name.strip("[]").lower()
    return str(ipaddress.ip_address(plain)) if _is_address(plain) else plain


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
