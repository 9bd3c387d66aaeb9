"""Messages of a chat request: what was said, thought, called and answered, as turns of a conversation."""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from paddock.dialects.openai_fields import Fields, ShortText, wrong
from paddock.dialects.openai_tools import ARGUMENTS_CHARACTERS_MAX, CALLS_MAX
from paddock.dialects.saying import Said, Saying, check_may_show
from paddock.vocabulary import Message, ToolCall

PARTS_MAX: Final = 1024
_PART_KINDS: Final = {"input_audio": "audio", "file": "files", "video_url": "videos"}


def _as_parts(value: Any) -> Any:
    return [{"type": "text", "text": value}] if isinstance(value, str) else value


def _as_image(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


class ImageFields(Fields):
    """Where a picture is."""

    url: str = Field(description="A data URI, or an http or https address.")
    detail: ShortText | None = Field(default=None, description="Taken; pictures are read as large as the model can.")


class Part(Fields):
    """A piece of a message's content."""

    type: Literal["text", "refusal", "image_url", "input_audio", "file", "video_url"]
    text: str | None = None
    refusal: str | None = None
    image_url: Annotated[
        ImageFields | None, BeforeValidator(_as_image, json_schema_input_type=str | ImageFields | None)
    ] = None


class CalledFunction(Fields):
    name: ShortText
    arguments: Annotated[str, Field(max_length=ARGUMENTS_CHARACTERS_MAX)] = "{}"


class CallFields(Fields):
    """A call that the assistant asked for."""

    id: ShortText
    type: Literal["function"] = "function"
    function: CalledFunction


class ChatMessage(Fields):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Annotated[
        list[Part] | None,
        Field(max_length=PARTS_MAX),
        BeforeValidator(_as_parts, json_schema_input_type=str | list[Part] | None),
    ] = None
    name: ShortText | None = None
    refusal: str | None = None
    reasoning_content: str | None = Field(default=None, description="What the assistant thought, as it was answered.")
    reasoning: str | None = Field(default=None, description="As `reasoning_content`.")
    tool_calls: Annotated[list[CallFields], Field(max_length=CALLS_MAX)] | None = None
    tool_call_id: ShortText | None = Field(default=None, description="With role `tool`: the call that this answers.")
    function_call: Any = None
    audio: Any = None


def messages_of(given: list[ChatMessage], *, model: str) -> tuple[Message, ...]:
    """Turns as templates take them: `developer` is OpenAI's newer word for `system`. Raises UsageError."""
    called: dict[str, str] = {}  # names of functions, by the ids of their calls
    return tuple(_message(message, f"messages[{number}]", model, called) for number, message in enumerate(given))


def _message(message: ChatMessage, where: str, model: str, called: dict[str, str]) -> Message:
    if message.role == "function":
        raise wrong(f"{where}.role", "Role `function` is not taken.", "Send `tools`, and results with role `tool`.")
    for name in ("function_call", "audio"):
        if getattr(message, name):
            raise wrong(f"{where}.{name}", f"`{name}` is not taken.", "Send text and `tool_calls`.")
    if message.role == "tool":
        return _result(message, where, model, called)
    if message.tool_call_id is not None:
        raise wrong(f"{where}.tool_call_id", "Only role `tool` answers a call.", "Leave `tool_call_id` out.")
    said = _said(message, where, model)
    return Message(
        role="system" if message.role == "developer" else message.role,
        content=said.content,
        images=said.images,
        name=message.name,
        reasoning=_thought(message, where),
        tool_calls=_calls(message, where, called),
    )


def _result(message: ChatMessage, where: str, model: str, called: dict[str, str]) -> Message:
    if message.tool_call_id is None:
        raise wrong(f"{where}.tool_call_id", f"`{where}.tool_call_id` is missing.", "Name the call that this answers.")
    if message.tool_calls:
        raise wrong(f"{where}.tool_calls", "Only the assistant calls tools.", "Leave `tool_calls` out.")
    name = called.get(message.tool_call_id)
    if name is None:
        raise wrong(
            f"{where}.tool_call_id",
            f"`{message.tool_call_id[:80]}` is no call of this conversation.",
            "Send the assistant's message with its `tool_calls` before it.",
        )
    said = _said(message, where, model)
    return Message(role="tool", content=said.content, images=said.images, name=name, tool_call_id=message.tool_call_id)


def _thought(message: ChatMessage, where: str) -> str:
    thought = message.reasoning_content or message.reasoning or ""
    if thought and message.role != "assistant":
        raise wrong(f"{where}.reasoning_content", "Only the assistant thinks aloud.", "Leave `reasoning_content` out.")
    return thought


def _calls(message: ChatMessage, where: str, called: dict[str, str]) -> tuple[ToolCall, ...]:
    if message.tool_calls and message.role != "assistant":
        raise wrong(f"{where}.tool_calls", "Only the assistant calls tools.", "Leave `tool_calls` out.")
    calls: list[ToolCall] = []
    for number, call in enumerate(message.tool_calls or ()):
        if call.id in called:
            raise wrong(
                f"{where}.tool_calls[{number}].id", f"Two calls have the id `{call.id[:80]}`.", "Give each its own."
            )
        called[call.id] = call.function.name
        calls.append(ToolCall(id=call.id, name=call.function.name, arguments=call.function.arguments))
    return tuple(calls)


def _said(message: ChatMessage, where: str, model: str) -> Said:
    """What `message` says and shows. Raises UsageError for whatever is neither text nor picture."""
    if message.content is None:
        if message.role == "assistant":
            return Said(message.refusal or "")
        raise wrong(f"{where}.content", f"`{where}.content` is missing.", "Send a text.")
    saying = Saying()
    for number, part in enumerate(message.content):
        at = f"{where}.content[{number}]"
        if part.type == "image_url":
            check_may_show(message.role, at)
            if part.image_url is None:
                raise wrong(f"{at}.image_url", f"`{at}.image_url` is missing.", "Send where the picture is.")
            saying.show(part.image_url.url)
        else:
            saying.say(_text(part, at, model))
    return saying.said()


def _text(part: Part, where: str, model: str) -> str:
    if part.type in _PART_KINDS:
        raise wrong(where, f"`{model[:80]}` reads no {_PART_KINDS[part.type]}.", "Send text and pictures.")
    text = part.text if part.type == "text" else part.refusal
    if text is None:
        raise wrong(f"{where}.{part.type}", f"`{where}.{part.type}` is missing.", "Send a text.")
    return text
