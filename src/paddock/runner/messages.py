"""What server and runner say to each other.

    server → runner   Hello  Load  Keep  Pixels  Submit  Cancel  StatsQuery  Count  Warm  Embed  Rerank  Shutdown
    runner → server   Hello  Loaded | LoadFailed  Step  Heartbeat  StatsReply  Counted  EmbedReply  RerankReply
                      Done | Refused  Notice  Failed

A frame is four bytes of length (big-endian) and one msgpack map with a `type`. Both sides say Hello first; a side that reads
another version, an unknown type, or a frame that is too long or malformed ends the connection with a ProtocolError.
"""

from typing import Final, TypeVar

import msgspec

from paddock.errors import PaddockError, ProtocolError, UsageError
from paddock.runner.executor import LoadedModel, Memory
from paddock.runner.opening import LoadOptions
from paddock.vocabulary import Embedded, EmbedRequest, GenerateEvent, GenerateRequest, Reranked, RerankRequest

PROTOCOL_VERSION: Final = 5
FRAME_BYTES_MAX: Final = 32 * 1024 * 1024  # a million tokens of prompt as text, and room to spare
HEADER_BYTES: Final = 4


class Hello(msgspec.Struct, frozen=True, tag=True):
    """The first message of both sides."""

    version: int
    pid: int


class Load(msgspec.Struct, frozen=True, tag=True):
    """The second message of the server, once only."""

    options: LoadOptions
    heartbeat_s: float  # how often the runner shows that it lives


class Keep(msgspec.Struct, frozen=True, tag=True):
    """Pictures that are still needed, by digest; those that are missing follow, and then the request that shows them."""

    digests: tuple[str, ...]


class Pixels(msgspec.Struct, frozen=True, tag=True):
    """One picture: `height` rows of `width` pixels, three bytes each. Requests name it by its digest."""

    digest: str
    width: int
    height: int
    data: bytes


class Submit(msgspec.Struct, frozen=True, tag=True):
    """Answer this. Everything that becomes of it comes in Steps under the request's id."""

    request: GenerateRequest


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Stop answering. Unknown ids are fine: the last piece may be on its way already."""

    id: str


class StatsQuery(msgspec.Struct, frozen=True, tag=True):
    call: int  # comes back with the reply


class Count(msgspec.Struct, frozen=True, tag=True):
    """How many tokens its prompt has; it is not answered."""

    call: int
    request: GenerateRequest


class Warm(msgspec.Struct, frozen=True, tag=True):
    call: int
    prefill_tokens: int
    tokens: int


class Embed(msgspec.Struct, frozen=True, tag=True):
    """The vectors of its inputs; refused by runners of models that have none. Cancel with the request's id ends it."""

    call: int
    request: EmbedRequest


class Rerank(msgspec.Struct, frozen=True, tag=True):
    """The scores of its documents; refused by runners of models that are no rerankers. Cancel as for Embed."""

    call: int
    request: RerankRequest


class Shutdown(msgspec.Struct, frozen=True, tag=True):
    """Let go of everything and exit with 0."""


class Loaded(msgspec.Struct, frozen=True, tag=True):
    model: LoadedModel


class LoadFailed(msgspec.Struct, frozen=True, tag=True):
    """The runner exits after it. `code` is a PaddockError's."""

    code: str
    message: str
    hint: str


class Step(msgspec.Struct, frozen=True, tag=True):
    """What one step brought, for every sequence that it brought something."""

    events: tuple[GenerateEvent, ...]


class Numbers(msgspec.Struct, frozen=True):
    """A look at the runner, as it was between two steps."""

    waiting: int = 0
    running: int = 0
    steps: int = 0
    tokens: int = 0
    prefix_hit_tokens: int = 0
    blocks_used: int = 0
    blocks_total: int = 0
    memory: Memory | None = None


class Heartbeat(msgspec.Struct, frozen=True, tag=True):
    """The process lives. `busy_s` is how long the device has been at one piece of work: a hung one beats on."""

    busy_s: float
    numbers: Numbers


class StatsReply(msgspec.Struct, frozen=True, tag=True):
    call: int
    numbers: Numbers


