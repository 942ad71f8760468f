"""The alerting rules, the dashboard and the scrape configuration, for one node and for several.

`promtool` evaluates the rules on series that tests give it. Prometheus scrapes a real server with the configuration of
docs/metrics.md.
"""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from moorage.metrics import GAUGES
from tests.conftest import StartServer
from tests.support.clients import program_environment, require_client, run
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_SECONDS, wait_until

ROOT: Final = Path(__file__).parents[3]
ALERTS: Final = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD: Final = ROOT / "deploy" / "grafana" / "moorage.json"
OF_A_NODE: Final = {name for name in GAUGES if re.match(r"moorage_(disk|audit|certificate|scanner_usable)", name)}
ONE_OF_THE_NODES: Final = "max without (instance, pod, node) ("
TWO_NODES: Final = tuple(f'job="moorage", instance="{host}:9100", pod="{host}"' for host in ("one", "two"))

Series = dict[str, str]
"""Values by series, in promtool's notation: `3x10` is ten times 3 more."""


def alerts() -> list[dict[str, Any]]:
    [group] = msgspec.yaml.decode(ALERTS.read_bytes())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def dashboard_expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"].replace("$__rate_interval", "5m") for panel in panels for target in panel["targets"]]


def scrape_configuration() -> str:
    """The configuration in docs/metrics.md."""
    found = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "metrics.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def rules_of(expressions: list[str]) -> str:
    rules = [{"record": f"expression_{number}", "expr": each} for number, each in enumerate(expressions)]
    return json.dumps({"groups": [{"name": "dashboard", "rules": rules}]})


@pytest.mark.parametrize("expression", [*(rule["expr"] for rule in alerts()), *dashboard_expressions()])
def test_gauges_that_all_nodes_share_are_not_added_up(expression: str) -> None:
    for name in set(GAUGES) - OF_A_NODE:
        for found in re.finditer(rf"{name}\b", expression):
            assert expression[: found.start()].endswith(ONE_OF_THE_NODES), expression


def test_the_dashboard_shows_every_gauge() -> None:
    shown = " ".join(dashboard_expressions())

    assert {name for name in GAUGES if name not in shown} == {"moorage_database_connections"}


def test_every_rule_about_targets_uses_the_job_name_of_the_configuration() -> None:
    [scraped] = msgspec.yaml.decode(scrape_configuration())["scrape_configs"]

    jobs = {job for rule in alerts() for job in re.findall(r'job="([^"]*)"', rule["expr"])}

    assert jobs == {scraped["job_name"]}


# --- promtool ---------------------------------------------------------------------------------------------------


@pytest.fixture
def promtool(tmp_path: Path) -> Callable[..., str]:
    """Runs promtool, in a folder with the alerting rules."""
    environment = program_environment(tmp_path)
    (tmp_path / "alerts.yml").write_bytes(ALERTS.read_bytes())

    def command(*words: str) -> str:
        return run([require_client("promtool"), *words], environment)

    return command


@pytest.mark.client
def test_promtool_accepts_the_rules_the_dashboard_and_the_configuration(
    promtool: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "dashboard.yml").write_text(rules_of(dashboard_expressions()))
    (tmp_path / "prometheus.yml").write_text(scrape_configuration())

    for words in (["rules", "alerts.yml"], ["rules", "dashboard.yml"], ["config", "prometheus.yml"]):
        assert "SUCCESS" in promtool("check", words[0], str(tmp_path / words[1]))


def on(labels: dict[str, str], summary: str) -> dict[str, Any]:
    """An alert with these labels."""
    return {"exp_labels": labels, "exp_annotations": {"summary": summary}}


def on_node(host: str, summary: str, **labels: str) -> dict[str, Any]:
    return on({"job": "moorage", "instance": f"{host}:9100", "pod": host, **labels}, summary)


def both(name: str, values: str, *, labels: str = "", other: str | None = None) -> Series:
    """A series of two nodes; `other` has the values of the second one if they differ."""
    return {
        f"{name}{{{node}{labels}}}": given for node, given in zip(TWO_NODES, (values, other or values), strict=True)
    }


