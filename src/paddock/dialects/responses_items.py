"""Items of a response's input: from what clients send to what is kept and shown, and from there to turns of a conversation.

An item is a JSON object in OpenAI's own shape. Kept ones are the same as shown ones, so both ways lead through here once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from paddock.dialects.openai_fields import wrong
from paddock.dialects.responses_custom import arguments_of
from paddock.dialects.responses_fields import ItemFields, PartFields
from paddock.dialects.saying import Said, Saying
from paddock.vocabulary import Message, ToolCall

Item = Mapping[str, Any]
Value = TypeVar("Value")

_UNSEEN: Final = {"input_file": "files", "input_audio": "audio"}
_PICTURES: Final = ("input_image", "image_url", "computer_screenshot")
_TEXTS: Final = ("text", "input_text", "output_text", "summary_text", "reasoning_text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the items of one request are read."""

    key: str  # what their ids are made of, so that a kept item tells where it is
    model: str  # for messages about what it cannot read
    known: Mapping[str, Item]  # kept ones, by their ids


def item_id(kind: str, key: str, number: str) -> str:
    """`msg_<key>_<number>`: the id of an item of the response with that key."""
    return f"{kind}_{key}_{number}"


def key_in(item_id: str) -> str:
    """The key of the response that an item is of; anything at all for an id that is not ours."""
    parts = item_id.split("_")
    return parts[1] if len(parts) > 2 else ""


def items_of(given: Sequence[ItemFields], reading: Reading) -> tuple[Item, ...]:
    """The items as they are kept and shown. Raises UsageError that names the item."""
    return tuple(_item(fields, number, reading) for number, fields in enumerate(given))


def messages_of(items: Sequence[Item], *, instructions: str | None, first: int) -> tuple[Message, ...]:
    """The conversation. `first` is the number of the first item of this request: errors count from there."""
    turns = _Turns()
    if instructions:
        turns.say(Message(role="system", content=instructions))
    for number, item in enumerate(items):
        where = f"input[{max(number - first, 0)}]"
        match item["type"]:
            case "message" if item["role"] == "assistant":
                turns.assistant.texts.append(_said(item["content"]).content)
            case "message":
                role = "system" if item["role"] == "developer" else str(item["role"])
                said = _said(item["content"])
                turns.say(Message(role=role, content=said.content, images=said.images))
            case "reasoning":
                thought = item.get("content") or item.get("summary") or ()
                turns.assistant.thoughts.append(_said(thought).content)
            case "custom_tool_call":
                arguments = arguments_of(item["input"])
                turns.call(ToolCall(id=item["call_id"], name=item["name"], arguments=arguments), where)
            case "function_call":
                turns.call(ToolCall(id=item["call_id"], name=item["name"], arguments=item["arguments"]), where)
            case _:
                turns.answer(item["call_id"], _said(item["output"]), where)
    return turns.finished()


@dataclass(slots=True)
class _Assistant:
    """What the assistant said and did since somebody else spoke: one turn, however many items."""

    thoughts: list[str] = field(default_factory=list[str])
    texts: list[str] = field(default_factory=list[str])
    calls: list[ToolCall] = field(default_factory=list[ToolCall])


class _Turns:
    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._names: dict[str, str] = {}  # of the functions that were called, by call
        self.assistant = _Assistant()

    def say(self, message: Message) -> None:
        self._end_assistant()
        self._messages.append(message)

    def call(self, call: ToolCall, where: str) -> None:
        if call.id in self._names:
            raise wrong(f"{where}.call_id", f"Two calls have the id `{call.id}`.", "Give each an id of its own.")
        self._names[call.id] = call.name
        self.assistant.calls.append(call)

    def answer(self, call_id: str, output: Said, where: str) -> None:
        name = self._names.get(call_id)
        if name is None:
            raise wrong(
                f"{where}.call_id",
                f"`{call_id}` is no call of this conversation.",
                "Send the `function_call` before its output, or the `previous_response_id` that it is in.",
            )
        told = Message(role="tool", content=output.content, images=output.images, name=name, tool_call_id=call_id)
        self.say(told)

    def finished(self) -> tuple[Message, ...]:
        self._end_assistant()
        # Codex asks with nothing to see whether anybody answers; templates want somebody to have spoken.
        return tuple(self._messages) or (Message(role="user"),)

    def _end_assistant(self) -> None:
        said, self.assistant = self.assistant, _Assistant()
        if said.thoughts or said.texts or said.calls:
            self._messages.append(
                Message(
                    role="assistant",
                    content="\n".join(said.texts),
                    reasoning="\n".join(said.thoughts),
                    tool_calls=tuple(said.calls),
                )
            )


