"""What is kept of one message, and what a model is told of a conversation when it goes on. Plain values and pure functions.

A message is a list of parts, so that an answer with a thought, two tool calls and a text is kept as it came. Which fields
each kind of part has is a rule (`_FIELDS`), held when a message is written.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from paddock.errors import UsageError
from paddock.vocabulary import FinishReason, Message, Picture, ToolCall, Usage

PARTS_MAX: Final = 1000  # of one message
_ADDRESS: Final = "text/uri-list"  # the media type of a picture that is kept as its address


class Role(StrEnum):
    SYSTEM = "system"  # what the model is told before anything else
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"  # what a tool that the assistant called gave


class PartKind(StrEnum):
    TEXT = "text"
    REASONING = "reasoning"  # the thought before an answer
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    IMAGE = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePart:
    """One part of a message. Which fields it has depends on its kind; the others are None."""

    kind: PartKind
    text: str | None = None  # of TEXT and REASONING; of TOOL_RESULT what the tool gave
    call: ToolCall | None = None  # of TOOL_CALL
    call_id: str | None = None  # of TOOL_RESULT: the call that it answers
    media_type: str | None = None  # of IMAGE: `image/png`
    data: str | None = None  # of IMAGE: its bytes in base64, or with `text/uri-list` its address


_FIELDS: Final[Mapping[PartKind, frozenset[str]]] = {
    PartKind.TEXT: frozenset({"text"}),
    PartKind.REASONING: frozenset({"text"}),
    PartKind.TOOL_CALL: frozenset({"call"}),
    PartKind.TOOL_RESULT: frozenset({"text", "call_id"}),
    PartKind.IMAGE: frozenset({"media_type", "data"}),
}
_PART_FIELDS: Final = frozenset[str]().union(*_FIELDS.values())
_KINDS: Final[Mapping[Role, frozenset[PartKind]]] = {
    Role.SYSTEM: frozenset({PartKind.TEXT}),
    Role.USER: frozenset({PartKind.TEXT, PartKind.IMAGE}),
    Role.ASSISTANT: frozenset({PartKind.TEXT, PartKind.REASONING, PartKind.TOOL_CALL, PartKind.IMAGE}),
    Role.TOOL: frozenset({PartKind.TOOL_RESULT}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long an answer took, from when it was asked for."""

    first_token_seconds: float | None = None  # None when it was cut before
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A message as it is handed in. Only answers have a model, an end, usage and timing."""

    role: Role
    parts: tuple[MessagePart, ...]
    model: str | None = None  # who answered
    finish_reason: FinishReason | None = None  # CANCELLED: cut by the person; ERROR: it failed on the way
    usage: Usage | None = None
    timing: Timing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedMessage(NewMessage):
    """A message as it is kept."""

    position: int  # in its conversation, from 0
    created_at: datetime


def text_message(role: Role, text: str) -> NewMessage:
    """A message of one text."""
    return NewMessage(role=role, parts=(MessagePart(kind=PartKind.TEXT, text=text),))


def question_message(question: Message) -> NewMessage:
    """A question of the user, with its pictures where they stand. One at an address is kept as its address."""
    parts: list[MessagePart] = []
    done = 0
    for picture in question.images:
        if picture.at > done:
            parts.append(MessagePart(kind=PartKind.TEXT, text=question.content[done : picture.at]))
            done = picture.at
        head, _, data = picture.source.partition(";base64,")
        media_type = head.removeprefix("data:") if data else _ADDRESS
        parts.append(MessagePart(kind=PartKind.IMAGE, media_type=media_type, data=data or picture.source))
    if question.content[done:] or not parts:
        parts.append(MessagePart(kind=PartKind.TEXT, text=question.content[done:]))
    return NewMessage(role=Role.USER, parts=tuple(parts))


def answer_message(
    text: str,
    *,
    reasoning: str = "",
    model: str,
    finish_reason: FinishReason,
    usage: Usage | None = None,
    timing: Timing | None = None,
) -> NewMessage:
    """An answer, whole or as far as it came."""
    thought = (MessagePart(kind=PartKind.REASONING, text=reasoning),) if reasoning else ()
    said = (MessagePart(kind=PartKind.TEXT, text=text),) if text else ()
    return NewMessage(
        role=Role.ASSISTANT,
        parts=(*thought, *said),
        model=model,
        finish_reason=finish_reason,
        usage=usage,
        timing=timing,
    )


def text_of(message: NewMessage) -> str:
    """What people read of it."""
    return _joined(message, PartKind.TEXT, PartKind.TOOL_RESULT)


def check_message(message: NewMessage) -> None:
    """Raises UsageError for parts that are not as their kind wants them, or that this role does not say."""
    if len(message.parts) > PARTS_MAX:
        raise UsageError(
            f"A message has at most {PARTS_MAX} parts.", hint="Make several messages of it.", param="parts"
        )
    if message.role is Role.TOOL and len(message.parts) != 1:
        raise UsageError("A message of `tool` has one result.", hint="Make a message of each result.", param="parts")
    for part in message.parts:
        if part.kind not in _KINDS[message.role]:
            raise UsageError(
                f"A message of `{message.role}` has no part `{part.kind}`.",
                hint=f"It may have: {', '.join(sorted(_KINDS[message.role]))}.",
                param="parts",
            )
        given = frozenset(name for name in _PART_FIELDS if getattr(part, name) is not None)
        if given != _FIELDS[part.kind]:
            raise UsageError(
                f"A part `{part.kind}` has exactly these fields: {', '.join(sorted(_FIELDS[part.kind]))}.",
                hint=f"Given were: {', '.join(sorted(given)) or 'none'}.",
                param="parts",
            )


def answered(messages: Sequence[SavedMessage]) -> tuple[Message, ...]:
    """The conversation as a model is told it: what it was told before, and every turn that got an answer, cut ones too.

    A question that a crash left without an answer, and one whose answer failed, are left out: many models' templates want
    question and answer to alternate, and in the running conversation such a turn left no trace either. A system prompt that
    was given later holds from then on: it is told first, as those templates want it, instead of the earlier ones.
    """
    begun = next((index for index, one in enumerate(messages) if one.role is not Role.SYSTEM), len(messages))
    later = [one for one in messages[begun:] if one.role is Role.SYSTEM]
    opening = later[-1:] or messages[:begun]
    spoken = [one for one in messages[begun:] if one.role is not Role.SYSTEM]
    return tuple(_told(message) for turn in (opening, *_turns(spoken)) if _counts(turn) for message in turn)


def _turns(messages: Iterable[SavedMessage]) -> Iterator[Sequence[SavedMessage]]:
    """Each question with all that answers it. What comes before the first question is the first."""
    turn: list[SavedMessage] = []
    for message in messages:
        if message.role is Role.USER:
            yield turn
            turn = []
        turn.append(message)
    yield turn


def _counts(turn: Sequence[SavedMessage]) -> bool:
    if not turn or turn[0].role is not Role.USER:
        return True
    last = turn[-1]
    return last.role is Role.ASSISTANT and last.finish_reason is not FinishReason.ERROR


def _told(message: SavedMessage) -> Message:
    calls = tuple(part.call for part in message.parts if part.call is not None)
    answers = [part.call_id for part in message.parts if part.call_id is not None]
    return Message(
        role=message.role.value,
        content=text_of(message),
        images=_images(message),
        reasoning=_joined(message, PartKind.REASONING),
        tool_calls=calls,
        tool_call_id=answers[0] if answers else None,
    )


def _images(message: SavedMessage) -> tuple[Picture, ...]:
    """Its pictures, where they stand in its text. Only a user's are shown to a model again."""
    images: list[Picture] = []
    at = 0
    for part in message.parts if message.role is Role.USER else ():
        at += len(part.text or "")
        if part.kind is PartKind.IMAGE:
            inline = f"data:{part.media_type};base64,{part.data}"
            images.append(Picture(at=at, source=part.data or "" if part.media_type == _ADDRESS else inline))
    return tuple(images)


def _joined(message: NewMessage, *kinds: PartKind) -> str:
    return "".join(part.text for part in message.parts if part.kind in kinds and part.text is not None)
