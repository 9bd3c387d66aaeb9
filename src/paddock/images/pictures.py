"""Pictures of requests, read: the door of this room."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from paddock.airgap.airgap import Airgap
from paddock.config.schema import Images
from paddock.errors import InvalidImage, TooLarge
from paddock.images.decoding import Decoded, decode
from paddock.images.fetching import Fetcher
from paddock.images.folders import read_file
from paddock.images.keeping import Kept, Room, Share
from paddock.images.spelling import Address, Inline, Source, StoredFile, bytes_of, source_of
from paddock.telemetry.logs import get_logger
from paddock.vocabulary import ChatRequest, Message, Picture

_log = get_logger("paddock.images")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request whose pictures have pixels."""

    request: ChatRequest
    warnings: tuple[str, ...]  # what was changed about them, a sentence each


class Pictures:
    """Reads the pictures of requests, within the limits of its settings. Belongs to one event loop; close it when done."""

    def __init__(self, settings: Images, *, fetcher: Fetcher | None = None, airgap: Airgap | None = None) -> None:
        self._settings = settings
        self._fetcher = fetcher or Fetcher(settings, airgap=airgap)
        self._threads = ThreadPoolExecutor(settings.decoders_max, thread_name_prefix="pictures")
        self._kept = Kept(settings.cache_bytes_max)
        self._room = Room(settings.memory_bytes_max)

    async def close(self) -> None:
        """Nothing is read any more. What is being decoded ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self._fetcher.close()

    @asynccontextmanager
    async def read(self, request: ChatRequest) -> AsyncGenerator[Seen]:
        """`request`, its pictures read; they count as at hand until the block ends.

        Raises InvalidImage, ImageUnreachable, TooLarge for what is wrong with a picture, named by its number in the request,
        and Overloaded when there is no room for more.
        """
        pictures = [picture for message in request.messages or () for picture in message.images if picture.source]
        if not pictures:
            yield Seen(request=request, warnings=())
            return
        self._check_count(len(pictures))
        share = Share(self._room, self._settings)
        try:
            found = await self._all(pictures, request, share)
            yield Seen(
                request=replace(request, messages=tuple(_shown(message, found) for message in request.messages or ())),
                warnings=self._warnings(request, pictures, found),
            )
        finally:
            share.give_all()

    async def _all(self, pictures: Sequence[Picture], request: ChatRequest, share: Share) -> Mapping[str, Decoded]:
        """Each source, read once, however often it is shown. The first that fails ends all."""
        tasks: dict[str, asyncio.Task[Decoded]] = {}
        for number, picture in enumerate(pictures, start=1):
            if picture.source not in tasks:
                reading = self._one(picture.source, number, len(pictures), request, share)
                tasks[picture.source] = asyncio.create_task(reading)
        try:
            return {text: await task for text, task in tasks.items()}
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    async def _one(self, text: str, number: int, count: int, request: ChatRequest, share: Share) -> Decoded:
        try:
            decoded = await self._read(source_of(text), request, share)
            share.decoded(decoded)
        except (InvalidImage, TooLarge) as error:
            if count > 1:
                error.message = f"Picture {number} of {count}: {error.message[:1].lower()}{error.message[1:]}"
            raise
        return decoded

    async def _read(self, source: Source, request: ChatRequest, share: Share) -> Decoded:
        loop = asyncio.get_running_loop()
        match source:
            case Inline():
                share.came(len(source.base64) // 4 * 3)
                return await loop.run_in_executor(self._threads, self._decode_inline, source)
            case Address(url):
                data = await self._fetcher.fetch(url, share.came)
                return await loop.run_in_executor(self._threads, self._decode, data, "")
            case StoredFile(path):
                if not request.from_here:
                    raise InvalidImage(
                        "A picture is named by a path, which only callers on this machine may do.",
                        hint="Send the picture itself as a data URI.",
                    )
                return await loop.run_in_executor(self._threads, self._decode_file, path)

    def _decode_inline(self, picture: Inline) -> Decoded:
        return self._decode(bytes_of(picture, bytes_max=self._settings.bytes_max), picture.claimed)

    def _decode_file(self, path: str) -> Decoded:
        return self._decode(read_file(path, self._settings.folders, bytes_max=self._settings.bytes_max), "")

    def _decode(self, data: bytes, claimed: str) -> Decoded:
        key = hashlib.sha256(data).digest()
        known = self._kept.get(key + claimed.encode())
        if known is None:
            settings = self._settings
            known = decode(data, claimed, side_px_max=settings.side_px_max, pixels_max=settings.pixels_max)
            self._kept.put(key + claimed.encode(), known)
        return known

    def _check_count(self, count: int) -> None:
        most = self._settings.request_count_max
        if count > most:
            raise TooLarge(
                f"The request has {count} pictures, {most} are the most.",
                hint="Send fewer, or raise `images.request_count_max`.",
            )

    def _warnings(
        self, request: ChatRequest, pictures: Sequence[Picture], found: Mapping[str, Decoded]
    ) -> tuple[str, ...]:
        told: list[str] = []
        for number, picture in enumerate(pictures, start=1):
            decoded = found[picture.source]
            if decoded.whole != (decoded.width, decoded.height):
                whole, left = "x".join(map(str, decoded.whole)), f"{decoded.width}x{decoded.height}"
                told.append(f"picture {number} was shrunk from {whole} to {left} pixels")
                _log.warning("image.shrunk", request_id=request.id, picture=number, whole=whole, left=left)
        return tuple(told)


def _shown(message: Message, found: Mapping[str, Decoded]) -> Message:
    if not message.images:
        return message
    return replace(message, images=tuple(_read(picture, found) for picture in message.images))


def _read(picture: Picture, found: Mapping[str, Decoded]) -> Picture:
    if not picture.source:
        return picture
    decoded = found[picture.source]
    return Picture(
        at=picture.at,
        pixels=decoded.pixels,
        width=decoded.width,
        height=decoded.height,
        digest=decoded.digest,
    )
