"""Where in their prompts the sequences under way have pictures, and how these get into the cache.

tokens     a a a P P P P P P b b b       a picture has a place in the prompt for each row of its features
steps      └───────┘ └─────────┘         prompts are read in parts; a picture goes into the cache as a whole,
fed        a a a       P…P b b b         with the part in which its last place is
positions  0 1 2 3 3 3 3 3 3 5 6 7       where positions have axes it takes fewer of them than it has places
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from paddock.engine.step import Row
from paddock.runner.features import FeatureStore
from paddock.runner.llamacpp.cache import Cache
from paddock.runner.llamacpp.projector import Features, Floats, Patch, Projector
from paddock.runner.llamacpp.sampling import Floats as Logits
from paddock.runner.prompts import Look


@dataclass(frozen=True, slots=True)
class _Seen:
    """A patch at its places in one prompt."""

    first: int
    patch: Patch
    rows: Floats
    lag: int  # positions that stand before it, less than tokens

    @property
    def end(self) -> int:
        return self.first + self.patch.count


@dataclass(slots=True)
class Pictures:
    """One thread's, as the executor is."""

    store: FeatureStore[Features]
    projector: Projector
    _seen: dict[str, tuple[_Seen, ...]] = field(default_factory=dict[str, tuple[_Seen, ...]])  # by sequence, in order

    def begin(self, sequence_id: str, looks: Sequence[Look]) -> None:
        """Its pictures have been seen and are held."""
        if not looks:
            return
        seen: list[_Seen] = []
        lag = 0
        for look in looks:
            features = self.store.get(look.picture.digest)
            taken = 0
            for patch in features.outline:
                if isinstance(patch, Patch):
                    rows = features.rows[taken : taken + patch.count]
                    seen.append(_Seen(look.places[taken], patch, rows, lag))
                    taken += patch.count
                    lag += patch.count - patch.length
        self._seen[sequence_id] = tuple(seen)

    def end(self, sequence_id: str) -> None:
        self._seen.pop(sequence_id, None)

    def close(self) -> None:
        """Give back what pictures are seen with. Idempotent."""
        self._seen.clear()
        self.projector.close()

    def feed(self, cache: Cache, rows: Sequence[Row]) -> Logits:
        """As Cache.feed, which it does for all rows whose tokens are words."""
        if not self._seen:
            return cache.feed(rows)
        left: list[Row] = []
        lags: dict[str, int] = {}
        for row in rows:
            seen = self._seen.get(row.sequence_id)
            if seen is None:
                left.append(row)
            elif (rest := self._feed(cache, row, seen)) is not None:
                left.append(rest)
                lags[row.sequence_id] = _lag(seen, rest.start)
        return cache.feed(left, lags)

    def _feed(self, cache: Cache, row: Row, seen: Sequence[_Seen]) -> Row | None:
        """All of `row` up to behind its last picture. What is left of it is words; None when nothing is."""
        (slot,) = row.blocks
        at = row.start
        for each in seen:
            if each.end <= row.start or each.first >= row.end:
                continue
            if at < each.first:
                words = row.tokens[at - row.start : each.first - row.start]
                before = replace(row, tokens=words, start=at, samples=False, drafted=0)
                cache.feed([before], {row.sequence_id: _lag(seen, at)})
            if each.end > row.end:
                cache.reserve(slot, row.end)
                at = row.end
                break
            cache.see(slot, each.first, each.rows, each.patch.positions(each.first - each.lag), whole=each.patch.whole)
            at = each.end
        if at == row.end:
            assert not row.samples, "no prompt ends in a picture"
            return None
        return replace(row, tokens=row.tokens[at - row.start :], start=at) if at > row.start else row


def _lag(seen: Sequence[_Seen], at: int) -> int:
    return sum(each.patch.count - each.patch.length for each in seen if each.end <= at)
