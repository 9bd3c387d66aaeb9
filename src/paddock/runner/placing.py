"""Where pictures stand in the text of a conversation, while a template makes one text of it.

A character that nobody wrote stands for each picture. It goes through templates and guards like any other, and says
afterwards where the text is to be parted.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from paddock.errors import PromptTooLong, UsageError
from paddock.runner.prompts import Look
from paddock.vocabulary import Message, Picture

# Unicode promises that these are never characters. control_tokens.py uses others.
PLACES: Final = tuple(chr(plane * 0x10000 + 0xFFFE + last) for plane in range(1, 17) for last in (0, 1))


def placed(message: Message, place: str) -> Message:
    """`message` with `place` in its text for each picture."""
    pieces: list[str] = []
    done = 0
    for picture in message.images:
        pieces.append(message.content[done : picture.at])
        done = picture.at
    return replace(message, content=place.join((*pieces, message.content[done:])), images=())


def looks(pictures: Sequence[Picture], counts: Sequence[int], places: Sequence[int]) -> Iterator[Look]:
    """Each picture with its places: the first has the first `counts[0]` of `places`, and so on."""
    begin = 0
    for picture, count in zip(pictures, counts, strict=True):
        yield Look(picture, tuple(places[begin : begin + count]))
        begin += count


def unused(texts: Iterable[str]) -> str:
    """A character that is in none of `texts`."""
    left = list(PLACES)
    for text in texts:
        left = [place for place in left if place not in text]
    if not left:
        raise UsageError("The messages use all of the code points that Unicode keeps free.", hint="Send text.")
    return left[0]


def no_place(name: str, pictures: int, places: int) -> UsageError:
    """The template of `name` left some of them out, or showed one twice."""
    return UsageError(
        f"The conversation has {_count(pictures, 'picture')}; the chat template of `{name}` has a place for {places} of "
        "them.",
        hint="Put pictures into messages of the user.",
    )


def too_long(tokens: int, places: int, pictures: int, context_window: int) -> PromptTooLong:
    """A prompt that leaves no room for an answer."""
    return PromptTooLong(
        f"The prompt has {tokens} tokens, {places} of them for {_count(pictures, 'picture')}; the context holds "
        f"{context_window}, answer included.",
        hint="Send fewer or smaller pictures, or load a model with a larger context window.",
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"
