"""Anthropic's conversations as turns: content blocks become texts, thoughts, calls and results."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import BeforeValidator, Field

from paddock.dialects.anthropic_thoughts import thought_in
from paddock.dialects.openai_fields import Fields, wrong
from paddock.dialects.saying import Said, Saying, inline
from paddock.vocabulary import Message, ToolCall

MESSAGES_MAX: Final = 100_000
BLOCKS_MAX: Final = 4096
ID_CHARACTERS_MAX: Final = 256
_FAILED: Final = "Error: "  # in front of what a tool said when it failed
_BILLING: Final = "x-anthropic-billing-header:"


def as_blocks(value: Any) -> Any:
    """A text stands for one block of it."""
    return [{"type": "text", "text": value}] if isinstance(value, str) else value


class CacheControl(Fields):
    """Where a caller would like the cache to end. Prompts are cached whatever it says."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class SourceFields(Fields):
    """Where a picture is."""

    type: Annotated[str, Field(max_length=64)]
    media_type: Annotated[str, Field(max_length=128)] | None = None
    data: str | None = None
    url: str | None = None


class ResultBlock(Fields):
    """A piece of what a tool said or showed."""

    type: Annotated[str, Field(max_length=64)]
    text: str | None = None
    source: SourceFields | None = None
    cache_control: CacheControl | None = None


class TextPart(ResultBlock):
    """A piece of a system prompt."""

    citations: Any = None


class Block(TextPart):
    """A piece of a message; which fields it has depends on its type."""

    id: Annotated[str, Field(max_length=ID_CHARACTERS_MAX)] | None = None
    name: Annotated[str, Field(max_length=ID_CHARACTERS_MAX)] | None = None
    input: dict[str, Any] | None = None
    tool_use_id: Annotated[str, Field(max_length=ID_CHARACTERS_MAX)] | None = None
    content: Annotated[
        list[ResultBlock] | None,
        Field(max_length=BLOCKS_MAX),
        BeforeValidator(as_blocks, json_schema_input_type=str | list[ResultBlock] | None),
    ] = None
    is_error: bool | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None


class Turn(Fields):
    role: Literal["user", "assistant", "system"]
    content: Annotated[
        list[Block], Field(max_length=BLOCKS_MAX), BeforeValidator(as_blocks, json_schema_input_type=str | list[Block])
    ]


SystemField = Annotated[
    list[TextPart],
    Field(max_length=BLOCKS_MAX),
    BeforeValidator(as_blocks, json_schema_input_type=str | list[TextPart]),
]


def conversation(system: Sequence[TextPart], turns: Sequence[Turn], *, model: str) -> tuple[Message, ...]:
    """What was said, in order; turns of one side that follow each other are one. Raises UsageError."""
    reading = _Reading(model)
    if system:
        told = [_without_billing(reading.text(part, f"system[{number}]")) for number, part in enumerate(system)]
        if said := [text for text in told if text]:
            reading.messages.append(Message(role="system", content="\n".join(said)))
    for number, turn in enumerate(turns):
        reading.read(turn, f"messages[{number}]")
    reading.end()
    return tuple(reading.messages)


