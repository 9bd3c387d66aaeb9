"""`/openapi.json`: what the framework knows of the routes, with what the edge adds to all of them."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

from paddock.server.openai_schemas import worked_out
from paddock.server.problems import JSON, PROBLEM, speaks_anthropic, speaks_ollama, speaks_openai

_ABOUT: Final = (
    "Models on your own machine. Every answer carries `x-paddock-request-id`. Once a key was made, every address but"
    " `/healthz` and `/readyz` wants it."
)
_OPEN: Final = ("/healthz", "/readyz")
_FRAMEWORKS_OWN: Final = "422"  # requests that do not validate are answered 400, in the dialect's own form
# Whose call it is: before the name of its function this makes a name that a generated client can have for a method.
_WHOSE: Final = {"/api/": "ollama_", "/v1/messages": "anthropic_", "/v1/responses/": "responses_"}
_KEYS: Final[Mapping[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
_PROBLEM: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "hint", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "hint": {"type": "string"},
        "request_id": {"type": "string"},
    },
}
_OPENAI: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code", "hint"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string"},
                "hint": {"type": "string"},
            },
        }
    },
}
_ANTHROPIC: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["type", "error", "request_id"],
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["type", "message", "details"],
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string"},
                "details": {
                    "type": "object",
                    "required": ["error_code"],
                    "properties": {"error_code": {"type": "string"}},
                },
            },
        },
        "request_id": {"type": "string"},
    },
}
_OLLAMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["error", "code", "hint"],
    "properties": {"error": {"type": "string"}, "code": {"type": "string"}, "hint": {"type": "string"}},
}


def describe(app: FastAPI) -> None:
    """Make `app.openapi()` tell all of it. Made once, when somebody first asks."""
    plain = app.openapi
    for route in app.routes:
        if isinstance(route, APIRoute) and route.operation_id is None:
            whose = next((word for start, word in _WHOSE.items() if route.path.startswith(start)), "")
            route.operation_id = f"{whose}{route.name}"

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(worked_out(plain()))
        return app.openapi_schema

    app.description = _ABOUT
    app.openapi = openapi


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    document["components"]["securitySchemes"] = dict(_KEYS)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            responses = operation.setdefault("responses", {})
            responses.pop(_FRAMEWORKS_OWN, None)
            for statuses in ("4XX", "5XX"):
                responses.setdefault(statuses, _failure(path))
            if path not in _OPEN:
                operation["security"] = [{name: []} for name in _KEYS]
    return document


def _failure(path: str) -> Mapping[str, Any]:
    if speaks_openai(path):
        schema, kind = _OPENAI, JSON
    elif speaks_anthropic(path):
        schema, kind = _ANTHROPIC, JSON
    elif speaks_ollama(path):
        schema, kind = _OLLAMA, JSON
    else:
        schema, kind = _PROBLEM, PROBLEM
    return {"description": "Why not, and what to do.", "content": {kind: {"schema": schema}}}
