"""What Prometheus reads at /metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# Of an answer, about twice as long from one to the next, as Prometheus has them; 30 s is a large picture on a slow server.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Of one server; a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "edgebundle_requests",
            "Requests for a picture by the status of their answer",
            ["status"],
            registry=self.registry,
        )
        self.waiting = Gauge("edgebundle_queue_length", "Pictures that wait or are processed", registry=self.registry)
        self.seconds = Histogram(
            "edgebundle_processing_seconds",
            "From the worker's start to its end",
            buckets=SECONDS,
            registry=self.registry,
        )
