"""OpenAI's dialect, spoken to somebody else: requests as bodies. What it cannot say is refused, or left out and named."""

from collections.abc import Mapping
from typing import Any, Final

from paddock.dialects.asking import Ask, Json, not_offered, picture_address, picture_data, pieces_of
from paddock.vocabulary import ChatRequest, FormatKind, Message, OutputFormat, ToolChoice, ToolUse

CHAT: Final = "/chat/completions"
TEXT: Final = "/completions"
_EXTRA: Final = ("top_k", "min_p", "repetition_penalty", "stop_token_ids", "ignore_end")  # servers of open models only


def ask_of(request: ChatRequest, *, model: str, options: Mapping[str, Any], strict: bool) -> Ask:
    """The body for `request`. `strict`: OpenAI itself, which takes no fields but its own. Raises NotOffered."""
    body: Json = {"model": model}
    if request.messages is not None:
        body["messages"] = [_message(message, strict=strict) for message in request.messages]
    else:
        body["prompt"] = request.prompt if request.prompt is not None else [*(request.tokens or ())]
    body |= _sampling(request, strict=strict)
    ignored = [*_unsaid(request)] if strict else []
    if request.messages is not None:
        body |= {**_tools(request), **_format(request.format, strict=strict)}
        body |= _effort(request) if strict else _template(request)
    elif request.format.kind is not FormatKind.TEXT:
        body |= _format(request.format, strict=strict)
    body |= {"stream": True, "stream_options": {"include_usage": True}}
    path = CHAT if request.messages is not None else TEXT
    return Ask(path=path, body={**body, **options}, ignored=tuple(ignored))


def _sampling(request: ChatRequest, *, strict: bool) -> Json:
    """What was asked for; what was left open stays open, so that the far side's own defaults hold."""
    sampling = request.sampling
    most = "max_completion_tokens" if strict and request.messages is not None else "max_tokens"
    said: dict[str, tuple[str, Any]] = {
        "temperature": ("temperature", sampling.temperature),
        "top_p": ("top_p", sampling.top_p),
        "max_tokens": (most, sampling.max_tokens),
        "presence_penalty": ("presence_penalty", sampling.presence_penalty or None),
        "frequency_penalty": ("frequency_penalty", sampling.frequency_penalty or None),
        "seed": ("seed", sampling.seed),
        "stop": ("stop", [*sampling.stop] or None),
        "logit_bias": ("logit_bias", {str(token): bias for token, bias in sampling.logit_bias.items()} or None),
    }
    if not strict:
        said |= {
            "top_k": ("top_k", sampling.top_k or None),
            "min_p": ("min_p", sampling.min_p or None),
            "repetition_penalty": ("repetition_penalty", _unless(sampling.repetition_penalty, 1.0)),
            "stop_token_ids": ("stop_token_ids", [*sampling.stop_token_ids] or None),
            "ignore_end": ("ignore_eos", sampling.ignore_end or None),
        }
    body = {
        name: value for field, (name, value) in said.items() if value is not None and field not in request.left_open
    }
    if request.choices > 1:
        body["n"] = request.choices
    if sampling.top_logprobs is not None:
        if request.messages is None:
            body["logprobs"] = sampling.top_logprobs
        else:
            body |= {"logprobs": True, "top_logprobs": sampling.top_logprobs}
    return body


def _unsaid(request: ChatRequest) -> list[str]:
    """What was asked for and OpenAI itself has no word for."""
    sampling = request.sampling
    set_ = {
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repetition_penalty": _unless(sampling.repetition_penalty, 1.0),
        "stop_token_ids": sampling.stop_token_ids,
        "ignore_end": sampling.ignore_end,
    }
    return [name for name in _EXTRA if set_[name] and name not in request.left_open]


def _unless(value: float, usual: float) -> float | None:
    return None if value == usual else value


def _message(message: Message, *, strict: bool) -> Json:
    said: Json = {"role": message.role, "content": _content(message)}
    if message.name and message.role != "tool":
        said["name"] = message.name
    if message.reasoning and not strict:
        said["reasoning_content"] = message.reasoning
    if message.tool_calls:
        said["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
        said["content"] = said["content"] or None
    if message.tool_call_id is not None:
        said["tool_call_id"] = message.tool_call_id
    return said


def _content(message: Message) -> str | list[Json]:
    if not message.images:
        return message.content
    parts: list[Json] = []
    for piece in pieces_of(message):
        if isinstance(piece, str):
            parts.append({"type": "text", "text": piece})
        else:
            data = picture_data(piece)
            address = picture_address(piece) if data is None else f"data:{data[0]};base64,{data[1]}"
            parts.append({"type": "image_url", "image_url": {"url": address}})
    return parts


def _tools(request: ChatRequest) -> Json:
    if not request.tools:
        return {}
    tools = [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": dict(tool.parameters),
                **({"strict": True} if tool.strict else {}),
            },
        }
        for tool in request.tools
    ]
    return {"tools": tools, **_choice(request.tool_choice)}


def _choice(choice: ToolChoice) -> Json:
    parallel = {} if choice.parallel else {"parallel_tool_calls": False}
    if choice.use is ToolUse.REQUIRED and choice.name is not None:
        return {"tool_choice": {"type": "function", "function": {"name": choice.name}}, **parallel}
    return {**({} if choice.use is ToolUse.AUTO else {"tool_choice": choice.use.value}), **parallel}


def _format(wanted: OutputFormat, *, strict: bool) -> Json:
    match wanted.kind:
        case FormatKind.TEXT:
            return {}
        case FormatKind.JSON_OBJECT:
            return {"response_format": {"type": "json_object"}}
        case FormatKind.JSON_SCHEMA:
            schema = dict(wanted.schema) if isinstance(wanted.schema, Mapping) else wanted.schema
            held = {"name": "answer", "schema": schema, "strict": True}
            return {"response_format": {"type": "json_schema", "json_schema": held}}
        case kind if strict:
            raise not_offered("response_format", f"OpenAI holds no answer to a {kind}.", "Send a JSON schema.")
        case FormatKind.CHOICE:
            return {"structured_outputs": {"choice": [*wanted.choices]}}
        case kind:
            return {"structured_outputs": {kind.value: wanted.pattern}}


def _effort(request: ChatRequest) -> Json:
    asked = request.template_options.get("reasoning_effort")
    if request.thinking.enabled is False:
        return {"reasoning_effort": "none"}
    return {} if not isinstance(asked, str) else {"reasoning_effort": asked}


def _template(request: ChatRequest) -> Json:
    options = dict(request.template_options)
    effort = options.pop("reasoning_effort", None)
    if request.thinking.enabled is not None:
        options.setdefault("enable_thinking", request.thinking.enabled)
    return {
        **({"reasoning_effort": effort} if effort is not None else {}),
        **({"chat_template_kwargs": options} if options else {}),
    }
