"""Pictures on their way to a runner: their pixels go ahead of the request in frames of their own, each once.

    server: Keep(digests)  Pixels  Pixels  Submit(request without pixels)
    runner: drops others   keeps   keeps   puts the pixels back where they belong

A conversation sends its pictures again with every turn, and a request for several answers with each of them. So the runner
keeps the latest ones, and requests that show the same picture share its bytes. Which ones it keeps is for the server to say,
which therefore always knows what is still to be sent; a request that was broken off on its way leaves nothing for good.
"""

from collections import OrderedDict
from collections.abc import Generator
from dataclasses import replace
from typing import Final

from paddock.errors import ProtocolError
from paddock.runner.messages import Count, Keep, Pixels, Submit, ToRunner
from paddock.vocabulary import GenerateRequest, Picture

KEPT_BYTES_MAX: Final = 32 * 1024 * 1024  # beside those of the request at hand: two or three large pictures


class SentPictures:
    """The server's side of one connection: what the runner has."""

    def __init__(self, *, kept_bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._sizes: OrderedDict[str, int] = OrderedDict()  # by digest, the latest at the end
        self._kept_bytes_max = kept_bytes_max

    def frames(self, message: Submit | Count) -> Generator[ToRunner]:
        """What is to be sent so that the runner understands `message`, which is the last of it.

        Ask for the next frame only when the one before was sent: then it counts as there.
        """
        pictures = {picture.digest: picture for picture in _pictures(message.request)}
        if not pictures:
            yield message
            return
        yield Keep(self._keep(pictures))
        for digest, picture in pictures.items():
            if digest not in self._sizes:
                yield Pixels(digest, picture.width, picture.height, picture.pixels)
                self._sizes[digest] = len(picture.pixels)
        yield replace_request(message, _without_pixels(message.request))

    def _keep(self, wanted: dict[str, Picture]) -> tuple[str, ...]:
        """Let go of the oldest that are not `wanted`. Returns what is left."""
        room = self._kept_bytes_max
        for digest in reversed(tuple(self._sizes)):
            if digest not in wanted:
                room -= self._sizes[digest]
                if room < 0:
                    del self._sizes[digest]
        for digest in wanted:
            if digest in self._sizes:
                self._sizes.move_to_end(digest)
        return tuple(self._sizes)


class ReceivedPictures:
    """The runner's side. Belongs to the thread that reads the connection."""

    def __init__(self) -> None:
        self._pictures: dict[str, Pixels] = {}

    def take(self, message: ToRunner) -> ToRunner | None:
        """`message` with its pictures complete; None for one that only brought them. Raises ProtocolError."""
        match message:
            case Keep(digests):
                self._pictures = {digest: self._pictures[digest] for digest in digests if digest in self._pictures}
                return None
            case Pixels(digest):
                self._pictures[digest] = message
                return None
            case Submit(request) | Count(request=request):
                return replace_request(message, self._complete(request)) if _pictures(request) else message
            case _:
                return message

    def _complete(self, request: GenerateRequest) -> GenerateRequest:
        messages = tuple(
            replace(message, images=tuple(self._with_pixels(picture) for picture in message.images))
            for message in request.messages or ()
        )
        return replace(request, messages=messages)

    def _with_pixels(self, picture: Picture) -> Picture:
        found = self._pictures.get(picture.digest)
        if found is None or len(found.data) != 3 * found.width * found.height:
            raise ProtocolError("A picture did not come before its request.", hint="Restart Paddock.")
        return replace(picture, pixels=found.data, width=found.width, height=found.height)


def replace_request(message: Submit | Count, request: GenerateRequest) -> Submit | Count:
    """`message`, about `request`."""
    return Submit(request) if isinstance(message, Submit) else Count(message.call, request)


def _pictures(request: GenerateRequest) -> list[Picture]:
    return [picture for message in request.messages or () for picture in message.images]


def _without_pixels(request: GenerateRequest) -> GenerateRequest:
    messages = tuple(
        replace(message, images=tuple(replace(picture, pixels=b"") for picture in message.images))
        for message in request.messages or ()
    )
    return replace(request, messages=messages)
