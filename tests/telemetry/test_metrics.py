"""What Prometheus reads must be true, and must not grow with what clients type."""

from prometheus_client.parser import text_string_to_metric_families

from paddock.pool.observer import PoolObserver
from paddock.telemetry.metrics import Metrics, ModelGauges


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def samples(metrics: Metrics, *models: ModelGauges) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample by its name and the values of its labels, in the order of the labels' names."""
    families = text_string_to_metric_families(metrics.render(models).decode())
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_request_is_counted_from_its_arrival_to_its_last_token() -> None:
    clock = Clock()
    metrics = Metrics(clock)
    meter = metrics.request(method="POST", request_id="r")
    meter.route = "/v1/chat/completions"
    meter.answering("pony")
    meter.prompt(12)
    clock.now += 0.3
    meter.tokens(1)
    clock.now += 0.06
    meter.tokens(3)
    meter.tokens(0)
    meter.finished(200)
    seen = samples(metrics)
    assert seen["paddock_requests_total", ("POST", "pony", "/v1/chat/completions", "200")] == 1
    assert seen["paddock_prompt_tokens_total", ("pony",)] == 12
    assert seen["paddock_completion_tokens_total", ("pony",)] == 4
    assert round(seen["paddock_first_token_seconds_sum", ("pony",)], 6) == 0.3
    assert seen["paddock_inter_token_seconds_count", ("pony",)] == 3
    assert round(seen["paddock_inter_token_seconds_sum", ("pony",)], 6) == 0.06


def test_what_the_pool_does_is_counted() -> None:
    metrics = Metrics()
    observer: PoolObserver = metrics
    observer.loaded("pony", seconds=1.5, memory_bytes=7)
    observer.hit("pony")
    observer.evicted("pony", reason="room")
    observer.refused("what a client typed", code="no_room")
    seen = samples(metrics)
    assert seen["paddock_model_loads_total", ("pony",)] == 1
    assert seen["paddock_model_hits_total", ("pony",)] == 1
    assert seen["paddock_model_evictions_total", ("pony", "room")] == 1
    assert seen["paddock_pool_refusals_total", ("no_room",)] == 1
    assert b"what a client typed" not in metrics.render(())


def test_a_model_that_has_left_is_not_shown() -> None:
    """A gauge that stays would say that memory is still in use."""
    metrics = Metrics()
    model = ModelGauges(name="pony", state="ready", running=3, blocks_used=5, tokens=9)
    seen = samples(metrics, model)
    assert seen["paddock_model_running", ("pony",)] == 3
    assert seen["paddock_model_tokens_total", ("pony",)] == 9
    assert seen["paddock_model_state", ("pony", "ready")] == 1
    assert ("paddock_model_running", ("pony",)) not in samples(metrics)
