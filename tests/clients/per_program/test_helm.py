"""helm: charts are pushed to a repository with the name of the chart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.per_program.programs import Programs

pytestmark = pytest.mark.client

PLAIN_HTTP = "--plain-http"
CHART = "apiVersion: v2\nname: {name}\nversion: {version}\n"


@pytest.fixture
def package(programs: Programs, repository: str, tmp_path: Path) -> Callable[[str], Path]:
    """Makes a chart of this version, named after the last part of the repository's name."""
    name = repository.rpartition("/")[2]

    def make(version: str) -> Path:
        chart = tmp_path / "chart" / name
        (chart / "templates").mkdir(parents=True, exist_ok=True)
        (chart / "Chart.yaml").write_text(CHART.format(name=name, version=version))
        (chart / "templates" / "settings.yaml").write_text("apiVersion: v1\nkind: ConfigMap\n")
        programs.run("helm", "package", chart, "--destination", tmp_path)
        return tmp_path / f"{name}-{version}.tgz"

    return make


def test_pushes_a_chart_and_pulls_it(
    programs: Programs, ecr: Any, repository: str, package: Callable[[str], Path], tmp_path: Path
) -> None:
    chart = package("0.1.0")
    (tmp_path / "pulled").mkdir()

    programs.run("helm", "push", PLAIN_HTTP, chart, f"oci://{programs.host}/{repository.rpartition('/')[0]}")
    pull = ("--version", "0.1.0", "--destination", tmp_path / "pulled", f"oci://{programs.host}/{repository}")
    programs.run("helm", "pull", PLAIN_HTTP, *pull)

    assert (tmp_path / "pulled" / chart.name).read_bytes() == chart.read_bytes()
    [detail] = ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert detail["imageTags"] == ["0.1.0"]
    assert detail["artifactMediaType"] == "application/vnd.cncf.helm.config.v1+json"


def test_finds_the_newest_version_by_the_list_of_tags(
    programs: Programs, repository: str, package: Callable[[str], Path]
) -> None:
    for version in ("0.9.0", "0.10.0"):
        programs.run(
            "helm", "push", PLAIN_HTTP, package(version), f"oci://{programs.host}/{repository.rpartition('/')[0]}"
        )

    shown = programs.run("helm", "show", "chart", PLAIN_HTTP, f"oci://{programs.host}/{repository}")

    assert "version: 0.10.0" in shown


def test_reports_why_a_chart_without_a_repository_is_rejected(
    programs: Programs, package: Callable[[str], Path]
) -> None:
    message = programs.refused("helm", "push", PLAIN_HTTP, package("0.1.0"), f"oci://{programs.host}/nowhere")

    assert "does not exist in the registry" in message
