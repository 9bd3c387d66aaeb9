"""What is counted, in Prometheus' form. A registry of its own: nothing is global.

The edge makes a `RequestMeter` for every request and finishes it; the route behind tells it which model answers and how its
tokens come. The pool tells what it does with models (`loaded`, `evicted`, …); what it holds is looked up when somebody asks.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

REQUEST_BUCKETS: Final = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
FIRST_TOKEN_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
BETWEEN_BUCKETS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
LOAD_BUCKETS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
NO_ROUTE: Final = "none"
CLIENT_LEFT: Final = 499


class RequestMeter:
    """One request: the edge begins and finishes it, its route tells what happens between."""

    __slots__ = (
        "_began",
        "_between",
        "_clock",
        "_last",
        "_metrics",
        "completion_tokens",
        "first_token_s",
        "method",
        "model",
        "prompt_tokens",
        "request_id",
        "route",
    )

    def __init__(self, metrics: "Metrics", *, method: str, request_id: str) -> None:
        self._metrics = metrics
        self._clock = metrics.clock
        self._began = metrics.clock()
        self._last = self._began
        self.method = method
        self.request_id = request_id
        self.route = NO_ROUTE
        self.model = ""
        self.first_token_s: float | None = None
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self._between: Histogram | None = None  # its model's, found once: tokens are many

    def answering(self, model: str) -> None:
        """The model that answers, by the name that `list` shows; never what a client typed."""
        self.model = model

    def prompt(self, tokens: int) -> None:
        """How long the prompt was."""
        self.prompt_tokens = tokens

    def first_token(self) -> None:
        """The first token leaves for the client. `tokens` says so too."""
        if self.first_token_s is None:
            self._last = self._clock()
            self.first_token_s = self._last - self._began

    def tokens(self, count: int) -> None:
        """`count` more tokens of the answer leave for the client."""
        if not count:
            return
        self.completion_tokens += count
        if self.first_token_s is None:
            self.first_token()
            return
        if self._between is None:
            self._between = self._metrics.between(self.model)
        now = self._clock()
        seconds = (now - self._last) / count
        for _ in range(count):
            self._between.observe(seconds)
        self._last = now

    @property
    def seconds(self) -> float:
        """Since the request arrived."""
        return self._clock() - self._began

    def finished(self, status: int) -> None:
        """The answer has ended, or nobody waits for it any more. The edge calls this, once."""
        self._metrics.answered(self, status)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelGauges:
    """One model in memory, as `/metrics` shows it."""

    name: str
    state: str
    leases: int = 0
    predicted_bytes: int = 0
    measured_bytes: int = 0
    memory_bytes: int = 0  # that its process says it uses now
    waiting: int = 0
    running: int = 0
    steps: int = 0
    tokens: int = 0
    prefix_hit_tokens: int = 0
    blocks_used: int = 0
    blocks_total: int = 0
    restarts: int = 0


class Metrics:
    """Everything that `/metrics` shows. Belongs to one event loop."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.connections_open = 0
        self._registry = CollectorRegistry()
        self._models = _Models()
        self._registry.register(self._models)
        registry = self._registry

        self._requests = Counter(
            "paddock_requests", "Requests answered.", ("route", "method", "status", "model"), registry=registry
        )
        self._seconds = Histogram(
            "paddock_request_seconds", "Whole answers.", ("route",), buckets=REQUEST_BUCKETS, registry=registry
        )
        self._first = Histogram(
            "paddock_first_token_seconds",
            "From a request's arrival to its first token.",
            ("model",),
            buckets=FIRST_TOKEN_BUCKETS,
            registry=registry,
        )
        self._between = Histogram(
            "paddock_inter_token_seconds",
            "Between two tokens of one answer.",
            ("model",),
            buckets=BETWEEN_BUCKETS,
            registry=registry,
        )
        self._prompt = Counter("paddock_prompt_tokens", "Tokens of prompts.", ("model",), registry=registry)
        self._completion = Counter("paddock_completion_tokens", "Tokens of answers.", ("model",), registry=registry)
        self.active = Gauge("paddock_active_requests", "Requests being answered.", registry=registry)
        self._connections = Gauge("paddock_connections", "Open connections.", registry=registry)
        self._turned_away = Counter(
            "paddock_refused_connections",
            "Connections and malformed requests refused before they were a request.",
            ("status",),
            registry=registry,
        )
        self._loads = Counter("paddock_model_loads", "Models loaded.", ("model",), registry=registry)
        self._load_seconds = Histogram(
            "paddock_model_load_seconds", "From start to ready.", buckets=LOAD_BUCKETS, registry=registry
        )
        self._hits = Counter(
            "paddock_model_hits", "Requests that found their model in memory.", ("model",), registry=registry
        )
        self._evictions = Counter(
            "paddock_model_evictions", "Models that left memory, by why.", ("model", "reason"), registry=registry
        )
        self._refused = Counter(
            "paddock_pool_refusals", "Requests the pool refused, by why.", ("code",), registry=registry
        )

    # Connections

    def connected(self) -> None:
        self.connections_open += 1
        self._connections.set(self.connections_open)

    def disconnected(self) -> None:
        self.connections_open -= 1
        self._connections.set(self.connections_open)

    # Requests

    def request(self, *, method: str, request_id: str) -> RequestMeter:
        """A request has arrived."""
        return RequestMeter(self, method=method, request_id=request_id)

    def answered(self, meter: RequestMeter, status: int) -> None:
        """A request has ended; its meter calls this."""
        self._requests.labels(meter.route, meter.method, str(status), meter.model).inc()
        self._seconds.labels(meter.route).observe(meter.seconds)
        if meter.first_token_s is not None:
            self._first.labels(meter.model).observe(meter.first_token_s)
        if meter.prompt_tokens:
            self._prompt.labels(meter.model).inc(meter.prompt_tokens)
        if meter.completion_tokens:
            self._completion.labels(meter.model).inc(meter.completion_tokens)

    def between(self, model: str) -> Histogram:
        """Where the seconds between two tokens of `model` are counted."""
        return self._between.labels(model)

    def turned_away(self, status: int) -> None:
        """What never became a request: too many connections, headers too long or too slow, no HTTP."""
        self._turned_away.labels(str(status)).inc()

    # Models; the pool's observer

    def loaded(self, name: str, *, seconds: float, memory_bytes: int) -> None:
        self._loads.labels(name).inc()
        self._load_seconds.observe(seconds)

    def hit(self, name: str) -> None:
        self._hits.labels(name).inc()

    def evicted(self, name: str, *, reason: str) -> None:
        self._evictions.labels(name, reason).inc()

    def refused(self, name: str, *, code: str) -> None:
        self._refused.labels(code).inc()  # not by name: that one may be anything that a client typed

    # The page

    def render(self, models: Sequence[ModelGauges]) -> bytes:
        """The text that Prometheus reads, with `models` as they are now."""
        self._models.now = models
        return generate_latest(self._registry)


