"""What is counted, in Prometheus' form. A registry of its own: nothing is global."""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, generate_latest


class RequestMeter:
    """One request: the edge begins and finishes it, its route tells what happens between."""

    def __init__(self, metrics: "Metrics", *, method: str, request_id: str) -> None:
        self._metrics = metrics
        self._clock = metrics.clock
        self._began = metrics.clock()
        self._last: float | None = None
        self.method = method
        self.request_id = request_id
        self.route = ""
        self.model = ""
        self.first_token_s: float | None = None
        self.prompt_tokens = 0
        self.completion_tokens = 0

    def answering(self, model: str) -> None:
        """The model that answers, by the name that `list` shows."""
        self.model = model

    def first_token(self) -> None:
        """The first token left for the client. `tokens` says so too."""
        if self.first_token_s is None:
            self._last = self._clock()
            self.first_token_s = self._last - self._began

    def tokens(self, count: int) -> None:
        """`count` more tokens of the answer."""
        self.completion_tokens += count
        self.first_token()

    def prompt(self, tokens: int) -> None:
        """How long the prompt was."""
        self.prompt_tokens = tokens

    def finished(self, status: int) -> None:
        """The answer has ended. The edge calls this, once."""


class Metrics:
    """Everything that `/metrics` shows."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.registry = CollectorRegistry()

    def request(self, *, method: str, request_id: str) -> RequestMeter:
        """A request has arrived."""
        return RequestMeter(self, method=method, request_id=request_id)

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
