"""What the vision tower made of pictures: kept for those who are being answered, and as long as there is room for others."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import mlx.core as mx

FEATURE_BYTES_MAX: Final = 256 * 1024 * 1024
_FEATURE_BYTES_MIN: Final = 8 * 1024 * 1024
_LIMIT_SHARE: Final = 16


def feature_room(limit_bytes: int) -> int:
    """How much to keep of pictures in a runner that may take so much in all."""
    return min(FEATURE_BYTES_MAX, max(_FEATURE_BYTES_MIN, limit_bytes // _LIMIT_SHARE))


@dataclass(frozen=True, slots=True)
class Features:
    """One picture, as the language part of the model takes it."""

    rows: mx.array  # [places, hidden]: what stands in place of the tokens' embeddings
    deep: tuple[mx.array, ...] = ()  # [places, hidden] each: what is added behind the first layers
    grid: tuple[int, ...] = ()  # frames, rows and columns of patches, where positions depend on them

    @property
    def bytes(self) -> int:
        return sum(array.nbytes for array in (self.rows, *self.deep))


class FeatureStore:
    """Features by the digest of their picture, the one used longest ago first to go. What a request holds stays."""

    def __init__(self, bytes_max: int = FEATURE_BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        self._kept: OrderedDict[str, Features] = OrderedDict()
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

    def get(self, digest: str) -> Features:
        return self._kept[digest]

    def put(self, digest: str, features: Features) -> None:
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
