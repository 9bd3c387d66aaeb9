"""What a vision tower made of pictures: kept for those who are being answered, and as long as there is room for others."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Generic, Protocol, TypeVar

from paddock.runner.prompts import Look
from paddock.vocabulary import Picture

FEATURE_BYTES_MAX: Final = 256 * 1024 * 1024
_FEATURE_BYTES_MIN: Final = 8 * 1024 * 1024
_LIMIT_SHARE: Final = 16


class Sized(Protocol):
    """Of one picture, as the language part of the model takes it."""

    @property
    def bytes(self) -> int: ...


F = TypeVar("F", bound=Sized)


def feature_room(limit_bytes: int) -> int:
    """How much to keep of pictures in a runner that may take so much in all."""
    return min(FEATURE_BYTES_MAX, max(_FEATURE_BYTES_MIN, limit_bytes // _LIMIT_SHARE))


class FeatureStore(Generic[F]):
    """Features by the digest of their picture, the one used longest ago first to go. What a request holds stays."""

    def __init__(self, bytes_max: int = FEATURE_BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        self._kept: OrderedDict[str, F] = OrderedDict()
        self._holders: dict[str, int] = {}
        self.encoded = 0  # pictures that went through the tower

    def hold(self, digests: Iterable[str]) -> None:
        """These are needed, there or not, until they are `let_go` as often."""
        for digest in digests:
            self._holders[digest] = self._holders.get(digest, 0) + 1
            if digest in self._kept:
                self._kept.move_to_end(digest)

    def let_go(self, digests: Iterable[str]) -> None:
        for digest in digests:
            left = self._holders[digest] - 1
            if left:
                self._holders[digest] = left
            else:
                del self._holders[digest]
        self._make_room()

    def has(self, digest: str) -> bool:
        return digest in self._kept

    def get(self, digest: str) -> F:
        return self._kept[digest]

    def put(self, digest: str, features: F) -> None:
        self.encoded += 1
        self._kept[digest] = features
        self._make_room()

    @property
    def bytes(self) -> int:
        return sum(features.bytes for features in self._kept.values())

    @property
    def held_bytes(self) -> int:
        """Of those that somebody needs."""
        return sum(features.bytes for digest, features in self._kept.items() if digest in self._holders)

    def _make_room(self) -> None:
        taken = self.bytes
        for digest in [digest for digest in self._kept if digest not in self._holders]:
            if taken <= self.bytes_max:
                return
            taken -= self._kept.pop(digest).bytes


class Seen(Generic[F]):
    """What requests hold of a store: the half of a Sight that is the same for every library."""

    def __init__(self, store: FeatureStore[F], encode: Callable[[Picture], F]) -> None:
        self._store = store
        self._encode = encode
        self._held: dict[str, list[Picture]] = {}  # by sequence: its pictures, seen or not

    def hold(self, sequence_id: str, looks: Sequence[Look]) -> bool:
        """See Sight. How much room a picture takes is known once it is there; until then one more is let in."""
        if self._store.held_bytes >= self._store.bytes_max:
            return False
        pictures = [look.picture for look in looks]
        self._held[sequence_id] = pictures
        self._store.hold(picture.digest for picture in pictures)
        return True

    def see(self, sequence_id: str) -> bool:
        """See Sight."""
        missing = [picture for picture in self._held[sequence_id] if not self._store.has(picture.digest)]
        if missing:
            self._store.put(missing[0].digest, self._encode(missing[0]))
        return all(self._store.has(picture.digest) for picture in missing)

    def forget(self, sequence_id: str) -> None:
        """See Sight."""
        pictures = self._held.pop(sequence_id, None)
        if pictures is not None:
            self._store.let_go(picture.digest for picture in pictures)
