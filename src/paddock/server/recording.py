"""What of a request goes into the audit."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from paddock.audit.record import RequestRecord
from paddock.config.schema import Audit
from paddock.providers.provider import Accepted
from paddock.server.problems import speaks_anthropic, speaks_ollama, speaks_openai
from paddock.vocabulary import ChatRequest, Message

_LOOKING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})


def is_kept(method: str, path: str, status: int) -> bool:
    """Whether a request gets a row: all that models are asked, all that changes something, and all that was refused.

    Pages, probes and what a dashboard looks at every second would only bury these.
    """
    if status in _REFUSED or path.startswith(("/v1/", "/v2/", "/api/")):
        return True
    return path.startswith("/admin/") and method not in _LOOKING


def dialect_of(path: str) -> str:
    """Whose words a request is in."""
    if speaks_anthropic(path):
        return "anthropic"
    if speaks_openai(path):
        return "openai"
    return "ollama" if speaks_ollama(path) else "paddock"


def record_asked(record: RequestRecord, requests: Sequence[ChatRequest], *, default: str, audit: Audit) -> None:
    """Write down what is asked of which model; the prompt only where it is wanted."""
    record.asked_model = requests[0].model or default
    if audit.keep and audit.prompts:
        _keep(record, [_asked(request) for request in requests], audit)


def record_model(record: RequestRecord, model: str, texts: Sequence[object], *, audit: Audit) -> None:
    """The same for texts that are no conversation."""
    record.asked_model = model
    if audit.keep and audit.prompts:
        _keep(record, texts, audit)


def _keep(record: RequestRecord, prompt: Sequence[object], audit: Audit) -> None:
    record.prompt = msgspec.json.encode(prompt)[: audit.prompt_bytes_max].decode("utf-8", "ignore")


def record_accepted(record: RequestRecord, accepted: Accepted) -> None:
    """Write down who answers."""
    record.model, record.provider, record.route = accepted.model, accepted.provider, accepted.route
    record.attempts = accepted.attempts


def _asked(request: ChatRequest) -> Any:
    if request.messages is not None:
        return [_message(message) for message in request.messages]
    return request.prompt if request.prompt is not None else list(request.tokens or ())


def _message(message: Message) -> Any:
    """Its words, and the number of its pictures: those are large, and mostly kept elsewhere."""
    told: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.images:
        told["images"] = len(message.images)
    if message.tool_calls:
        told["tool_calls"] = [{"name": call.name, "arguments": call.arguments} for call in message.tool_calls]
    return told
