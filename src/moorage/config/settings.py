"""The table of settings: each field of `Settings` is one entry, with its type, default, help and commands.

To add a setting, add a field here and use it in `app.py` or in a command.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from moorage.config.kinds import (
    ADDRESS,
    BLOB_STORE,
    DURATION,
    FLAG,
    HOST,
    MASTER_KEY,
    ON_OFF,
    SHARE,
    SIZE,
    Address,
    Host,
    choice,
    host_names,
    matching,
    networks,
    optional,
    path,
    several,
    text,
    whole,
)
from moorage.config.remotes import SEVERAL, RemoteSettings
from moorage.config.table import DECLARED, IMPORTS, REGISTRY, SERVE, Entry, InvalidSetting, entries_of, setting
from moorage.domain.buckets import Bucket, BucketKey
from moorage.domain.location_forms import ABSOLUTE, AUTO, RELATIVE
from moorage.domain.regions import REGION_PATTERN, region_names
from moorage.domain.registry.encryption import KmsKeys
from moorage.domain.registry.quotas import Quotas

_MOST_WORKERS: Final = 8
_OF_A_REGION: Final = (
    *("secret put", "secret list", "secret delete", "secret restore"),
    *("pull-through list", "pull-through set"),
)


@dataclass(frozen=True, slots=True)
class Settings(RemoteSettings):
    """All settings of a server, and of the commands that work on its registry."""

    # --- Where the server listens, and how clients reach it -------------------------------------------------------

    listen: Address = setting(
        ADDRESS,
        "127.0.0.1:5000",
        "Address on which the server listens.",
        "An empty host means all addresses. Put IPv6 addresses in brackets.",
        commands=("serve", "ready"),
    )
    workers: int = setting(
        whole(minimum=0),
        "0",
        f"Number of worker processes; 0 starts one for each processor, up to {_MOST_WORKERS}.",
    )
    drain: float = setting(
        DURATION,
        "0",
        "Serve for this long after SIGTERM, while /readyz reports that the server stops; for example 10s.",
        "Seconds, or a number with `s`, `m`, `h` or `d`"
        " ([operations.md](operations.md#upgrading-without-a-failed-request)).",
    )
    max_connections: int = setting(
        whole(minimum=1),
        "8192",
        "Maximum number of connections at a time; further ones get a response 503.",
        "It is shared evenly between the worker processes.",
    )
    max_connections_per_client: int = setting(
        whole(minimum=0),
        "2048",
        "Maximum number of connections of one address at a time; 0 means no limit of their own.",
        "Trusted proxies have no such limit.",
    )
    max_failed_logins: int = setting(
        whole(minimum=0),
        "300",
        "Maximum number of requests of one address with wrong credentials in a minute; 0 means no limit.",
        "After that, a worker process accepts only credentials from it that were valid before.",
    )
    body_timeout: float = setting(
        DURATION,
        "75s",
        "End a request whose body does not arrive for this long.",
        "Where a reverse proxy has such a limit, this one should not be shorter. A PATCH of a blob can be continued.",
    )
    host_name: Host | None = setting(
        HOST,
        None,
        "Name by which clients reach the server, for the addresses that it returns.",
        "Without a port, the port of `listen`. Without a name, the first name of `tls_cert`; else the address that the"
        " client certainly used ([docker.md](docker.md#the-addresses-that-clients-get)); else the host of `listen`, as"
        " `localhost` if that is this machine.",
    )
    domain: str | None = setting(
        text("NAME[:PORT]"),
        None,
        "Return addresses of the form ACCOUNT.dkr.ecr.REGION.NAME[:PORT].",
        "Without it, returned addresses name the server's host.",
    )
    trusted_proxy: tuple[str, ...] = setting(
        several(networks, "NETWORK"),
        "",
        "Trust X-Forwarded-For, -Proto and -Host from this address or network.",
        f"See [tls.md](tls.md#behind-a-reverse-proxy). {SEVERAL}",
    )
    accel_redirect: str = setting(
        matching(r"((/[A-Za-z0-9_-]+)+/)?", "a path with a slash at both ends, such as /moorage-blobs/", "PATH"),
        "",
        "Let nginx, as the trusted proxy, send layers from this internal location.",
        "For layers in files. See [tls.md](tls.md#let-nginx-send-the-layers).",
    )

    locations: str = setting(
        choice(AUTO, ABSOLUTE, RELATIVE),
        AUTO,
        "Form of Location headers: whole URLs, paths, or URLs where the client's scheme and host are certain.",
        "See [docker.md](docker.md#location-headers).",
    )

    trusted_hops: int = setting(
        whole(minimum=0),
        "0",
        "Number of trusted proxies that a request passes; 0 finds them by their addresses.",
        "The client's address is this entry of `X-Forwarded-For`, counted from the end"
        " ([tls.md](tls.md#the-address-of-the-client)).",
    )

    # --- Where the registry is ------------------------------------------------------------------------------------

    data: Path = setting(
        path("DIR"),
        "$XDG_DATA_HOME/moorage",
        "Data folder.",
        "If `XDG_DATA_HOME` is not set: the folder of the last `make serve` of the same checkout, else"
        " `~/.local/share/moorage`. `make serve` uses `./moorage-data`.",
        commands=(*SERVE, REGISTRY),
    )
    database: str | None = setting(
        matching(r"postgres(ql)?://.*", "postgresql://USER@HOST:PORT/NAME, or not set at all", "URL", is_secret=True),
        None,
        "PostgreSQL database with the metadata, postgresql://…; without it, the data folder.",
        "See [postgresql.md](postgresql.md).",
        commands=(*SERVE, REGISTRY),
        secret=True,
    )
    database_connections: int = setting(
        whole(minimum=2),
        "8",
        "Maximum number of PostgreSQL connections of a worker process.",
        "Half of them are for reads. One more connection checks the state of the database.",
    )
    blobs: str = setting(
        BLOB_STORE,
        "",
        "Bucket or folder with the layers, s3://BUCKET/PREFIX?… or /FOLDER; without it, the data folder.",
        "For an object store other than Amazon S3, add `?endpoint=URL&region=REGION`"
        " ([storage.md](storage.md)). Nodes can share a folder ([postgresql.md](postgresql.md#what-nodes-share)).",
        commands=(*SERVE, REGISTRY),
    )
    blob_redirect: bool = setting(
        ON_OFF, "on", "Redirect clients that pull a layer to the bucket.", "If off, the server sends the layer itself."
    )
    s3_access_key_id: str = setting(text(""), "", "Access key for the bucket.", commands=())
    s3_secret_access_key: str = setting(text(""), "", "Secret access key for the bucket.", commands=(), secret=True)
    master_key: bytes | None = setting(
        MASTER_KEY,
        None,
        "The master key: 32 bytes in base64 (`openssl rand -base64 32`).",
        "It replaces the file `master.key` of the data folder ([operations.md](operations.md#the-master-key)).",
        commands=(),
        secret=True,
    )
    master_key_file: Path | None = setting(
        path("FILE"), None, "A file with the master key in base64, instead of `master_key`.", commands=()
    )

    # --- TLS ------------------------------------------------------------------------------------------------------

    tls: bool = setting(
        FLAG,
        "no",
        "HTTPS with a certificate that Moorage creates.",
        "See [tls.md](tls.md).",
        commands=("serve", "ready"),
    )
    tls_cert: Path | None = setting(
        path("FILE"),
        None,
        "HTTPS with this certificate: a PEM file with its chain.",
        "The server loads it again when it changes.",
    )
    tls_key: Path | None = setting(path("FILE"), None, "Private key of the certificate: a PEM file without a password.")
    tls_name: tuple[str, ...] = setting(
        several(host_names, "NAME"),
        "",
        "Add a name or address to the certificate that Moorage creates.",
        SEVERAL,
    )

    sign_in_providers: Path | None = setting(
        path("FILE"),
        None,
        "Let people sign in at the console with these issuers of OpenID Connect.",
        "See [console.md](console.md#openid-connect).",
    )

    # --- What the registry does -----------------------------------------------------------------------------------

    region: str = setting(
        matching(REGION_PATTERN, "the name of a Region, such as us-east-1", "NAME"),
        "us-east-1",
        "Region for Docker clients that log in with an access key, and for commands.",
        "`moorage env` prints it. An ECR call uses the Region of its signature instead.",
        commands=("serve", "run", "explain", "undelete", "sbom", "export images", *_OF_A_REGION, *IMPORTS),
    )
    extra_region: tuple[str, ...] = setting(
        several(region_names, "NAME"),
        "",
        "Accept this name of a Region, although it does not have the form of AWS's names.",
        f"For example `home`; `region` is accepted in any case. {SEVERAL}",
        commands=DECLARED,
    )
    quota: Quotas = setting(
        several(Quotas.parse, "NAME=NUMBER"),
        "",
        "Replace a quota, for example images-per-repository=500.",
        f"See [registry.md](registry.md#quotas). {SEVERAL}",
        commands=DECLARED,
    )
    kms_key: KmsKeys = setting(
        several(KmsKeys, "ARN"),
        "",
        "Let repositories use this KMS key: its ARN, or alias/NAME=ARN.",
        f"See [registry.md](registry.md#encryption). {SEVERAL}",
        commands=DECLARED,
    )
    sparse_manifests: bool = setting(
        FLAG,
        "no",
        "Accept manifests from Docker clients although layers or images that they name are missing.",
        "See [docker.md](docker.md).",
    )
    grace_period: float = setting(
        DURATION,
        "24h",
        "Keep unreferenced layers and deleted images for this long, for example 7d.",
        "Seconds, or a number with `s`, `m`, `h` or `d` ([garbage.md](garbage.md)).",
    )
    lifecycle_delay: int = setting(
        whole(minimum=0),
        "60",
        "Seconds from a push to the run of the repository's lifecycle policy.",
        "See [lifecycle.md](lifecycle.md).",
    )

    disk_reserve: int | None = setting(
        optional(SIZE),
        "",
        "Free space below which pushes are rejected, so that deleting still works; for example 1G.",
        "Without it, 5 % of the file system, from 16M to 256M ([operations.md](operations.md#when-the-disk-is-full)).",
    )

    # --- Logs, metrics and traces ---------------------------------------------------------------------------------

    access_log: bool = setting(
        FLAG, "yes", "Log one line for each request.", "See [operations.md](operations.md#logs)."
    )
    audit_log: str = setting(
        matching(r"(?s).+", "the path of a file, or none", "FILE"),
        "audit.jsonl",
        "Audit log: a path, relative to the data folder, or none for no audit log.",
        "See [audit.md](audit.md).",
    )
    audit_file_size: int = setting(
        SIZE,
        "128M",
        "Start a new audit file when the current one has this size; 0 never does.",
        "The old one is kept under a name with the time ([audit.md](audit.md#size)).",
    )
    audit_limit: int | None = setting(
        optional(SIZE),
        "",
        "Remove the oldest rotated audit files when all audit files have this size; for example 10G.",
        "Without it, none is removed.",
    )
    audit_reads: bool = setting(FLAG, "no", "Record requests that only read in the audit log, too.")
    metrics: Address | None = setting(
        optional(ADDRESS),
        "",
        "Serve metrics for Prometheus on this address, without credentials.",
        "See [metrics.md](metrics.md).",
    )
    traces: str = setting(
        matching(r"(https?://.*)?", "the URL of an OpenTelemetry collector, such as http://127.0.0.1:4318", "URL"),
        "",
        "Send traces to this OpenTelemetry collector (OTLP over HTTP).",
        "For example `http://127.0.0.1:4318` ([traces.md](traces.md)).",
    )
    traces_share: float = setting(SHARE, "1.0", "Share of the requests to trace, from 0 to 1.")
    failpoints: str = setting(
        text(""),
        "",
        "For tests: stop the program at a named point.",
        "See [promises.md](promises.md#failpoints).",
        commands=(),
    )

    @property
    def bucket(self) -> Bucket | None:
        """The bucket with the blobs; None if they are in a folder."""
        return None if self.blobs.startswith("/") or not self.blobs else Bucket.parse(self.blobs)

    @property
    def blob_folder(self) -> Path:
        """The folder with the blobs if they are not in a bucket: one that nodes share, or the data folder."""
        return Path(self.blobs) if self.blobs.startswith("/") else self.data

    @property
    def blob_place(self) -> str:
        """Where the blobs are, for messages: as the setting names it, which has no secrets."""
        return self.blobs or "the data folder"

    @property
    def place(self) -> str:
        """Where the registry is, for messages: without secrets."""
        data = str(self.data.absolute())
        rows = data if self.database is None else re.sub(r"//[^/]*@", "//", self.database.partition("?")[0])
        blobs = self.blobs.partition("?")[0] or data
        return rows if rows == blobs else f"{rows} with layers in {blobs}"

    @property
    def bucket_key(self) -> BucketKey:
        """The access key for the bucket."""
        return BucketKey(self.s3_access_key_id, self.s3_secret_access_key)

    @property
    def scheme(self) -> str:
        """`https` with TLS, else `http`."""
        return "https" if self.tls or self.tls_cert else "http"

    @property
    def audit_path(self) -> Path | None:
        """The file of the audit log; None if there is no audit log."""
        return None if self.audit_log == "none" else self.data / Path(self.audit_log).expanduser()

    @property
    def host(self) -> str:
        """The host part of `listen`."""
        return self.listen.host

    @property
    def port(self) -> int:
        """The port of `listen`."""
        return self.listen.port

    @property
    def public_host(self) -> str:
        """The host and port by which clients reach the server; `localhost` on this machine, which Docker trusts."""
        if self.host_name is not None:
            return self.host_name.at(self.port)
        here = "localhost" if self.host in {"127.0.0.1", "0.0.0.0", "[::1]", "[::]"} else self.host  # noqa: S104 - compared
        return f"{here}:{self.port}"

    @property
    def worker_count(self) -> int:
        """The number of worker processes."""
        return (
            1
            if self.lab
            else self.workers
            or min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1, _MOST_WORKERS)
        )

    def given_master_key(self) -> bytes | None:
        """The master key of the settings; None if the data folder has it. Raises InvalidSetting."""
        if self.master_key_file is None:
            return self.master_key
        try:
            return MASTER_KEY.read(self.master_key_file.read_text("ascii", errors="replace"))
        except OSError as error:
            raise InvalidSetting(f"MOORAGE_MASTER_KEY_FILE: {error.filename}: {error.strerror}.") from None
        except ValueError as error:
            raise InvalidSetting(f"MOORAGE_MASTER_KEY_FILE {error}.") from None


TABLE: Final[tuple[Entry, ...]] = entries_of(Settings)
