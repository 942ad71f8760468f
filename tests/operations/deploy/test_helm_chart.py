"""The Helm chart: its documents are complete and safe by default, and use settings that the server has."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import moorage
from moorage.config.lab import LabSettings
from moorage.config.settings import TABLE, Settings
from moorage.config.sources import load
from moorage.http.server.limits import ConnectionLimits
from tests.support.aws import docker_password
from tests.support.clients import program_environment, refusal, require_client, run
from tests.support.server import Server

pytestmark = pytest.mark.client

CHART = Path(__file__).parents[3] / "deploy" / "helm" / "moorage"
NEEDED = {
    "image": {"repository": "registry.example/moorage"},
    "secret": {"name": "moorage"},
    "blobs": "s3://registry/prod?endpoint=https://objects.example&region=eu-west-1",
}
EVERYTHING = {
    **NEEDED,
    "secret": {
        "name": "moorage",
        "keys": {"scannerAuthorization": "adapter", "rootAccessKeyId": "id", "rootSecretAccessKey": "secret"},
    },
    "imagePullSecrets": [{"name": "puller"}],
    "blobRedirect": False,
    "hostName": "registry.example",
    "trustedProxies": ["10.0.0.0/8", "192.0.2.7"],
    "trustedHops": 2,
    "locations": "relative",
    "extraRegions": ["home", "lab"],
    "limits": {
        "connections": 1_000_000,
        "connectionsPerClient": 0,
        "failedLogins": 50,
        "bodyTimeout": "2m",
        "diskReserve": "1G",
    },
    "auditLog": "none",
    "settings": {"MOORAGE_GRACE_PERIOD": "48h", "MOORAGE_REGION": "eu-west-1"},
    "ingress": {"enabled": True, "className": "nginx", "host": "registry.example", "tlsSecret": "certificate"},
    "metrics": {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}},
    "podLabels": {"team": "platform"},
    "podAnnotations": {"note": "this"},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "registry", "operator": "Exists"}],
    "priorityClassName": "high",
    "extraVolumes": [{"name": "audit", "persistentVolumeClaim": {"claimName": "audit"}}],
    "extraVolumeMounts": [{"name": "audit", "mountPath": "/audit"}],
}
LITTLE = {
    **NEEDED,
    "migrate": {"enabled": False},
    "metrics": {"enabled": False},
    "podDisruptionBudget": {"enabled": False},
}
SECRETS = {
    "MOORAGE_DATABASE": "postgresql://moorage:secret@db.example/moorage",
    "MOORAGE_MASTER_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "MOORAGE_S3_ACCESS_KEY_ID": "key",
    "MOORAGE_S3_SECRET_ACCESS_KEY": "secret",
}
OPTIONAL_SECRETS = {
    "MOORAGE_SCANNER_AUTHORIZATION": "Bearer token",
    "MOORAGE_ROOT_ACCESS_KEY_ID": "AKIAMOORAGETESTS0001",
    "MOORAGE_ROOT_SECRET_ACCESS_KEY": "4Vw0pTqkZ1sXb7YcHn3RgJm9LdFu2EaQ",
}

Documents = dict[tuple[str, str], dict[str, Any]]
Helm = Callable[..., str]


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    """Runs helm with these values. With `refused` it must fail, and its error message is returned."""
    environment = program_environment(tmp_path)

    def command(*words: str | Path, values: dict[str, Any] | None = None, refused: bool = False) -> str:
        given: list[str | Path] = []
        if values is not None:
            (tmp_path / "values.json").write_text(json.dumps(values))
            given = ["--values", tmp_path / "values.json"]
        return (refusal if refused else run)([require_client("helm"), *words, *given], environment)

    return command


@pytest.fixture
def render(helm: Helm) -> Callable[[dict[str, Any]], Documents]:
    """The documents by kind and name."""

    def rendered(values: dict[str, Any]) -> Documents:
        text = helm("template", "demo", CHART, values=values)
        parts = [msgspec.yaml.decode(part) for part in re.split(r"^---$", text, flags=re.MULTILINE)]
        return {(part["kind"], part["metadata"]["name"]): part for part in parts if part}

    return rendered


def pods(documents: Documents) -> dict[str, Any]:
    """The pod templates, by the kind of their owner."""
    return {kind: each["spec"]["template"] for (kind, _), each in documents.items() if kind in ("Deployment", "Job")}


def variables(pod: dict[str, Any]) -> dict[str, Any]:
    [container] = pod["spec"]["containers"]
    assert len({row["name"] for row in container["env"]}) == len(container["env"])
    return {row["name"]: row.get("value", row.get("valueFrom")) for row in container["env"]}


@pytest.mark.parametrize("values", [NEEDED, EVERYTHING, LITTLE], ids=["needed", "everything", "little"])
def test_helm_lint_finds_nothing(helm: Helm, values: dict[str, Any]) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", CHART, values=values)


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        (NEEDED, ["Deployment", "Job", "PodDisruptionBudget", "Service", "Service"]),
        (EVERYTHING, ["Deployment", "Ingress", "Job", "PodDisruptionBudget", "Service", "Service", "ServiceMonitor"]),
        (LITTLE, ["Deployment", "Service"]),
    ],
    ids=["needed", "everything", "little"],
)
def test_each_value_adds_its_documents(
    render: Callable[[dict[str, Any]], Documents], values: dict[str, Any], kinds: list[str]
) -> None:
    documents = render(values)

    assert sorted(kind for kind, _ in documents) == kinds
    assert all(each["apiVersion"] for each in documents.values())
    for pod in pods(documents).values():
        [container] = pod["spec"]["containers"]
        assert container["image"] == f"registry.example/moorage:{moorage.__version__}"


@pytest.mark.parametrize("values", [NEEDED, EVERYTHING], ids=["needed", "everything"])
def test_pods_have_no_privileges_and_only_name_secrets(
    render: Callable[[dict[str, Any]], Documents], values: dict[str, Any]
) -> None:
    for pod in pods(render(values)).values():
        [container] = pod["spec"]["containers"]
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        named = {name: value["secretKeyRef"] for name, value in variables(pod).items() if isinstance(value, dict)}
        assert set(named) == set(SECRETS if values is NEEDED else {**SECRETS, **OPTIONAL_SECRETS})
        assert {reference["name"] for reference in named.values()} == {"moorage"}


@pytest.mark.parametrize("values", [NEEDED, EVERYTHING, LITTLE], ids=["needed", "everything", "little"])
def test_the_variables_are_settings_of_the_server(
    render: Callable[[dict[str, Any]], Documents], values: dict[str, Any]
) -> None:
    known = {entry.variable for entry in TABLE}
    for kind, pod in pods(render(values)).items():
        given = {**variables(pod), **SECRETS, **(OPTIONAL_SECRETS if values is EVERYTHING else {})}
        assert set(given) <= known
        settings = load({}, given)
        assert settings.bucket is not None
        assert (settings.bucket.region, settings.bucket.prefix) == ("eu-west-1", "prod/")
        if kind == "Deployment":
            assert (settings.port, settings.worker_count) == (5000, 2)
            assert settings.blob_redirect is values.get("blobRedirect", True)
            assert list(settings.trusted_proxy) == values.get("trustedProxies", [])
            assert settings.metrics == (None if values is LITTLE else ("0.0.0.0", 9100))
            assert what_nodes_accept(settings) == (
                ALL_LIMITS if values is EVERYTHING else what_nodes_accept(Settings())
            )


ALL_LIMITS = {
    "trusted_hops": 2,
    "locations": "relative",
    "extra_region": ("home", "lab"),
    "max_connections": 1_000_000,
    "max_connections_per_client": 0,
    "max_failed_logins": 50,
    "body_timeout": 120,
    "disk_reserve": 1 << 30,
}
"""The settings of `EVERYTHING` for requests and limits."""


def what_nodes_accept(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in ALL_LIMITS}


def test_each_setting_of_a_server_is_a_value_or_may_stand_in_settings(
    render: Callable[[dict[str, Any]], Documents],
) -> None:
    """A new setting fails this test until the chart knows it. A misspelt one is refused."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    free = schema["properties"]["settings"]["propertyNames"]["enum"]
    values = variables(pods(render({**EVERYTHING, "settings": {}}))["Deployment"])
    of_files = {"MOORAGE_ACCEL_REDIRECT", "MOORAGE_DATA"}  # The nodes of the chart have their layers in a bucket.
    of_labs = {f"MOORAGE_{name.upper()}" for name in LabSettings.__annotations__}  # A lab has a data folder.
    unsuitable = {*of_files, *of_labs, "MOORAGE_FAILPOINTS", "MOORAGE_MASTER_KEY_FILE"}

    assert sorted([*free, *values, *unsuitable]) == sorted(entry.variable for entry in TABLE)


