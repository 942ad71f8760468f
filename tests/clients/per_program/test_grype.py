"""Grype scans images of a real server: basic and enhanced findings, bills of materials, databases, and failures."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import os
import signal
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.pushing import push
from tests.conftest import StartServer
from tests.support.aws import aws_client
from tests.support.clients import require_client
from tests.support.commands import run_here
from tests.support.databases import engine_of
from tests.support.images import OCI_LAYER, Blob, Image, artifact, digest, image
from tests.support.server import Server
from tests.support.vulnerabilities import (
    ADVISORIES,
    ALPINE,
    APPLICATION,
    DEBIAN,
    LODASH,
    NOTHING,
    file_system,
    write_database,
)
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.client, pytest.mark.timeout(300)]

StartScanning = Callable[..., Server]


@pytest.fixture(scope="module")
def pinned() -> tuple[str, str]:
    """The path of Grype, and its digest."""
    path = require_client("grype")
    return path, hashlib.sha256(Path(path).read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_database(tmp_path_factory.mktemp("database") / "db.tar.gz")


@pytest.fixture(scope="module")
def scanning(
    pinned: tuple[str, str], archive: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Any]]:
    """A server that scans, and boto3's client for it."""
    one = Server(tmp_path_factory.mktemp("scanning") / "data")
    one.start(extra_env=settings(pinned, archive))
    with aws_client(one, "ecr") as ecr:
        ecr.create_repository(repositoryName="apps")
        yield one, ecr
    one.stop()


def settings(pinned: tuple[str, str], place: Path | str, **more: str) -> dict[str, str]:
    path, sha256 = pinned
    return {
        "MOORAGE_SCANNER": f"grype:{path}",
        "MOORAGE_SCANNER_SHA256": sha256,
        "MOORAGE_SCANNER_DATABASE": str(place),
        **more,
    }


def scanned(ecr: Any, repository: str, *layers: Blob, tag: str) -> dict[str, Any]:
    """The answer of DescribeImageScanFindings, after an image of these layers was pushed and scanned."""
    push(ecr, repository, image(layers), tag)
    ecr.start_image_scan(repositoryName=repository, imageId={"imageTag": tag})
    return ended(ecr, repository, tag)


def ended(ecr: Any, repository: str, tag: str) -> dict[str, Any]:
    """The answer of DescribeImageScanFindings when the scan has ended."""
    found: dict[str, Any] = {}

    def has_ended() -> bool:
        nonlocal found
        found = ecr.describe_image_scan_findings(repositoryName=repository, imageId={"imageTag": tag})
        return found["imageScanStatus"]["status"] not in {"IN_PROGRESS", "PENDING"}

    wait_until(has_ended)
    return found