class Counted(msgspec.Struct, frozen=True, tag=True):
    call: int
    tokens: int


class EmbedReply(msgspec.Struct, frozen=True, tag=True):
    call: int
    embedded: Embedded


class RerankReply(msgspec.Struct, frozen=True, tag=True):
    call: int
    reranked: Reranked


class Done(msgspec.Struct, frozen=True, tag=True):
    call: int


class Refused(msgspec.Struct, frozen=True, tag=True):
    """A call failed; the runner goes on."""

    call: int
    code: str
    message: str
    hint: str
    param: str | None = None  # the field of the request that is wrong


def refused(call: int, error: PaddockError) -> Refused:
    """The reply that brings `error` to whoever made the call."""
    param = error.param if isinstance(error, UsageError) else None
    return Refused(call, error.code, error.message, error.hint, param)


class Notice(msgspec.Struct, frozen=True, tag=True):
    """A line for the server's log, about these requests. The runner goes on."""

    event: str
    requests: tuple[str, ...]
    fields: dict[str, str | int]


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The runner cannot go on and exits. Whatever it was asked for is lost."""

    code: str
    message: str
    hint: str


ToRunner = Hello | Load | Keep | Pixels | Submit | Cancel | StatsQuery | Count | Warm | Embed | Rerank | Shutdown
ToServer = (
    Hello
    | Loaded
    | LoadFailed
    | Step
    | Heartbeat
    | StatsReply
    | Counted
    | EmbedReply
    | RerankReply
    | Done
    | Refused
    | Notice
    | Failed
)
Message = TypeVar("Message", bound=msgspec.Struct)

TO_RUNNER: Final = msgspec.msgpack.Decoder[ToRunner](ToRunner)
TO_SERVER: Final = msgspec.msgpack.Decoder[ToServer](ToServer)
_ENCODER: Final = msgspec.msgpack.Encoder()


def encode(message: ToRunner | ToServer) -> bytearray:
    """One frame. Raises UsageError for values that have no form on the wire, and for more than a frame may hold."""
    frame = bytearray(HEADER_BYTES)
    try:
        _ENCODER.encode_into(message, frame, HEADER_BYTES)
    except (TypeError, ValueError, OverflowError, NotImplementedError, RecursionError) as error:
        raise UsageError(
            f"A part of the request cannot be sent to the runner: {error}.",
            hint="Send only texts, numbers that fit 64 bits, lists and maps.",
        ) from error
    length = len(frame) - HEADER_BYTES
    if length > FRAME_BYTES_MAX:
        raise UsageError(
            f"A message of {length} bytes is longer than the {FRAME_BYTES_MAX} that runners take.",
            hint="Send a shorter prompt.",
        )
    frame[:HEADER_BYTES] = length.to_bytes(HEADER_BYTES, "big")
    return frame


def body_length(header: bytes) -> int:
    """How many bytes follow. Raises ProtocolError rather than to promise memory to whoever asks for it."""
    length = int.from_bytes(header, "big")
    if length > FRAME_BYTES_MAX:
        raise ProtocolError(
            f"A frame announces {length} bytes; {FRAME_BYTES_MAX} is the most.",
            hint="Something other than Paddock wrote to a runner's connection; start the model again.",
        )
    return length


def decode(decoder: msgspec.msgpack.Decoder[Message], body: bytes) -> Message:
    """The message in `body`. Raises ProtocolError for bytes that are no message of this direction."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(
            f"A frame that is no message: {error}.",
            hint="Server and runner are of different versions; restart Paddock.",
        ) from error


def check_hello(message: object) -> Hello:
    """`message`, which must be a Hello of our version."""
    if not isinstance(message, Hello):
        raise ProtocolError(
            f"The first message was {type(message).__name__}, not Hello.",
            hint="Server and runner are of different versions; restart Paddock.",
        )
    if message.version != PROTOCOL_VERSION:
        raise ProtocolError(
            f"The other side speaks version {message.version} of the runner protocol, this one {PROTOCOL_VERSION}.",
            hint="Paddock was updated while it ran; restart it.",
        )
    return message