SCENARIOS: Final[dict[str, tuple[Series, dict[str, list[dict[str, Any]]]]]] = {
    "all is well": (
        {
            **both("up", "1x40"),
            **both("moorage_jobs_dead", "0x40", labels=', kind="lifecycle"'),
            **both("moorage_events", "0x40", labels=', state="failed"'),
            **both("moorage_disk_free_bytes", "900x40", labels=', content="data"'),
            **both("moorage_disk_reserve_bytes", "100x40", labels=', content="data"'),
            **both("moorage_certificate_expiry_timestamp_seconds", "9000000x40", labels=', name="a.example"'),
            **both("moorage_worker_deaths_total", "7x40"),
        },
        {},
    ),
    "both nodes report the same dead jobs and failed events once": (
        {
            **both("up", "1x40"),
            **both("moorage_jobs_dead", "3x40", labels=', kind="webhook"'),
            **both("moorage_events", "5x40", labels=', state="failed"'),
            **both("moorage_job_overdue_seconds", "2000x40", labels=', kind="webhook"', other="1990x40"),
        },
        {
            "MoorageJobsDead": [
                on(
                    {"job": "moorage", "kind": "webhook"},
                    "3 jobs of kind webhook are dead: run `moorage jobs list --dead`",
                )
            ],
            "MoorageEventsFailed": [
                on({"job": "moorage", "state": "failed"}, "5 events were not delivered: run `moorage webhook failed`")
            ],
            "MoorageJobsLate": [
                on({"job": "moorage", "kind": "webhook"}, "Jobs of kind webhook are more than 15 minutes overdue")
            ],
        },
    ),
    "scans fail, and the vulnerability database is old": (
        {
            **both("up", "1x40"),
            **both("moorage_scans", "3x40", labels=', state="failed"'),
            **both(
                "moorage_scanner_database_timestamp_seconds", f"{-8 * 86_400 + 1_800}x40", labels=', scanner="grype"'
            ),
        },
        {
            "MoorageScansFail": [
                on(
                    {"job": "moorage", "state": "failed"},
                    "The scans of 3 images failed: `aws ecr describe-image-scan-findings` says why",
                )
            ],
            "MoorageScannerDatabaseOld": [
                on(
                    {"job": "moorage", "scanner": "grype"},
                    "The vulnerability database of grype is 8d 0h 0m 0s old",
                )
            ],
        },
    ),
    "one of two nodes cannot scan": (
        {**both("up", "1x40"), **both("moorage_scanner_usable", "0x40", labels=', scanner="grype"', other="1x40")},
        {
            "MoorageScannerUnusable": [
                on_node("one", "one:9100 cannot scan images: `moorage scanner status` says why", scanner="grype")
            ]
        },
    ),
    "images wait for a destination of replication, and others failed": (
        {
            **both("up", "1x40"),
            **both("moorage_replication_lag_seconds", "1900x40", labels=', destination="eu-west-1/123456789012"'),
            **both("moorage_replication_failed", "2x40", labels=', destination="eu-west-1/123456789012"'),
        },
        {
            "MoorageReplicationLate": [
                on(
                    {"job": "moorage", "destination": "eu-west-1/123456789012"},
                    "Images wait for eu-west-1/123456789012 for more than 30 minutes: run `moorage replication status`",
                )
            ],
            "MoorageReplicationFailed": [
                on(
                    {"job": "moorage", "destination": "eu-west-1/123456789012"},
                    "2 images were not replicated to eu-west-1/123456789012: run `moorage replication status --failed`",
                )
            ],
        },
    ),
    "one of two upstream registries fails for one node": (
        {
            **both("up", "1x40"),
            **both(
                "moorage_pull_through_fetches_total",
                "0+3x40",
                labels=', upstream="quay.io", content="layer", result="unavailable"',
                other="0+1x40",
            ),
            **both(
                "moorage_pull_through_fetches_total",
                "0+2x40",
                labels=', upstream="quay.io", content="layer", result="success"',
            ),
            **both(
                "moorage_pull_through_fetches_total",
                "0+3x40",
                labels=', upstream="ghcr.io", content="manifest", result="missing"',
            ),
        },
        {
            "MoorageUpstreamFails": [
                on(
                    {"instance": "one:9100", "upstream": "quay.io"},
                    "Most requests of one:9100 to the upstream registry quay.io fail: run"
                    " `aws ecr validate-pull-through-cache-rule`",
                )
            ]
        },
    ),
    "one node is down": (
        both("up", "1x40", other="0x40"),
        {"MoorageDown": [on_node("two", "Moorage on two:9100 does not answer")]},
    ),
    "there is no target": (
        {'up{job="something else", instance="three"}': "1x40"},
        {
            "MoorageMissing": [
                on(
                    {"job": "moorage"},
                    "Prometheus has no target with the job name `moorage`: no node runs, or the scrape configuration"
                    " is wrong",
                )
            ]
        },
    ),
    "a certificate expires in ten days": (
        {
            **both("up", "1x40"),
            **both(
                "moorage_certificate_expiry_timestamp_seconds",
                f"{10 * 86_400 + 1_800}x40",
                labels=', name="a.example"',
                other="9000000x40",
            ),
        },
        {
            "MoorageCertificateExpires": [
                on_node("one", "The certificate a.example of one:9100 expires in 10d 0h 0m 0s", name="a.example")
            ]
        },
    ),
    "the disk of one node is nearly full": (
        {
            **both("up", "1x40"),
            **both("moorage_disk_free_bytes", "399x40", labels=', content="layers"', other="401x40"),
            **both("moorage_disk_reserve_bytes", "100x40", labels=', content="layers"'),
        },
        {
            "MoorageDiskNearlyFull": [
                on_node(
                    "one",
                    "The disk of one:9100 with its layers is nearly full: pushes will be rejected",
                    content="layers",
                )
            ]
        },
    ),
    "worker processes of one node die": (
        {**both("up", "1x40"), **both("moorage_worker_deaths_total", "0+1x40", other="0x40")},
        {
            "MoorageWorkersDie": [
                on_node(
                    "one",
                    "Worker processes of one:9100 die and are replaced: look for `worker-died` in its log",
                )
            ]
        },
    ),
}


