"""What OpenAPI says of endpoints that read their own bytes: the schemas of what they read and write."""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import msgspec
from pydantic import BaseModel

_ERROR: Final = {
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


# Schemas that are worked out when somebody asks for the description: a server starts without them. By the name of the type.
_LATER: Final[dict[str, Callable[[], dict[str, Any]]]] = {}
_MARK: Final = "x-later"


def described(
    body: type[BaseModel] | None, answer: type[msgspec.Struct] | None, *, lines: bool = False, events: str = ""
) -> Mapping[str, Any]:
    """Arguments for a route whose failures `description.py` tells of. `lines`: the answer comes as lines of JSON, too.

    `events` says what comes when the request asks for server-sent events.
    """
    told: dict[str, Any] = {"responses": {200: {"description": "The answer."}}}
    if answer is not None:
        schema = _answered(answer)
        kinds = ("application/json", "application/x-ndjson") if lines else ("application/json",)
        content: dict[str, Any] = {kind: {"schema": schema} for kind in kinds}
        if events:
            content["text/event-stream"] = {"schema": {"type": "string", "description": events}}
        told["responses"][200]["content"] = content
    return {**told, **_taken(body)}


def documented(body: type[BaseModel] | None, answer: type[msgspec.Struct], *, stream: str = "") -> Mapping[str, Any]:
    """Arguments for a route. `stream` says what comes when the request asks for a stream."""
    content: dict[str, Any] = {"application/json": {"schema": _answered(answer)}}
    if stream:
        content["text/event-stream"] = {"schema": {"type": "string", "description": stream}}
    told: dict[str, Any] = {
        "responses": {
            200: {"description": "The answer.", "content": content},
            "4XX": {
                "description": "What is wrong with the request.",
                "content": {"application/json": {"schema": _ERROR}},
            },
            "5XX": {"description": "What failed here.", "content": {"application/json": {"schema": _ERROR}}},
        }
    }
    return {**told, **_taken(body)}


def _taken(body: type[BaseModel] | None) -> Mapping[str, Any]:
    if body is None:
        return {}
    schema = _later(body, lambda: _inlined(body.model_json_schema()))
    return {"openapi_extra": {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}}


def _answered(answer: type[msgspec.Struct]) -> dict[str, Any]:
    return _later(answer, lambda: _inlined(msgspec.json.schema(answer)))


def _later(kind: type, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    name = f"{kind.__module__}.{kind.__qualname__}"
    _LATER[name] = make
    return {_MARK: name}


def worked_out(node: Any) -> Any:
    """A description with every schema that was left for later."""
    if isinstance(node, list):
        return [worked_out(each) for each in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    members = cast("dict[str, Any]", node)
    if (name := members.get(_MARK)) is not None:
        return _LATER[name]()
    return {key: worked_out(each) for key, each in members.items()}


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with every reference replaced by what it refers to: inside another document it would lead nowhere."""
    parts: dict[str, Any] = schema.get("$defs", {})

    def inline(node: Any) -> Any:
        if isinstance(node, list):
            return [inline(each) for each in cast("list[Any]", node)]
        if not isinstance(node, dict):
            return node
        members = cast("dict[str, Any]", node)
        reference = members.get("$ref")
        if isinstance(reference, str):
            return inline(parts[reference.rsplit("/", 1)[-1]])
        return {name: inline(each) for name, each in members.items() if not _leads_nowhere(name, each)}

    return cast("dict[str, Any]", inline(schema))


def _leads_nowhere(name: str, value: Any) -> bool:
    """What refers to parts by their place, or holds them: they are where they belong by then."""
    return name == "$defs" or (name == "discriminator" and isinstance(value, dict) and "mapping" in value)
