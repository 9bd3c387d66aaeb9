"""Timelines as OpenTelemetry spans, sent to a collector: nothing is unless `traces.endpoint` says where.

Spans carry the names of the conventions for generative AI: who was asked for which model, how many tokens, how long. What was
asked and answered is not in them. OpenTelemetry is imported here only, and only when it is wanted.
"""

import random
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from paddock.errors import NotFound
from paddock.telemetry.timeline import Step, Timeline, Value
from paddock.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

_NANOS: Final = 1_000_000_000
_ENDED_MS: Final = 2_000  # what is left is sent when the server ends, within this
_SYSTEM: Final = {"local": "paddock"}


class Exporter:
    """Sends in a thread of its own, in batches; when the collector is away, spans are dropped and requests go on."""

    def __init__(self, processor: "BatchSpanProcessor", resource: Any) -> None:
        self._processor = processor
        self._resource = resource

    def add(self, timeline: Timeline) -> None:
        """One request that has ended. Costs it nothing: it is queued, or dropped."""
        if timeline.parent is not None and not timeline.parent.sampled:
            return  # whoever asks wants no trace of it
        for span in self._spans(timeline):
            self._processor.on_end(span)

    def close(self) -> None:
        """Send what is left. Blocking, for some seconds at most."""
        self._processor.force_flush(_ENDED_MS)
        self._processor.shutdown()

    def _spans(self, line: Timeline) -> list[Any]:
        from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

        sampled = TraceFlags(TraceFlags.SAMPLED)

        def context(span_id: int, *, remote: bool = False) -> SpanContext:
            return SpanContext(line.trace_id, span_id, is_remote=remote, trace_flags=sampled)

        root = context(_span_id())
        parent = context(line.parent.span_id, remote=True) if line.parent else None
        own = line.attributes
        found = [
            self._span(
                f"{own.get('method', '')} {own.get('endpoint', '')}".strip(),
                root,
                parent,
                SpanKind.SERVER,
                (line.at, 0.0, line.seconds),
                _of_request(line),
                line.error,
            )
        ]
        contexts = [context(_span_id()) for _ in line.steps]
        for step, one in zip(line.steps, contexts, strict=True):
            above = root if step.parent is None else contexts[step.parent]
            attempt = step.name == "attempt"
            elsewhere = attempt and step.attributes.get("provider") != "local"
            ended_s = line.seconds if step.ended_s is None else step.ended_s
            found.append(
                self._span(
                    f"chat {step.attributes.get('model', '')}".strip() if attempt else f"paddock.{step.name}",
                    one,
                    above,
                    SpanKind.CLIENT if elsewhere else SpanKind.INTERNAL,
                    (line.at, step.began_s, ended_s),
                    _of_attempt(step, line) if attempt else _plain(step),
                    step.error,
                )
            )
        return found

    def _span(
        self,
        name: str,
        context: Any,
        parent: Any,
        kind: Any,
        times: tuple[datetime, float, float],
        attributes: Mapping[str, Value],
        error: str,
    ) -> Any:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope
        from opentelemetry.trace import Status, StatusCode

        at, began_s, ended_s = times
        zero = round(at.timestamp() * _NANOS)
        return ReadableSpan(
            name,
            context=context,
            parent=parent,
            resource=self._resource,
            attributes={**attributes, **({"error.type": error} if error else {})},
            kind=kind,
            status=Status(StatusCode.ERROR if error else StatusCode.UNSET),
            start_time=zero + round(began_s * _NANOS),
            end_time=zero + round(ended_s * _NANOS),
            instrumentation_scope=InstrumentationScope("paddock", VERSION),
        )


def open_exporter(endpoint: str, *, token: str | None, service: str) -> Exporter:
    """Sends to `endpoint`, an address that speaks OTLP over HTTP, with `token` as its authorization.

    Raises NotFound when the extra is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise NotFound(
            "`traces.endpoint` is set, and what sends traces is not installed.",
            hint="Install `paddock[telemetry]`, or take the setting away.",
        ) from error
    sender = OTLPSpanExporter(
        endpoint=f"{endpoint.rstrip('/')}/v1/traces", headers={"authorization": token} if token else {}
    )
    resource = Resource({"service.name": service, "service.version": VERSION})
    return Exporter(BatchSpanProcessor(sender), resource)


def _of_request(line: Timeline) -> dict[str, Value]:
    own = line.attributes
    told: dict[str, Value] = {
        "http.request.method": own.get("method", ""),
        "http.route": own.get("endpoint", ""),
        "http.response.status_code": own.get("status", 0),
        "paddock.request_id": line.request_id,
        "paddock.attempts": own.get("attempts", 0),
    }
    if first := own.get("first_token_seconds"):
        told["gen_ai.server.time_to_first_token"] = first
    return told


def _of_attempt(step: Step, line: Timeline) -> dict[str, Value]:
    own, provider = line.attributes, str(step.attributes.get("provider", ""))
    told: dict[str, Value] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _SYSTEM.get(provider, provider),
        "gen_ai.request.model": step.attributes.get("model", ""),
    }
    if not step.error and own.get("completion_tokens"):
        told["gen_ai.response.model"] = own.get("model", "")
        told["gen_ai.usage.input_tokens"] = own.get("prompt_tokens", 0)
        told["gen_ai.usage.output_tokens"] = own.get("completion_tokens", 0)
    return told


def _plain(step: Step) -> dict[str, Value]:
    return {f"paddock.{name}": value for name, value in step.attributes.items()}


def _span_id() -> int:
    return random.getrandbits(64) or 1
