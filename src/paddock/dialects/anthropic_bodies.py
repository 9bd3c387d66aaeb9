"""Requests as bodies of Anthropic's API: the way back from `anthropic_messages`. What it cannot say is refused by name."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from paddock.dialects.anthropic_thoughts import signature_of
from paddock.dialects.asking import picture_address, picture_data, pieces_of
from paddock.dialects.openai_fields import wrong
from paddock.vocabulary import (
    ChatRequest,
    FormatKind,
    Message,
    OutputFormat,
    Picture,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolUse,
)

Json = dict[str, Any]


def prompt_body(request: ChatRequest) -> Json:
    """All that becomes part of the prompt: what `count_tokens` takes, and `messages` besides how tokens are chosen.

    Raises UsageError that names what cannot be said.
    """
    if request.messages is None:
        raise wrong("prompt", "Anthropic's API takes conversations only.", "Send `messages`.")
    system, messages = _conversation(request.messages)
    body: Json = {"model": request.model, "messages": messages}
    if system is not None:
        body["system"] = system
    if request.tools:
        body["tools"] = [
            {
                "name": tool.name,
                "description": tool.description,
                "input_schema": dict(tool.parameters),
                **({"strict": True} if tool.strict else {}),
            }
            for tool in request.tools
        ]
    return {**body, **_choice(request.tool_choice), **_thinking(request.thinking), **_format(request.format)}


def _conversation(messages: Sequence[Message]) -> tuple[str | None, list[Json]]:
    system, turns = None, list[Json]()
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        if message.name is not None:
            raise wrong(f"{where}.name", "Anthropic's API knows no names of speakers.", "Leave `name` out.")
        match message.role:
            case "system" if number == 0:
                system = message.content
            case "system" | "user":
                turns.append({"role": message.role, "content": _content(message)})
            case "assistant":
                turns.append({"role": "assistant", "content": _said(message, where)})
            case "tool":
                _add_result(turns, message)
            case role:
                raise wrong(f"{where}.role", f"Anthropic's API knows no role `{role}`.", "Send a known role.")
    return system, turns


def _add_result(turns: list[Json], message: Message) -> None:
    """Results of one turn of calls are one message."""
    result = {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": _content(message)}
    last = turns[-1]["content"] if turns else ""
    if isinstance(last, list) and turns[-1]["role"] == "user":
        cast("list[Json]", last).append(result)
    else:
        turns.append({"role": "user", "content": [result]})


def _content(message: Message) -> str | list[Json]:
    """Texts, and the pictures where they stand between them."""
    return [_block(piece) for piece in pieces_of(message)] if message.images else message.content


def _block(piece: str | Picture) -> Json:
    if isinstance(piece, str):
        return {"type": "text", "text": piece}
    data = picture_data(piece)
    if data is None:
        return {"type": "image", "source": {"type": "url", "url": picture_address(piece)}}
    return {"type": "image", "source": {"type": "base64", "media_type": data[0], "data": data[1]}}


def _said(message: Message, where: str) -> str | list[Json]:
    if not message.reasoning and not message.tool_calls:
        return message.content
    blocks: list[Json] = []
    if message.reasoning:
        signature = signature_of(message.reasoning, shown=True)
        blocks.append({"type": "thinking", "thinking": message.reasoning, "signature": signature})
    if message.content:
        blocks.append({"type": "text", "text": message.content})
    for call in message.tool_calls:
        blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": _input(call, where)})
    return blocks


def _input(call: ToolCall, where: str) -> Json:
    try:
        value = msgspec.json.decode(call.arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise wrong(
            f"{where}.tool_calls", f"The arguments of the call `{call.id}` are no JSON object.", "Send an object."
        )
    return cast("Json", value)


def _choice(choice: ToolChoice) -> Mapping[str, Any]:
    if choice == ToolChoice():
        return {}
    parallel = {} if choice.parallel else {"disable_parallel_tool_use": True}
    match choice.use:
        case ToolUse.NONE:
            return {"tool_choice": {"type": "none"}}
        case ToolUse.AUTO:
            return {"tool_choice": {"type": "auto", **parallel}}
        case ToolUse.REQUIRED if choice.name is not None:
            return {"tool_choice": {"type": "tool", "name": choice.name, **parallel}}
        case ToolUse.REQUIRED:
            return {"tool_choice": {"type": "any", **parallel}}


def _thinking(thinking: Thinking) -> Mapping[str, Any]:
    match thinking.enabled:
        case None:
            return {}
        case False:
            return {"thinking": {"type": "disabled"}}
        case True if thinking.budget_tokens is None:
            return {"thinking": {"type": "adaptive"}}
        case True:
            return {"thinking": {"type": "enabled", "budget_tokens": thinking.budget_tokens}}


def _format(wanted: OutputFormat) -> Mapping[str, Any]:
    match wanted.kind:
        case FormatKind.TEXT:
            return {}
        case FormatKind.JSON_SCHEMA if isinstance(wanted.schema, Mapping):
            return {"output_config": {"format": {"type": "json_schema", "schema": dict(wanted.schema)}}}
        case kind:
            raise wrong("format", f"Anthropic's API holds no answer to a `{kind}`.", "Send a JSON schema of an object.")
