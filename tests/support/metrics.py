"""What a server exposes to Prometheus."""

from __future__ import annotations

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from tests.support.server import Server

Samples = dict[tuple[str, ...], float]


class Monitored:
    """A server that exposes metrics, and the port of the metrics."""

    def __init__(self, server: Server, port: int) -> None:
        self.server = server
        self.url = f"http://127.0.0.1:{port}/metrics"

    def scrape(self) -> dict[str, Samples]:
        """Values by metric name, then by label values in the order of the label names."""
        with urllib.request.urlopen(self.url, timeout=60) as answer:
            text = answer.read().decode()
        found: dict[str, Samples] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = tuple(value for _, value in sorted(sample.labels.items()))
                found.setdefault(sample.name, {})[labels] = sample.value
        return found
