"""Failures as answers: Anthropic's body below `/v1/messages`, OpenAI's below the rest of `/v1/`, Ollama's below `/api/`, a
problem document (RFC 9457) everywhere else.

A body says what is wrong with the request and what to do. It never holds a traceback, a path or an address.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import msgspec

from paddock.dialects.ollama_wire import Failure
from paddock.errors import (
    Defect,
    Draining,
    KeyMissing,
    NoRoom,
    Overloaded,
    PaddockError,
    ProviderFailed,
    RateLimited,
    UsageError,
)

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"

_TYPES = {  # OpenAI's words for kinds of failure, by status
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}
_ANTHROPIC_TYPES = {  # Anthropic's
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_ANTHROPIC_OVERLOADED: Final = 529
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One failure, ready to be sent."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def problem(error: PaddockError, *, path: str, request_id: str) -> Problem:
    """The answer to a request to `path` that failed with `error`."""
    if speaks_anthropic(path):
        return Problem(
            status=anthropic_status(error),
            body=_encode(anthropic_error(error, request_id=request_id)),
            headers={"content-type": JSON, "request-id": request_id, **_headers(error)},
        )
    status = error.http_status
    headers = {"content-type": JSON if speaks_openai(path) else PROBLEM, **_headers(error)}
    if speaks_openai(path):
        return Problem(status=status, body=_encode(openai_error(error)), headers=headers)
    if speaks_ollama(path):
        return Problem(status=status, body=_encode(ollama_error(error)), headers={**headers, "content-type": JSON})
    body = document(
        status=status,
        code=error.code,
        detail=error.message,
        hint=error.hint,
        request_id=request_id,
        param=error.param if isinstance(error, UsageError) else None,
    )
    return Problem(status=status, body=body, headers=headers)


def speaks_anthropic(path: str) -> bool:
    """Whether clients of `path` expect Anthropic's error body."""
    return path == "/v1/messages" or path.startswith("/v1/messages/")


def speaks_openai(path: str) -> bool:
    """Whether clients of `path` expect OpenAI's error body."""
    return (path.startswith(("/v1/", "/v2/")) or path in ("/v1", "/v2")) and not speaks_anthropic(path)


def speaks_ollama(path: str) -> bool:
    """Whether clients of `path` expect Ollama's error body."""
    return path.startswith("/api/") or path == "/api"


def ollama_error(error: PaddockError) -> Failure:
    """`{"error": …}` as Ollama's clients read it, which show the text and look at nothing else; also a stream's last line."""
    return Failure(error=f"{error.message} {error.hint}", code=error.code, hint=error.hint)


def anthropic_status(error: PaddockError) -> int:
    """Anthropic has a status of its own for a server that has too much to do; its clients wait and try again."""
    return _ANTHROPIC_OVERLOADED if isinstance(error, NoRoom | Draining) else error.http_status


def anthropic_error(error: PaddockError, *, request_id: str) -> Mapping[str, Any]:
    """`{"type": "error", …}` as Anthropic's clients read it; also the error event of a stream."""
    status = anthropic_status(error)
    kind = _ANTHROPIC_TYPES.get(status) or (
        "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "api_error"
    )
    return {
        "type": "error",
        "error": {"type": kind, "message": f"{error.message} {error.hint}", "details": {"error_code": error.code}},
        "request_id": request_id,
    }


def openai_error(error: PaddockError) -> Mapping[str, Any]:
    """`{"error": …}` as OpenAI's clients read it; also the error event of a stream."""
    status = error.http_status
    kind = _TYPES.get(status) or ("invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "api_error")
    return {
        "error": {
            "message": f"{error.message} {error.hint}",
            "type": kind,
            "param": error.param if isinstance(error, UsageError) else None,
            "code": error.code,
            "hint": error.hint,
        }
    }


def document(*, status: int, code: str, detail: str, hint: str, request_id: str, param: str | None = None) -> bytes:
    """RFC 9457, with our code and hint, and the field of the request that is wrong, where one is."""
    return _encode(
        {
            "type": f"urn:paddock:error:{code}",
            "title": _title(status),
            "status": status,
            "detail": detail,
            "code": code,
            "hint": hint,
            "param": param,
            "request_id": request_id,
        }
    )


def unexpected() -> Defect:
    """What a client is told of an exception that nobody expected. The log has the rest."""
    return Defect(
        "Paddock itself broke while it answered this request.",
        hint="Please report it; the server's log has what happened under this request's id.",
    )


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Client Closed Request"


def _headers(error: PaddockError) -> Mapping[str, str]:
    if isinstance(error, KeyMissing):
        return {"www-authenticate": "Bearer"}
    if isinstance(error, Overloaded | RateLimited | ProviderFailed) and error.retry_after_s is not None:
        return {"retry-after": str(max(1, math.ceil(error.retry_after_s)))}
    return {}