_GAUGES: Final = (
    ("leases", "Requests that hold a model in memory."),
    ("predicted_bytes", "What a model was expected to take."),
    ("measured_bytes", "What it took when it was loaded."),
    ("memory_bytes", "What its process uses now."),
    ("waiting", "Requests in its queue."),
    ("running", "Requests in its batch."),
    ("blocks_used", "Cache blocks in use."),
    ("blocks_total", "Cache blocks there are."),
)
_COUNTERS: Final = (
    ("steps", "Steps of its engine."),
    ("tokens", "Tokens that its engine made."),
    ("prefix_hit_tokens", "Tokens of prompts that were found in its cache."),
    ("restarts", "Times that its process was started again."),
)


class _Models(Collector):
    """Models in memory come and go; a model that has left is not shown."""

    def __init__(self) -> None:
        self.now: Sequence[ModelGauges] = ()

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        state = GaugeMetricFamily(
            "paddock_model_state", "1 for the state that a model is in.", labels=("model", "state")
        )
        for model in self.now:
            state.add_metric([model.name, model.state], 1)
        yield state
        for field, text in _GAUGES:
            family = GaugeMetricFamily(f"paddock_model_{field}", text, labels=("model",))
            for model in self.now:
                family.add_metric([model.name], getattr(model, field))
            yield family
        for field, text in _COUNTERS:
            family = CounterMetricFamily(f"paddock_model_{field}", text, labels=("model",))
            for model in self.now:
                family.add_metric([model.name], getattr(model, field))
            yield family
