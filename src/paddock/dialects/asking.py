"""What the dialects share when they are spoken to somebody else: a request on its way out, and its answer as it comes in."""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from paddock.errors import NotOffered
from paddock.vocabulary import GenerateEvent, Message, Picture

Json = dict[str, Any]
OWN_FIELDS: Final = ("model", "messages", "prompt", "input", "stream", "stream_options", "system", "tools")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request as it goes out."""

    path: str
    body: Mapping[str, Any]
    ignored: tuple[str, ...] = ()  # what was asked and cannot be said in this dialect; the answer does without


class Reading(Protocol):
    """One answer, read event by event."""

    def read(self, name: str, data: bytes) -> Iterator[tuple[int, GenerateEvent]]:
        """What an event says, with the choice that it is about. Raises FarFailure when it tells of one, Garbled."""
        ...

    def end(self) -> Iterator[tuple[int, GenerateEvent]]:
        """The last event of each choice. Raises Garbled when the answer was not whole."""
        ...


class FarFailure(Exception):
    """The far side says, within its answer, that it failed."""

    def __init__(self, message: str, *, code: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status


class Garbled(ValueError):
    """What came is no answer in this dialect, or only a part of one."""


@dataclass(slots=True)
class Calls:
    """Calls of one choice as they come: the first piece of each has its id and name, others only arguments."""

    prefix: str  # of ids, where the far side gives none
    begun: dict[int, bool] = field(default_factory=dict[int, bool])  # index to whether arguments have come

    def first(self, index: int, given: str | None) -> str:
        """The id for a first piece; empty when the call has begun already."""
        if index in self.begun:
            return ""
        self.begun[index] = False
        return given or f"call_{self.prefix}_{index}"


def not_offered(param: str, message: str, hint: str) -> NotOffered:
    return NotOffered(message, hint=hint, param=param)


def pieces_of(message: Message) -> Sequence[str | Picture]:
    """Text and pictures of a message, in the order in which they were given."""
    pieces: list[str | Picture] = []
    begin = 0
    for picture in message.images:
        if text := message.content[begin : picture.at]:
            pieces.append(text)
        pieces.append(picture)
        begin = picture.at
    if text := message.content[begin:]:
        pieces.append(text)
    return pieces


def picture_data(picture: Picture) -> tuple[str, str] | None:
    """The media type and the base64 of a picture that came with its bytes; None for one that is an address."""
    if not picture.source.startswith("data:"):
        return None
    head, _, data = picture.source.removeprefix("data:").partition(",")
    media, _, encoding = head.partition(";")
    if encoding != "base64":
        raise not_offered("messages", "A picture is not in base64.", "Send `data:image/png;base64,…`.")
    try:
        base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise not_offered("messages", "A picture's base64 is broken.", "Encode it again.") from error
    return media or "image/png", data


def picture_address(picture: Picture) -> str:
    """Where a picture is that the far side may fetch. Raises NotOffered for what lies on this machine."""
    if picture.source.startswith(("https://", "http://")):
        return picture.source
    raise not_offered(
        "messages", "A picture on this machine is not sent away by its path.", "Send it as `data:image/png;base64,…`."
    )
