"""What the service says of itself to Prometheus: the only owner of `prometheus_client`.

Names of documents, queries and callers are never in it: whoever can read the figures learns how
much there is and how it goes, not what.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from api.limits.work import Work

if TYPE_CHECKING:
    from api.limits.line import Line, Lines
    from kb.types import SearchResponse

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.5, 10.0, 60.0)
NO_ROUTE = "none"
"""Route of what no route took, so that strangers' paths cannot become names."""


class Meters:
    """The figures of one application; each has a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._requests = Histogram(
            "kb_request_seconds", "From the first byte to the last, waiting included.",
            ("route", "method", "status"), buckets=SECONDS, registry=self._registry,
        )  # fmt: skip
        self._shed = self._counter("kb_shed", "Refused with 503, overloaded.", "work")
        self._limited = self._counter("kb_limited", "Refused with 429, over the rate.", "work")
        self._degraded = self._counter("kb_degraded", "Searches answered without a part.", "mode")
        self._searches = self._counter("kb_searches", "Searches answered.", "answerable")
        self._search = Histogram(
            "kb_search_seconds", "One search: encoding, ranking, verdicts; without waiting.",
            buckets=SECONDS, registry=self._registry,
        )  # fmt: skip
        self._running = self._gauge("kb_requests_in_flight", "Being worked on.", "work")
        self._waiting = self._gauge("kb_queue_depth", "Waiting for a place.", "work")
        self._stored: dict[str, Gauge] = {}

    def note_request(
        self, scope: Mapping[str, Any], status: int, work: Work, seconds: float
    ) -> None:
        """One answered request; status 0 is one that ended without an answer."""
        route = getattr(scope.get("route"), "path", None) or NO_ROUTE
        if route == NO_ROUTE and scope["path"] == "/mcp":
            route = "/mcp"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._requests.labels(route, method, str(status)).observe(seconds)

    def note_shed(self, work: Work) -> None:
        self._shed.labels(work.value).inc()

    def note_limited(self, work: Work) -> None:
        self._limited.labels(work.value).inc()

    def note_search(self, response: SearchResponse) -> None:
        """One search, whichever way it came in."""
        self._search.observe(response.took_ms / 1000)
        self._searches.labels("yes" if response.answerable else "no").inc()
        for mode in response.degraded:
            self._degraded.labels(mode).inc()

    def watch(self, lines: Lines) -> None:
        """Show how the lines stand whenever they are asked for."""
        for work, line in lines.lines.items():
            self._running.labels(work.value).set_function(partial(_count_running, line))
            self._waiting.labels(work.value).set_function(partial(_count_waiting, line))

    def show_stored(self, figures: Mapping[str, StoredFigure]) -> None:
        """Figures read elsewhere, in place of what was last shown under these names."""
        for name, figure in figures.items():
            gauge = self._stored.get(name)
            if gauge is None:
                labels = tuple(figure.labels)
                gauge = Gauge(name, figure.meaning, labels, registry=self._registry)
                self._stored[name] = gauge
            if figure.labels:
                gauge.clear()
            for values, number in figure.values:
                (gauge.labels(*values) if figure.labels else gauge).set(number)

    def render(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, meaning: str, label: str) -> Counter:
        return Counter(name, meaning, (label,), registry=self._registry)

    def _gauge(self, name: str, meaning: str, label: str) -> Gauge:
        return Gauge(name, meaning, (label,), registry=self._registry)


class StoredFigure:
    """One gauge with its values by label."""

    def __init__(
        self,
        meaning: str,
        values: Iterable[tuple[tuple[str, ...], float]],
        labels: tuple[str, ...] = (),
    ) -> None:
        self.meaning = meaning
        self.values = list(values)
        self.labels = labels


def _count_running(line: Line) -> float:
    return line.running


def _count_waiting(line: Line) -> float:
    return len(line.waiting)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
