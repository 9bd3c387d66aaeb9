"""`context` of `/api/generate`: what was said so far, as the list of numbers that clients hand back unread.

Ollama's numbers are tokens, of one model only, in which nobody can tell who said what. Here they are the conversation
itself, three bytes of its JSON a number, so that the next prompt is written by the model's own template. Nobody but the
caller keeps it, and it says nothing that the caller could not have sent as messages.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from paddock.dialects.openai_fields import wrong
from paddock.vocabulary import Message

NUMBERS_MAX: Final = 4_000_000
_MARK: Final = 0x506164  # the first number: what Ollama made does not begin so
_BYTES: Final = 3
_Turns = list[tuple[str, str]]
_decode: Final = msgspec.json.Decoder(_Turns).decode
_ROLES: Final = frozenset({"system", "user", "assistant"})


def write_context(messages: Sequence[Message]) -> list[int]:
    """The conversation as numbers."""
    text = msgspec.json.encode([(message.role, message.content) for message in messages])
    text += b" " * (-len(text) % _BYTES)
    return [_MARK, *(int.from_bytes(text[at : at + _BYTES], "big") for at in range(0, len(text), _BYTES))]


def read_context(numbers: Sequence[int]) -> tuple[Message, ...]:
    """What `write_context` was given. Raises UsageError for numbers from elsewhere."""
    if not numbers:
        return ()
    if len(numbers) > NUMBERS_MAX or numbers[0] != _MARK:
        raise _foreign()
    try:
        text = b"".join(number.to_bytes(_BYTES, "big") for number in numbers[1:])
        turns = _decode(text)
    except (OverflowError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _foreign() from error
    if any(role not in _ROLES for role, _ in turns):
        raise _foreign()
    return tuple(Message(role=role, content=content) for role, content in turns)


def _foreign() -> Exception:
    return wrong(
        "context",
        "`context` was not made by this server.",
        "Send back what its last answer brought, or leave it out; another server's tokens mean nothing here.",
    )
