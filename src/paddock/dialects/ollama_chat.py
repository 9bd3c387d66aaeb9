"""`/api/chat`, from bytes to a request."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import Field, model_validator

from paddock.dialects.ollama_fields import (
    Asked,
    CommonFields,
    as_object,
    format_of,
    ignored_options,
    is_nothing,
    keep_alive_of,
    pictures_of,
    sampling_of,
    thinking_of,
)
from paddock.dialects.openai_fields import Fields, ShortText, parse, read_object, unknown_names, wrong
from paddock.dialects.saying import check_may_show
from paddock.vocabulary import ChatRequest, Message, Tool, ToolCall

MESSAGES_MAX: Final = 10_000
TOOLS_MAX: Final = 512
CALLS_MAX: Final = 512


class Members(Fields):
    """An object within a request. Ollama's own clients send `null` for what nobody set."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        members = as_object(value)
        return value if members is None else {name: each for name, each in members.items() if each is not None}


class CalledFunction(Members):
    name: Annotated[str, Field(min_length=1, max_length=256)]
    arguments: Any = Field(default_factory=dict[str, Any], description="An object.")


class CalledTool(Members):
    id: ShortText = ""
    function: CalledFunction


class ChatMessage(Members):
    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    thinking: str = ""
    images: list[str] = Field(default_factory=list[str], description="Pictures, in base64.")
    tool_calls: Annotated[list[CalledTool], Field(max_length=CALLS_MAX)] = Field(default_factory=list[CalledTool])
    tool_name: ShortText = Field(default="", description="With role `tool`: which function this is the result of.")
    tool_call_id: ShortText = Field(default="", description="With role `tool`: which call this is the result of.")


class FunctionFields(Members):
    name: Annotated[str, Field(min_length=1, max_length=256)]
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict[str, Any])


class ToolFields(Members):
    type: Literal["function"] = "function"
    function: FunctionFields


class ChatFields(CommonFields):
    """The body of a chat request."""

    messages: Annotated[list[ChatMessage], Field(max_length=MESSAGES_MAX)] = Field(
        default_factory=list[ChatMessage], description="None: the model is loaded, or with `keep_alive` 0 unloaded."
    )
    tools: Annotated[list[ToolFields], Field(max_length=TOOLS_MAX)] = Field(default_factory=list[ToolFields])


def parse_chat(body: bytes, *, request_id: str, tenant: str) -> Asked:
    """What `body` asks for. Raises UsageError that names the field, the rule and the remedy."""
    given = read_object(body)
    fields = parse(ChatFields, given)
    sampling, left_open = sampling_of(fields)
    thinking, template_options = thinking_of(fields)
    keep_alive = keep_alive_of(fields.keep_alive)
    request = ChatRequest(
        id=request_id,
        model=fields.model,
        sampling=sampling,
        left_open=left_open,
        messages=_messages(fields.messages),
        tenant=tenant,
        tools=_tools(fields.tools),
        format=format_of(fields),
        thinking=thinking,
        template_options=template_options,
        keep_alive=keep_alive,
    )
    return Asked(
        request=request,
        model=fields.model,
        stream=fields.stream,
        logprobs=fields.logprobs,
        thinks=bool(fields.think),
        empty=not fields.messages,
        leaves=is_nothing(keep_alive),
        ignored=ignored_options(fields, unknown_names(ChatFields, given)),
    )


def _tools(given: Sequence[ToolFields]) -> tuple[Tool, ...]:
    names = [tool.function.name for tool in given]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise wrong("tools", f"Two tools are called `{twice}`.", "Give each a name of its own.")
    return tuple(
        Tool(
            name=tool.function.name,
            description=tool.function.description,
            parameters=tool.function.parameters or {"type": "object", "properties": {}},
        )
        for tool in given
    )


def _messages(given: Sequence[ChatMessage]) -> tuple[Message, ...]:
    """Turns as templates take them. Calls get ids where they have none, and results find their calls."""
    turns: list[Message] = []
    waiting: list[ToolCall] = []  # calls without a result
    for number, message in enumerate(given):
        where = f"messages[{number}]"
        if message.images:
            check_may_show(message.role, f"{where}.images")
        if message.role == "tool":
            turns.append(_result(message, where, waiting))
            continue
        calls = tuple(
            _call(call, f"{where}.tool_calls[{at}]", f"call_{number}_{at}")
            for at, call in enumerate(message.tool_calls)
        )
        if calls and message.role != "assistant":
            raise wrong(f"{where}.tool_calls", "Only the assistant calls tools.", "Leave `tool_calls` out.")
        waiting.extend(calls)
        turns.append(
            Message(
                role=message.role,
                content=message.content,
                images=pictures_of(message.images),
                reasoning=message.thinking,
                tool_calls=calls,
            )
        )
    return tuple(turns)


def _call(call: CalledTool, where: str, made: str) -> ToolCall:
    arguments = as_object(call.function.arguments)
    if arguments is None:
        raise wrong(
            f"{where}.function.arguments",
            f"`{where}.function.arguments` is no object.",
            'Send one, such as `{"city": "Rome"}`.',
        )
    text = msgspec.json.encode(arguments).decode()
    return ToolCall(id=call.id or made, name=call.function.name, arguments=text)


def _result(message: ChatMessage, where: str, waiting: list[ToolCall]) -> Message:
    """Ollama's clients name the function, or nothing at all: results are then in the order of the calls."""
    answered = next(
        (
            call
            for call in waiting
            if (message.tool_call_id in ("", call.id)) and (message.tool_name in ("", call.name))
        ),
        None,
    )
    if answered is None:
        named = message.tool_call_id or message.tool_name
        raise wrong(
            where,
            f"`{where}` is the result of a call that was not made{f': `{named}`' if named else ''}.",
            "Send the assistant's message with its `tool_calls` before it.",
        )
    waiting.remove(answered)
    return Message(
        role="tool",
        content=message.content,
        images=pictures_of(message.images),
        name=answered.name,
        tool_call_id=answered.id,
    )
