"""The data folder of a server: its lock, its master key, the root credentials and the server's address.

moorage.db        metadata (SQLite)              master.key     32 bytes, mode 0600
uploads/ blobs/   layers                         credentials    the root access key in AWS's file format, mode 0600
server.lock       locked by the running server   endpoint       URL and CA bundle of the server that ran last
tls/              certificates (`adapters/tls/certificates.py`)
"""

from __future__ import annotations

import configparser
import errno
import fcntl
import os
import secrets
from pathlib import Path
from typing import Final

from moorage.adapters.files.durable import replace_file

_OWN_NAMES: Final = frozenset(
    {"moorage.db", "blobs", "uploads", "master.key", "credentials", "endpoint", "server.lock", "tls", "audit.jsonl"}
)
"""What a data folder has, also after a restore of some of it."""


class FolderInUse(Exception):
    """Another server is running on this data folder."""


class MasterKeyMissing(Exception):
    """The folder has a database but no master key, and none was passed. A new key could not decrypt the database."""


class DataFolder:
    """Paths and small files of one data folder. A `given_key` is used instead of the file `master.key`."""

    def __init__(self, path: Path, given_key: bytes | None = None) -> None:
        self.path = path
        self._given_key = given_key
        self._read_key: bytes | None = None
        self.database = path / "moorage.db"
        self._key = path / "master.key"
        self._credentials = path / "credentials"
        self._endpoint = path / "endpoint"
        self.tls = path / "tls"
        self._lock: int | None = None

    def prepare(self) -> None:
        """Create the folder, or narrow it to its owner. Raises OSError, also for a folder of another program."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = {entry.name for entry in self.path.iterdir()} - {"lost+found"}
        if names and not names & _OWN_NAMES:
            raise OSError(errno.ENOTEMPTY, "is not empty and not a data folder: choose another --data", str(self.path))
        status = self.path.stat()
        if status.st_mode & 0o077 and status.st_uid == os.geteuid():  # A mounted volume can have another owner.
            self.path.chmod(0o700)

    def lock(self) -> None:
        """Lock the folder until `unlock` or the end of this process. Raises FolderInUse."""
        descriptor = os.open(self.path / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 20, 0).decode("ascii", "replace")
            os.close(descriptor)
            raise FolderInUse(
                f"another server (process {owner or 'unknown'}) runs on {self.path}: stop it, or choose another --data"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._lock = descriptor

    def unlock(self) -> None:
        """Close the lock before this process ends. A copy of it in a forked process keeps the folder locked."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def server(self) -> int | None:
        """The process id of the server that runs on this folder; None without one, or if it runs in another container.

        The process must have the lock open: a number from another container can be that of any process here.
        """
        lock = self.path / "server.lock"
        try:
            process, status = int(lock.read_bytes() or b"0"), lock.stat()
            opened = list(Path(f"/proc/{process}/fd").iterdir())
        except OSError:
            return None
        has_lock = process != os.getpid() and any(_is_same(file, status) for file in opened)
        return process if has_lock else None

    def master_key(self) -> bytes:
        """The key that all others are derived from; created before the database is, and read once.

        Raises MasterKeyMissing.
        """
        key = self._given_key or self._read_key
        if key is None:
            key = self._read_key = self._stored_master_key()
        return key

    def _stored_master_key(self) -> bytes:
        try:
            return self._key.read_bytes()
        except FileNotFoundError:
            if self.database.exists():
                raise MasterKeyMissing(
                    f"{self._key} is missing, and neither MOORAGE_MASTER_KEY nor MOORAGE_MASTER_KEY_FILE is set:"
                    " pass the key that this folder was created with"
                ) from None
            replace_file(self._key, secrets.token_bytes(32))
            return self._key.read_bytes()

    def has_master_key(self) -> bool:
        """Whether the folder itself has a master key."""
        return self._key.exists()

    def adopt_master_key(self, key: bytes) -> None:
        """Store another registry's master key, unless this folder already has a key."""
        if self._given_key is None and not self._key.exists():
            replace_file(self._key, key)

    def replace_master_key(self, key: bytes) -> bool:
        """Store a new master key; False if the key does not come from this folder. Raises OSError."""
        if self._given_key is not None:
            return False
        replace_file(self._key, key)
        return True

    def credentials(self) -> tuple[str, str] | None:
        """The root access key's id and secret; None before the first start."""
        parser = configparser.RawConfigParser()
        if not parser.read(self._credentials, encoding="utf-8"):
            return None
        section = parser["default"]
        return section["aws_access_key_id"], section["aws_secret_access_key"]

    def write_credentials(self, key: str, secret: str) -> None:
        text = f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
        replace_file(self._credentials, text.encode())

    def endpoint(self) -> tuple[str, Path | None] | None:
        """The URL of the server that ran last, and its CA bundle if it uses the built-in authority; None before any."""
        try:
            url, _, bundle = self._endpoint.read_text("utf-8").strip().partition("\n")
        except FileNotFoundError:
            return None
        return url, self.path / bundle if bundle else None

    def write_endpoint(self, url: str, bundle: Path | None = None) -> None:
        """Write the server's URL. `bundle` must be in this folder and is stored relative to it: the folder may move."""
        trusted = "" if bundle is None else f"{bundle.relative_to(self.path)}\n"
        self._endpoint.write_text(f"{url}\n{trusted}", "utf-8")


def _is_same(file: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(file.stat(), status)
    except OSError:  # closed meanwhile
        return False