@dataclass(slots=True)
class _Reading:
    """A conversation so far."""

    model: str
    messages: list[Message] = field(default_factory=list[Message])
    asked: set[str] = field(default_factory=set[str])  # ids of all calls
    unanswered: dict[str, str] = field(default_factory=dict[str, str])  # of the last turn: id to where it stands

    def read(self, turn: Turn, where: str) -> None:
        match turn.role:
            case "assistant":
                self._check_answered()
                self._assistant(turn, where)
            case "user":
                self._user(turn, where)
            case "system":
                self._check_answered()
                texts = [self.text(block, f"{where}.content[{n}]") for n, block in enumerate(turn.content)]
                self.messages.append(Message(role="system", content="\n".join(texts)))

    def end(self) -> None:
        """Nothing follows."""
        if self.messages and self.messages[-1].role == "assistant":
            raise wrong(
                "messages",
                "The last message is the assistant's; answers cannot be begun for the model here.",
                "End with a message of the user.",
            )
        self._check_answered()

    def text(self, block: ResultBlock, where: str, *, cites: bool = False) -> str:
        """What a text block says. Raises UsageError for any other, and for citations where nobody `cites`."""
        if block.type == "image":
            raise wrong(where, "Only users and tools show pictures.", "Send them in a message of the user.")
        if block.type == "document":
            raise wrong(where, f"`{self.model[:80]}` reads no documents.", "Send text and pictures.")
        if block.type != "text":
            raise wrong(f"{where}.type", f"A block of type `{block.type}` is not taken here.", "Send text.")
        if block.text is None:
            raise _missing(where, "text")
        if isinstance(block, TextPart) and block.citations and not cites:
            raise wrong(f"{where}.citations", "Only the assistant's texts have citations.", "Leave `citations` out.")
        return block.text

    def _assistant(self, turn: Turn, where: str) -> None:
        texts: list[str] = []
        thoughts: list[str] = []
        calls: list[ToolCall] = []
        for number, block in enumerate(turn.content):
            at = f"{where}.content[{number}]"
            match block.type:
                case "thinking":
                    if block.thinking is None:
                        raise _missing(at, "thinking")
                    thoughts.append(block.thinking or thought_in(block.signature or ""))
                case "redacted_thinking":
                    if block.data is None:
                        raise _missing(at, "data")  # another service's secret: nobody here could read it to a model
                case "tool_use":
                    calls.append(self._call(block, at))
                case _:
                    texts.append(self.text(block, at, cites=True))
        said = Message(
            role="assistant",
            content="\n".join(texts),
            reasoning="\n".join(filter(None, thoughts)),
            tool_calls=(*calls,),
        )
        last = self.messages[-1] if self.messages else None
        if last is not None and last.role == "assistant":
            said = replace(
                said,
                content=_joined(last.content, said.content),
                reasoning=_joined(last.reasoning, said.reasoning),
                tool_calls=(*last.tool_calls, *said.tool_calls),
            )
            self.messages.pop()
        self.messages.append(said)

    def _call(self, block: Block, where: str) -> ToolCall:
        for name in ("id", "name", "input"):
            if getattr(block, name) is None:
                raise _missing(where, name)
        assert block.id is not None and block.name is not None, "just looked"  # noqa: PT018  (one thing: both are there)
        if block.id in self.asked:
            raise wrong(f"{where}.id", f"Two calls have the id `{block.id}`.", "Give each call an id of its own.")
        self.asked.add(block.id)
        self.unanswered[block.id] = where
        return ToolCall(id=block.id, name=block.name, arguments=msgspec.json.encode(block.input).decode())

    def _user(self, turn: Turn, where: str) -> None:
        saying = Saying()
        for number, block in enumerate(turn.content):
            at = f"{where}.content[{number}]"
            if block.type == "tool_result":
                self._say(saying)
                saying = Saying()
                self.messages.append(self._result(block, at))
            else:
                self._add(saying, block, at)
        if not turn.content:
            saying.say("")
        self._say(saying)

    def _add(self, saying: Saying, block: ResultBlock, where: str) -> None:
        if block.type == "image":
            saying.show(_source(block, where))
        else:
            saying.say(self.text(block, where))

    def _say(self, saying: Saying) -> None:
        """Of the user, who may have said something just before."""
        if saying.is_empty:
            return
        said = saying.said()
        if self.messages and self.messages[-1].role == "user":
            before = self.messages.pop()
            said = Said(before.content, before.images).then(said)
        self.messages.append(Message(role="user", content=said.content, images=said.images))

    def _result(self, block: Block, where: str) -> Message:
        if block.tool_use_id is None:
            raise _missing(where, "tool_use_id")
        if self.unanswered.pop(block.tool_use_id, None) is None:
            raise wrong(
                f"{where}.tool_use_id",
                f"No call of the turn before has the id `{block.tool_use_id}`.",
                "Send each result once, in the message that follows its `tool_use` block.",
            )
        saying = Saying(_FAILED if block.is_error else "")
        for number, part in enumerate(block.content or []):
            self._add(saying, part, f"{where}.content[{number}]")
        said = saying.said()
        return Message(role="tool", content=said.content, images=said.images, tool_call_id=block.tool_use_id)

    def _check_answered(self) -> None:
        for call, where in self.unanswered.items():
            raise wrong(
                where,
                f"The call `{call}` has no result.",
                "Send a `tool_result` block for each call, in the message that follows it.",
            )


def _source(block: ResultBlock, where: str) -> str:
    """Where the picture is. Raises UsageError for what is no place that pictures are taken from."""
    source = block.source
    if source is None:
        raise _missing(where, "source")
    match source.type:
        case "base64":
            if source.data is None:
                raise _missing(f"{where}.source", "data")
            return inline(source.data, source.media_type or "")
        case "url":
            if source.url is None:
                raise _missing(f"{where}.source", "url")
            return source.url
        case other:
            raise wrong(
                f"{where}.source.type",
                f"A picture from a source of type `{other}` is not taken.",
                "Send `base64` or `url`; no files are kept here.",
            )


def _without_billing(text: str) -> str:
    """`text` without the line that Claude Code writes to Anthropic's billing in front of its system prompt.

    It is a line of its own, at the very beginning of a block: `x-anthropic-billing-header: …`. It changes with every call, is
    not meant for the model, and in front of everything else it would make every prompt a new one to the cache.
    """
    while text.startswith(_BILLING):
        _, _, text = text.partition("\n")
    return text


def _joined(first: str, second: str) -> str:
    return f"{first}\n{second}" if first and second else first or second


def _missing(where: str, name: str) -> Exception:
    return wrong(f"{where}.{name}", f"`{where}.{name}` is missing.", "Every block of this type needs it.")