def names(found: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Name, severity and package of each basic finding."""
    return {
        (one["name"], one["severity"], attribute["value"])
        for one in found["imageScanFindings"]["findings"]
        for attribute in one["attributes"]
        if attribute["key"] == "package_name"
    }


def moorage(server: Server, variables: dict[str, str], *words: str, code: int = 0) -> str:
    """What a command with these settings prints, until it ends with that exit code."""
    ended = run_here(*words, "--data", server.data, variables={**server.settings, **variables})
    assert ended.code == code, ended
    return ended.out + ended.err


def test_packages_of_debian_python_and_npm_are_found(scanning: tuple[Server, Any]) -> None:
    _, ecr = scanning
    push(ecr, "apps", image([DEBIAN, APPLICATION]), "debian")

    ecr.start_image_scan(repositoryName="apps", imageId={"imageTag": "debian"})
    ecr.get_waiter("image_scan_complete").wait(repositoryName="apps", imageId={"imageTag": "debian"})

    found = ecr.describe_image_scan_findings(repositoryName="apps", imageId={"imageTag": "debian"})
    assert names(found) == {
        ("CVE-2099-0001", "HIGH", "libssl3"),
        ("CVE-2099-0002", "INFORMATIONAL", "zlib1g"),
        ("CVE-2099-0003", "MEDIUM", "jinja2"),
        ("CVE-2099-0004", "CRITICAL", "lodash"),
    }
    assert found["imageScanFindings"]["findingSeverityCounts"] == {
        "CRITICAL": 1,
        "HIGH": 1,
        "MEDIUM": 1,
        "INFORMATIONAL": 1,
    }
    age = dt.datetime.now(dt.UTC) - found["imageScanFindings"]["vulnerabilitySourceUpdatedAt"]
    assert abs(age) < dt.timedelta(minutes=10)


def test_packages_of_alpine_are_found(scanning: tuple[Server, Any]) -> None:
    _, ecr = scanning

    assert names(scanned(ecr, "apps", ALPINE, tag="alpine")) == {("CVE-2099-0001", "HIGH", "openssl")}


def test_an_image_without_packages_fails_as_unsupported(scanning: tuple[Server, Any]) -> None:
    _, ecr = scanning

    found = scanned(ecr, "apps", NOTHING, tag="nothing")

    assert found["imageScanStatus"] == {
        "status": "FAILED",
        "description": "UnsupportedImageError: The operating system and/or package manager are not supported.",
    }


def test_an_image_of_a_distribution_without_packages_has_no_findings(scanning: tuple[Server, Any]) -> None:
    _, ecr = scanning
    empty = file_system({"etc/os-release": 'ID=debian\nVERSION_ID="12"\n', "var/lib/dpkg/status": ""})

    found = scanned(ecr, "apps", empty, tag="empty")

    assert found["imageScanStatus"]["status"] == "COMPLETE"
    assert found["imageScanFindings"]["findings"] == []


def test_a_broken_layer_fails_with_its_reason(scanning: tuple[Server, Any]) -> None:
    server, ecr = scanning
    broken = Blob(b"not gzip", OCI_LAYER, digest(b"not gzip"))

    found = scanned(ecr, "apps", broken, tag="broken")

    assert found["imageScanStatus"]["status"] == "FAILED"
    assert str(server.data) not in found["imageScanStatus"]["description"]


def test_nothing_is_left_of_scans(scanning: tuple[Server, Any]) -> None:
    server, ecr = scanning
    scanned(ecr, "apps", DEBIAN, NOTHING, tag="left")

    wait_until(lambda: list((server.data / "scanning" / "scans").iterdir()) == [])
    assert list((server.data / "scanning" / "imports").iterdir()) == []


def test_the_state_of_the_scanner_is_shown(
    scanning: tuple[Server, Any], pinned: tuple[str, str], archive: Path
) -> None:
    server, ecr = scanning
    scanned(ecr, "apps", ALPINE, NOTHING, tag="state")  # The server has imported its database.

    shown = moorage(server, settings(pinned, archive), "scanner", "status")

    fields = dict(line.split("\t") for line in shown.splitlines())
    assert fields["scanner"] == f"grype sha256:{pinned[1][:12]}"
    assert fields["database"].startswith(f"{dt.datetime.now(dt.UTC):%Y-}")
    assert fields["problem"] == "-"


def test_an_image_that_unpacks_to_more_than_the_disk_may_take_is_ended(
    fresh_server: StartServer, pinned: tuple[str, str], archive: Path
) -> None:
    """A bomb: zeros, a thousand times as many as were pushed. The time limit ends it here, the disk's elsewhere."""
    server = fresh_server(extra_env=settings(pinned, archive, MOORAGE_SCANNER_MEMORY="64M"))
    with aws_client(server, "ecr") as ecr:
        ecr.create_repository(repositoryName="apps")

        found = scanned(ecr, "apps", DEBIAN, bomb(64 << 20), tag="bomb")

    assert found["imageScanStatus"]["status"] == "FAILED"
    assert "64 MiB of memory" in found["imageScanStatus"]["description"]
    wait_until(lambda: list((server.data / "scanning" / "scans").iterdir()) == [])


def bomb(size: int) -> Blob:
    entry = tarfile.TarInfo("zeros")
    entry.size = size
    content = entry.tobuf() + bytes(size + 1024)
    return Blob(gzip.compress(content, compresslevel=1, mtime=0), OCI_LAYER, digest(content))


def test_a_scan_of_a_killed_server_begins_again(
    fresh_server: StartServer, pinned: tuple[str, str], archive: Path
) -> None:
    server = fresh_server(extra_env=settings(pinned, archive))
    with aws_client(server, "ecr") as ecr:
        ecr.create_repository(repositoryName="apps")
        push(ecr, "apps", image([DEBIAN, APPLICATION]), "v1")
        ecr.start_image_scan(repositoryName="apps", imageId={"imageTag": "v1"})
        wait_until(lambda: bool(list((server.data / "scanning").glob("scans/*/confinement.json"))))
        server.kill()
        engine_of(server.data).transact(lambda tx: tx.run("UPDATE job SET due_at = 0 WHERE lease IS NOT NULL"))
        server.start(extra_env=settings(pinned, archive))

        assert len(names(ended(ecr, "apps", "v1"))) == 4

    wait_until(lambda: list((server.data / "scanning" / "scans").iterdir()) == [])


def test_a_killed_scanner_is_started_again(fresh_server: StartServer, pinned: tuple[str, str], archive: Path) -> None:
    server = fresh_server(extra_env=settings(pinned, archive))
    with aws_client(server, "ecr") as ecr:
        ecr.create_repository(repositoryName="apps")
        push(ecr, "apps", image([DEBIAN, APPLICATION]), "v1")
        ecr.start_image_scan(repositoryName="apps", imageId={"imageTag": "v1"})
        wait_until(lambda: bool(programs(server)))
        for process in programs(server):
            os.kill(process, signal.SIGKILL)

        assert len(names(ended(ecr, "apps", "v1"))) == 4


def programs(server: Server) -> list[int]:
    """The processes that scan for a server."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(server.data / "scanning" / "scans"):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def test_another_program_at_the_place_of_grype_is_not_run(
    fresh_server: StartServer, pinned: tuple[str, str], archive: Path, tmp_path: Path
) -> None:
    other = tmp_path / "grype"
    other.write_text("#!/bin/sh\ntouch " + str(tmp_path / "ran"))
    other.chmod(0o755)
    given = settings((str(other), pinned[1]), archive)
    server = fresh_server(extra_env=given)

    assert "has the SHA-256" in moorage(server, given, "scanner", "status", code=3)
    missing = settings((str(tmp_path / "missing"), pinned[1]), archive)
    assert "No such file" in moorage(server, missing, "scanner", "status", code=3)
    shown = moorage(server, given, "scanner", "update", code=1)

    assert "was not started" in shown
    assert "SHA-256" in shown
    assert not (tmp_path / "ran").exists()


def test_the_data_folder_can_be_named_by_a_relative_path(
    fresh_server: StartServer, pinned: tuple[str, str], archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = fresh_server()
    monkeypatch.chdir(server.data.parent)

    ended = run_here("scanner", "update", "--data", server.data.name, variables=settings(pinned, archive))

    assert "is used now" in ended.out, ended


def test_databases_that_are_broken_or_old_are_not_used(
    fresh_server: StartServer, pinned: tuple[str, str], tmp_path: Path
) -> None:
    place = tmp_path / "db.tar.gz"
    given = settings(pinned, place)
    server = fresh_server()
    assert "has no vulnerability database" in moorage(server, given, "scanner", "status", code=3)
    assert "No such file" in moorage(server, given, "scanner", "update", code=1)

    place.write_bytes(b"not an archive")
    assert "unable to import vulnerability database" in moorage(server, given, "scanner", "update", code=1)

    write_database(place, built=dt.datetime.now(dt.UTC) - dt.timedelta(days=40))
    assert "is used now" in moorage(server, given, "scanner", "update")
    assert "more than 30 days ago" in moorage(server, given, "scanner", "status", code=3)
    accepting = {**given, "MOORAGE_SCANNER_DATABASE_AGE": "0"}
    assert "problem\t-" in moorage(server, accepting, "scanner", "status")

    write_database(place)
    assert "is used now" in moorage(server, given, "scanner", "update")
    assert "is used already" in moorage(server, given, "scanner", "update")
    place.write_bytes(b"broken again")
    assert "cannot be updated" in moorage(server, given, "scanner", "update", code=1)
    assert "problem\t-" in moorage(server, given, "scanner", "status")


def test_a_new_database_in_the_registry_itself_lets_images_be_matched_again(
    fresh_server: StartServer, pinned: tuple[str, str], tmp_path: Path
) -> None:
    """The air gap: the database is an artifact in this server. The image is not read again, only its SBOM."""
    given = settings(pinned, "oci:tools/grype-db:latest")
    server = fresh_server(extra_env=given)
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    with aws_client(server, "ecr") as ecr:
        for name in ("tools/grype-db", "apps"):
            ecr.create_repository(repositoryName=name)
        push(ecr, "tools/grype-db", artifact_of(write_database(tmp_path / "1", ADVISORIES[:2], yesterday)), "latest")
        moorage(server, given, "scanner", "update")
        ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=[])
        push(ecr, "apps", image([DEBIAN, APPLICATION]), "v1")
        first = ended(ecr, "apps", "v1")
        assert first["imageScanStatus"]["status"] == "ACTIVE"
        assert len(first["imageScanFindings"]["enhancedFindings"]) == 2

        push(ecr, "tools/grype-db", artifact_of(write_database(tmp_path / "2", (*ADVISORIES[:2], LODASH))), "latest")
        moorage(server, given, "scanner", "update")
        server.moorage("jobs", "retry", "watch-scanner", "-")
        wait_until(lambda: len(ended(ecr, "apps", "v1")["imageScanFindings"]["enhancedFindings"]) == 3)

        [lodash] = [
            one
            for one in ended(ecr, "apps", "v1")["imageScanFindings"]["enhancedFindings"]
            if one["severity"] == "CRITICAL"
        ]
        [package] = lodash["packageVulnerabilityDetails"]["vulnerablePackages"]
        assert package["filePath"] == "/app/node_modules/lodash/package.json"
        assert package["sourceLayerHash"] == APPLICATION.digest
        assert package["fixedInVersion"] == "4.17.21"


def test_a_database_is_pulled_through_from_another_registry(
    fresh_server: StartServer, pinned: tuple[str, str], archive: Path
) -> None:
    upstream = fresh_server()
    with aws_client(upstream, "ecr") as there:
        there.create_repository(repositoryName="grype-db")
        push(there, "grype-db", artifact_of(archive), "latest")
    given = settings(pinned, "oci:mirror/grype-db:latest")
    server = fresh_server(extra_env=given, extra_args=["--upstream", f"other.test={upstream.url}"])
    key, secret = (upstream.environment[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
    put = ("secret", "put", "ecr-pullthroughcache/other", "--username", key)
    arn = server.moorage(*put, stdin=secret).strip()
    with aws_client(server, "ecr") as ecr:
        rule = {"ecrRepositoryPrefix": "mirror", "upstreamRegistryUrl": "other.test", "credentialArn": arn}
        ecr.create_pull_through_cache_rule(**rule)
        ecr.create_repository(repositoryName="apps")

        assert names(scanned(ecr, "apps", ALPINE, tag="v1")) == {("CVE-2099-0001", "HIGH", "openssl")}


def artifact_of(archive: Path) -> Image:
    return artifact(archive.read_bytes(), "application/vnd.example.grype-db")


def test_the_bill_of_materials_is_printed(scanning: tuple[Server, Any]) -> None:
    server, ecr = scanning
    scanned(ecr, "apps", DEBIAN, APPLICATION, NOTHING, tag="bom")

    bom = json.loads(server.moorage("sbom", "apps:bom"))

    assert bom["bomFormat"] == "CycloneDX"
    assert {"libssl3", "zlib1g", "lodash"} <= {component["name"] for component in bom["components"]}