def test_nodes_are_replaced_one_by_one_and_only_ready_nodes_get_requests(
    render: Callable[[dict[str, Any]], Documents],
) -> None:
    node = render(NEEDED)["Deployment", "demo-moorage"]["spec"]

    [container] = node["template"]["spec"]["containers"]
    assert node["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "registry"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "registry"}
    assert container["startupProbe"]["httpGet"]["path"] == "/healthz"
    drained = load({}, {**variables(node["template"]), **SECRETS}).drain
    assert drained == 10
    assert node["template"]["spec"]["terminationGracePeriodSeconds"] > drained + ConnectionLimits().stop


def test_the_migration_runs_before_the_nodes_of_a_version(render: Callable[[dict[str, Any]], Documents]) -> None:
    job = render(NEEDED)["Job", "demo-moorage-migrate"]

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["migrate"]


def test_everything_that_selects_nodes_selects_only_nodes(render: Callable[[dict[str, Any]], Documents]) -> None:
    documents = render(EVERYTHING)
    labels = {kind: pod["metadata"]["labels"].items() for kind, pod in pods(documents).items()}
    deployment = documents["Deployment", "demo-moorage"]["spec"]
    selectors = [
        deployment["selector"]["matchLabels"],
        deployment["template"]["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
        documents["PodDisruptionBudget", "demo-moorage"]["spec"]["selector"]["matchLabels"],
        documents["Service", "demo-moorage"]["spec"]["selector"],
        documents["Service", "demo-moorage-metrics"]["spec"]["selector"],
    ]

    for selector in selectors:
        assert selector.items() <= labels["Deployment"]
        assert not selector.items() <= labels["Job"]


def test_prometheus_only_reaches_the_metrics(render: Callable[[dict[str, Any]], Documents]) -> None:
    documents = render(EVERYTHING)
    selector = documents["ServiceMonitor", "demo-moorage"]["spec"]["selector"]["matchLabels"].items()
    services = {
        name: each["metadata"]["labels"].items() for (kind, name), each in documents.items() if kind == "Service"
    }

    assert [name for name, labels in services.items() if selector <= labels] == ["demo-moorage-metrics"]
    assert [port["name"] for port in documents["Service", "demo-moorage"]["spec"]["ports"]] == ["registry"]


def test_the_job_of_the_targets_is_the_one_in_the_alerting_rules(render: Callable[[dict[str, Any]], Documents]) -> None:
    documents = render(EVERYTHING)
    label = documents["ServiceMonitor", "demo-moorage"]["spec"]["jobLabel"]

    job = documents["Service", "demo-moorage-metrics"]["metadata"]["labels"][label]

    rules = (CHART.parents[1] / "prometheus" / "alerts.yml").read_text()
    assert set(re.findall(r'job="([^"]*)"', rules)) == {job}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({}, "repository"),
        ({**NEEDED, "secret": {}}, "secret"),
        ({**NEEDED, "blobs": "/folder"}, "blobs"),
        ({**NEEDED, "replica": 3}, "replica"),
        ({**NEEDED, "ingress": {"enabled": True}}, "host"),
        ({**NEEDED, "settings": {"MOORAGE_MASTER_KEY": "AAAA"}}, "MOORAGE_MASTER_KEY"),
        ({**NEEDED, "settings": {"MOORAGE_WORKERS": "3"}}, "MOORAGE_WORKERS"),
        ({**NEEDED, "settings": {"MOORAGE_GRACE_PEROID": "48h"}}, "MOORAGE_GRACE_PEROID"),
        ({**NEEDED, "limits": {"connection": 3}}, "connection"),
        ({**NEEDED, "locations": "whole"}, "locations"),
    ],
)
def test_invalid_values_are_rejected_by_name(helm: Helm, values: dict[str, Any], named: str) -> None:
    assert named in helm("template", "demo", CHART, values=values, refused=True)


def test_the_chart_has_the_version_of_the_program(helm: Helm) -> None:
    chart = msgspec.yaml.decode(helm("show", "chart", CHART))

    assert chart["appVersion"] == moorage.__version__


def test_the_chart_is_pushed_to_moorage_and_installed_from_there(
    helm: Helm, server: Server, ecr: Any, tmp_path: Path
) -> None:
    ecr.create_repository(repositoryName="charts/moorage")
    host = f"localhost:{server.port}"
    helm("package", CHART, "--destination", tmp_path)
    version = msgspec.yaml.decode((CHART / "Chart.yaml").read_bytes())["version"]

    login = ("--username", "AWS", "--password", docker_password(ecr))
    helm("push", "--plain-http", *login, tmp_path / f"moorage-{version}.tgz", f"oci://{host}/charts")

    words = ("template", "demo", f"oci://{host}/charts/moorage", "--version", version, "--plain-http", *login)
    assert helm(*words, values=EVERYTHING) == helm("template", "demo", CHART, values=EVERYTHING)