@pytest.mark.client
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_exactly_the_alerts_of_a_scenario_fire(promtool: Callable[..., str], tmp_path: Path, scenario: str) -> None:
    """After half an hour, on two nodes of one registry."""
    series, expected = SCENARIOS[scenario]
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {"eval_time": "30m", "alertname": rule["alert"], "exp_alerts": expected.get(rule["alert"], [])}
            for rule in alerts()
        ],
    }
    (tmp_path / "test.yml").write_text(json.dumps({"rule_files": ["alerts.yml"], "tests": [case]}))

    assert expected.keys() <= {rule["alert"] for rule in alerts()}
    assert "SUCCESS" in promtool("test", "rules", str(tmp_path / "test.yml"))


# --- Prometheus -------------------------------------------------------------------------------------------------


@contextmanager
def running_prometheus(folder: Path, configuration: str) -> Iterator[str]:
    """Prometheus with this configuration; yields its URL."""
    (folder / "prometheus.yml").write_text(configuration)
    address = f"127.0.0.1:{free_port()}"
    options = ["config.file=prometheus.yml", "storage.tsdb.path=series", f"web.listen-address={address}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [require_client("prometheus"), *(f"--{option}" for option in options)],
            cwd=folder,
            env=program_environment(folder),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def queried(url: str, name: str) -> list[tuple[dict[str, str], float]]:
    """The labels and values of a metric; empty while Prometheus starts."""
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query?query={name}", timeout=10) as answer:
            rows = json.load(answer)["data"]["result"]
    except OSError:
        return []
    return [(row["metric"], float(row["value"][1])) for row in rows]


@pytest.mark.client
def test_prometheus_scrapes_a_server_with_the_configuration_of_the_documentation(
    fresh_server: StartServer, tmp_path: Path
) -> None:
    metrics = f"127.0.0.1:{free_port()}"
    fresh_server(extra_args=["--metrics", metrics])
    (tmp_path / "alerts.yml").write_bytes(ALERTS.read_bytes())
    configuration = scrape_configuration().replace("127.0.0.1:9100", metrics).replace("15s", "1s")

    with running_prometheus(tmp_path, configuration) as url:
        wait_until(lambda: [value for _, value in queried(url, "up")] == [1.0])
        [(target, _)] = queried(url, "up")
        wait_until(lambda: len(queried(url, "moorage_stored_bytes")) == 2)

    assert (target["job"], target["instance"]) == ("moorage", metrics)
