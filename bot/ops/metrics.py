"""`/metrics` in the text format of Prometheus. Made only where `gateway.listen` is set: nothing else needs the library.

Labels are platforms, providers, reasons and fingerprints: names that the operator has given or that are in a closed list. A
model's name is none of them, for whoever chats may type one.
"""

import platform as machine
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client import disable_created_metrics as without_created_times
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from bot.ops.gathering import Standing
from core.ports import InboxState

__all__ = ["CONTENT_TYPE", "Metrics"]

_TURN_BUCKETS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300)
_TEXT_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60)
_UPDATE_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 3600)


class Metrics:
    """Counts since the start, and how things stand when somebody asks. `bot.ops.measured.Recorder`."""

    def __init__(self, started: datetime) -> None:
        without_created_times()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        build = Info("remoteclaw_build", "The program that runs", registry=registry)
        build.info({"version": version("remoteclaw"), "python": machine.python_version()})
        start = Gauge("remoteclaw_start_time_seconds", "When the gateway started, in Unix time", registry=registry)
        start.set(started.timestamp())
        self._turns = Counter("remoteclaw_turns", "Model turns by outcome", ["outcome"], registry=registry)
        self._attempts = Counter(
            "remoteclaw_attempts", "Requests to providers by outcome", ["provider", "outcome"], registry=registry
        )
        self._tokens = Counter(
            "remoteclaw_tokens", "Tokens of answers, as providers counted them", ["provider", "kind"], registry=registry
        )
        self._cost = Counter(
            "remoteclaw_cost_usd", "What answers have cost by the price list", ["provider"], registry=registry
        )
        self._turn_seconds = Histogram(
            "remoteclaw_turn_seconds",
            "From the beginning of a turn to its report",
            ["outcome"],
            registry=registry,
            buckets=_TURN_BUCKETS,
        )
        self._first_text = Histogram(
            "remoteclaw_first_text_seconds",
            "From the beginning of a turn to the first text of its answer",
            registry=registry,
            buckets=_TEXT_BUCKETS,
        )
        self._deliveries = Counter(
            "remoteclaw_deliveries",
            "Answers and announcements handed to a platform",
            ["platform", "kind", "outcome"],
            registry=registry,
        )
        self._update_seconds = Histogram(
            "remoteclaw_update_seconds",
            "From an update's arrival until everything that answers it was delivered",
            ["platform"],
            registry=registry,
            buckets=_UPDATE_BUCKETS,
        )
        self._standing = _StandingCollector()
        registry.register(self._standing)

    def turned(self, report: Mapping[str, Any], seconds: float, first_text: float | None) -> None:
        """See Recorder."""
        outcome, provider = str(report["outcome"]), _provider(report["model"])
        self._turns.labels(outcome).inc()
        self._turn_seconds.labels(outcome).observe(seconds)
        if first_text is not None:
            self._first_text.observe(first_text)
        for attempt in report["attempts"]:
            self._attempts.labels(_provider(attempt["model"]), str(attempt["outcome"])).inc()
        for kind in ("input", "output"):
            self._tokens.labels(provider, kind).inc(max(0, report["usage"][f"{kind}_tokens"]))
        if report["cost_usd"]:
            self._cost.labels(provider).inc(report["cost_usd"])

    def delivered(self, platform: str, kind: str, outcome: str, seconds: float | None) -> None:
        """See Recorder."""
        self._deliveries.labels(platform, kind, outcome).inc()
        if seconds is not None:
            self._update_seconds.labels(platform).observe(max(0.0, seconds))

    def page(self, standing: Standing) -> bytes:
        """The page, with how things stand now."""
        self._standing.latest = standing
        return generate_latest(self._registry)


class _StandingCollector(Collector):
    """Numbers that are not counted here but looked up."""

    def __init__(self) -> None:
        self.latest: Standing | None = None

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Called by the registry for each page."""
        if self.latest is not None:
            yield _refreshes(self.latest)
            yield from _credentials(self.latest)
            yield from _operation(self.latest)


def _credentials(standing: Standing) -> Iterator[GaugeMetricFamily]:
    states = GaugeMetricFamily(
        "remoteclaw_credentials", "Credentials by provider and state", labels=["provider", "state"]
    )
    for (provider, state), count in sorted(standing.counts.items()):
        states.add_metric([provider, state], count)
    yield states
    until = GaugeMetricFamily(
        "remoteclaw_credential_out_until_seconds",
        "When a credential that is out comes back, in Unix time; +Inf: when it is changed. Named by its fingerprint",
        labels=["provider", "credential", "state", "reason"],
    )
    latest: dict[tuple[str, str, str, str], float] = {}
    for outage in standing.outages:
        name = (outage.provider, outage.fingerprint, outage.state, outage.reason)
        back = float("inf") if outage.until is None else outage.until.timestamp()
        latest[name] = max(back, latest.get(name, back))
    for name, back in sorted(latest.items()):
        until.add_metric(name, back)
    yield until
    expiry = GaugeMetricFamily(
        "remoteclaw_credential_expires_seconds",
        "When a token or login ends, in Unix time. Named by its fingerprint",
        labels=["provider", "credential"],
    )
    for key, ends in sorted(standing.expiries.items()):
        expiry.add_metric(key, ends.timestamp())
    yield expiry


def _refreshes(standing: Standing) -> CounterMetricFamily:
    counted = CounterMetricFamily(
        "remoteclaw_refreshes", "Refreshes of logins that were sent, by outcome", labels=["provider", "outcome"]
    )
    for key, count in sorted(standing.refreshes.items()):
        counted.add_metric(key, count)
    return counted


def _operation(standing: Standing) -> Iterator[GaugeMetricFamily]:
    connected = GaugeMetricFamily(
        "remoteclaw_platform_connected", "Whether a platform is connected", labels=["platform"]
    )
    for name, is_connected in sorted(standing.connected.items()):
        connected.add_metric([name], is_connected)
    yield connected
    yield GaugeMetricFamily(
        "remoteclaw_database_up", "Whether the database answers", value=standing.backlog is not None
    )
    if standing.backlog is None:
        return
    items = GaugeMetricFamily(
        "remoteclaw_inbox_items",
        "Updates that wait: new to be answered, answered to be delivered",
        labels=["platform", "state"],
    )
    oldest = GaugeMetricFamily(
        "remoteclaw_inbox_oldest_seconds", "How long the oldest of them has waited", labels=["platform", "state"]
    )
    waiting = {(one.platform, one.state): one for one in standing.backlog}
    served = {(name, state) for name in standing.connected for state in (InboxState.NEW, InboxState.ANSWERED)}
    for key in sorted(served.union(waiting)):
        found = waiting.get(key)
        since = (standing.now - found.since).total_seconds() if found is not None else 0.0
        items.add_metric(key, found.items if found is not None else 0)
        oldest.add_metric(key, max(0.0, since))
    yield items
    yield oldest


def _provider(model: object) -> str:
    """The provider of `provider/model`."""
    return str(model).partition("/")[0]