def _item(fields: ItemFields, number: int, reading: Reading) -> Item:
    where = f"input[{number}]"

    def named(kind: str) -> str:
        return fields.id or item_id(kind, reading.key, f"i{number}")

    match fields.type:
        case "message":
            return _message(fields, where, named("msg"), reading)
        case "function_call":
            return {
                "id": named("fc"),
                "type": "function_call",
                "call_id": _needed(fields.call_id, f"{where}.call_id"),
                "name": _needed(fields.name, f"{where}.name"),
                "arguments": fields.arguments or "{}",
                "status": "completed",
            }
        case "custom_tool_call":
            return {
                "id": named("ctc"),
                "type": "custom_tool_call",
                "call_id": _needed(fields.call_id, f"{where}.call_id"),
                "name": _needed(fields.name, f"{where}.name"),
                "input": _needed(fields.input, f"{where}.input"),
                "status": "completed",
            }
        case "function_call_output" | "custom_tool_call_output":
            return {
                "id": named("fco" if fields.type == "function_call_output" else "ctco"),
                "type": fields.type,
                "call_id": _needed(fields.call_id, f"{where}.call_id"),
                "output": _output(_needed(fields.output, f"{where}.output"), f"{where}.output", reading),
                "status": "completed",
            }
        case "reasoning":
            thought = _parts(fields.content or (), f"{where}.content", reading, kind="reasoning_text", sees=False)
            summary = _parts(fields.summary or (), f"{where}.summary", reading, kind="summary_text", sees=False)
            return {
                "id": named("rs"),
                "type": "reasoning",
                "summary": summary,
                "content": thought,
            }
        case "item_reference":
            found = reading.known.get(_needed(fields.id, f"{where}.id"))
            if found is None:
                raise wrong(f"{where}.id", f"No item `{fields.id}` is kept here.", "Send the item itself.")
            return found
        case other:
            raise wrong(
                f"{where}.type",
                f"Items of type `{other[:80]}` are not taken.",
                "Send messages, calls of functions and custom tools and their outputs, and reasoning.",
            )


def _message(fields: ItemFields, where: str, own_id: str, reading: Reading) -> Item:
    role = _needed(fields.role, f"{where}.role")
    kind = "output_text" if role == "assistant" else "input_text"
    content = _needed(fields.content, f"{where}.content")
    said = _parts(content, f"{where}.content", reading, kind=kind, sees=role == "user")
    for part in said if role == "assistant" else ():
        part["annotations"] = []
    item = {"id": own_id, "type": "message", "role": role, "content": said, "status": "completed"}
    return item if fields.phase is None else {**item, "phase": fields.phase}


def _output(parts: Sequence[PartFields], where: str, reading: Reading) -> str | list[dict[str, Any]]:
    """What a function said: a text, unless it showed pictures."""
    said = _parts(parts, where, reading, kind="input_text", sees=True)
    return said if any(part["type"] == "input_image" for part in said) else _said(said).content


def _parts(parts: Sequence[PartFields], where: str, reading: Reading, *, kind: str, sees: bool) -> list[dict[str, Any]]:
    """`parts` as they are kept, texts as parts of `kind`. Raises UsageError for what is neither text nor a picture."""
    return [_part(part, f"{where}[{number}]", reading, kind, sees=sees) for number, part in enumerate(parts)]


def _part(part: PartFields, where: str, reading: Reading, kind: str, *, sees: bool) -> dict[str, Any]:
    if part.type in _PICTURES:
        return _picture(part, where, sees=sees)
    if part.type in _UNSEEN:
        raise wrong(where, f"`{reading.model[:80]}` reads no {_UNSEEN[part.type]}.", "Send text and pictures.")
    if part.type not in (*_TEXTS, "refusal"):
        raise wrong(f"{where}.type", f"Parts of type `{part.type[:80]}` are not taken.", "Send text.")
    text = part.refusal if part.type == "refusal" else part.text
    return {"type": kind, "text": _needed(text, f"{where}.text")}


def _picture(part: PartFields, where: str, *, sees: bool) -> dict[str, Any]:
    if not sees:
        raise wrong(where, "Only users and functions show pictures.", "Send them in a message of the user.")
    if part.file_id is not None:
        raise wrong(f"{where}.file_id", "No files are kept here.", "Send the picture in `image_url`, as a data URI.")
    url = _needed(part.image_url, f"{where}.image_url")
    return {"type": "input_image", "image_url": url, "detail": part.detail or "auto"}


def _said(content: object) -> Said:
    """What a kept item says and shows."""
    if isinstance(content, str):
        return Said(content)
    saying = Saying()
    for part in cast("Sequence[Mapping[str, object]]", content):
        if part.get("type") == "input_image":
            saying.show(str(part["image_url"]))
        else:
            saying.say(str(part.get("text", "")))
    return saying.said()


def _needed(value: Value | None, where: str) -> Value:
    if value is None:
        raise wrong(where, f"`{where}` is missing.", "This item needs it.")
    return value
