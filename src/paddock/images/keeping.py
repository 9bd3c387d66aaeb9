"""Decoded pictures that are kept for a while, and the room that all pictures at hand have together."""

import threading
from collections import OrderedDict

from paddock.config.schema import Images
from paddock.errors import Overloaded, TooLarge
from paddock.images.decoding import Decoded
from paddock.units import human_bytes


class Kept:
    """The latest pictures, by the bytes that they came as: a conversation shows its pictures again with every turn."""

    def __init__(self, bytes_max: int) -> None:
        self._pictures: OrderedDict[bytes, Decoded] = OrderedDict()
        self._bytes_max = bytes_max
        self._bytes = 0
        self._lock = threading.Lock()  # decoding threads come here

    def get(self, key: bytes) -> Decoded | None:
        with self._lock:
            found = self._pictures.get(key)
            if found is not None:
                self._pictures.move_to_end(key)
            return found

    def put(self, key: bytes, picture: Decoded) -> None:
        """Keep it; the oldest make room. One that is larger than all the room is not kept."""
        with self._lock:
            if key in self._pictures or len(picture.pixels) > self._bytes_max:
                return
            self._pictures[key] = picture
            self._bytes += len(picture.pixels)
            while self._bytes > self._bytes_max:
                _, oldest = self._pictures.popitem(last=False)
                self._bytes -= len(oldest.pixels)


class Room:
    """How many bytes the pictures of all requests may take. Belongs to one thread."""

    def __init__(self, bytes_max: int) -> None:
        self._left = bytes_max

    def take(self, count: int) -> None:
        """Raises Overloaded when so many are not there."""
        if count > self._left:
            raise Overloaded(
                "The pictures of the requests at hand already fill the room that there is for them.",
                hint="Try again in a moment, or raise `images.memory_bytes_max`.",
                retry_after_s=1,
            )
        self._left -= count

    def give(self, count: int) -> None:
        self._left += count


class Share:
    """What one request has of the room, and how much more it may bring."""

    def __init__(self, room: Room, settings: Images) -> None:
        self._room = room
        self._settings = settings
        self._taken = 0
        self._bytes = 0
        self._pixels = 0

    def came(self, size_bytes: int) -> None:
        """So many bytes of a file, or of a part of it; fewer than none go again. Raises TooLarge, Overloaded."""
        most = self._settings.request_bytes_max
        if self._bytes + size_bytes > most:
            raise TooLarge(
                f"The pictures of the request have more than {human_bytes(most)} together.",
                hint="Send fewer or smaller ones, or raise `images.request_bytes_max`.",
            )
        self._take(size_bytes)
        self._bytes += size_bytes

    def decoded(self, picture: Decoded) -> None:
        """It is at hand. Raises TooLarge, Overloaded."""
        pixels, most = picture.width * picture.height, self._settings.request_pixels_max
        if self._pixels + pixels > most:
            raise TooLarge(
                f"The pictures of the request have more than {most} pixels together.",
                hint="Send fewer or smaller ones, or raise `images.request_pixels_max`.",
            )
        self._take(len(picture.pixels))
        self._pixels += pixels

    def _take(self, count: int) -> None:
        self._room.take(count)
        self._taken += count

    def give_all(self) -> None:
        """The request is over."""
        self._room.give(self._taken)
        self._taken = 0
