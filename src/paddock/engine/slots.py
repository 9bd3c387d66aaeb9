"""The slots of a cache that is cut into equal parts: who has each, what lies in it, and how it is cut.

    slots = 4      │ system A B … │ system C …   │ (nothing)    │ D E F …      │
    window         └──────────────┘ each holds one sequence, from its first token on

What a sequence leaves behind stays until its slot is needed: the next one that begins alike need not compute it again. Only
numbers live here; the bytes are the executor's.
"""

from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field
from typing import Final

from paddock.engine.sequence import Sequence

SLOTS_MAX: Final = 16
_WINDOW_MIN: Final = 512
_COPY_MIN: Final = 32  # tokens; fewer are computed as soon as copied
_COPY_SHARE: Final = 8  # a copy is made of all that lies there: it must be worth so small a part of it


@dataclass(frozen=True, slots=True)
class Layout:
    """How the cache is cut."""

    slots: int
    window: int  # tokens of each

    @property
    def tokens(self) -> int:
        return self.slots * self.window


@dataclass(slots=True)
class Slot:
    """One part of the cache."""

    number: int
    holder: Sequence | None = None
    left: SequenceOf[int] = ()  # what the last holder left in it
    owner: tuple[str, str] = ("", "")  # whose that is: tenant and namespace
    used: int = 0  # when it was last given out; a count

    @property
    def content(self) -> SequenceOf[int]:
        """The tokens whose keys and values lie in it."""
        return self.left if self.holder is None else self.holder.named[: self.holder.computed]

    @property
    def whose(self) -> tuple[str, str]:
        return self.owner if self.holder is None else (self.holder.tenant, self.holder.namespace)


@dataclass(frozen=True, slots=True)
class Find:
    """Where a sequence goes, and what is there for it already."""

    slot: Slot
    positions: int = 0  # of its prompt, computed before
    source: Slot | None = None  # to be copied from; None when they lie in `slot` itself


@dataclass(slots=True)
class Slots:
    """All of them."""

    layout: Layout
    trims: bool  # whether the end of what lies in a slot can be dropped; recurrent states cannot be wound back
    _slots: list[Slot] = field(default_factory=list[Slot])
    _given: int = 0

    def __post_init__(self) -> None:
        self._slots = [Slot(number) for number in range(self.layout.slots)]

    @property
    def idle(self) -> list[Slot]:
        """Those that nobody has, the one used longest ago first; empty ones before all others."""
        return sorted(
            (slot for slot in self._slots if slot.holder is None), key=lambda each: (bool(each.left), each.used)
        )

    def of(self, sequence: Sequence) -> Slot:
        return next(slot for slot in self._slots if slot.holder is sequence)

    def find(self, sequence: Sequence) -> Find:
        """The best place for it. There must be an idle slot."""
        idle = self.idle
        best, shared = idle[0], 0
        for slot in self._slots:
            if (common := self._usable(slot, sequence)) > shared:
                best, shared = slot, common
        if not shared:
            return Find(idle[0])
        rest = len(best.content) - shared
        if best.holder is None and (rest <= shared or len(idle) == 1 or idle[0].left):
            return Find(best, shared)
        target = next(slot for slot in idle if slot is not best)
        if shared < max(_COPY_MIN, len(best.content) // _COPY_SHARE):
            return Find(target, self._usable(target, sequence))
        return Find(target, shared, best)

    def give(self, found: Find, sequence: Sequence) -> None:
        self._given += 1
        slot = found.slot
        slot.holder, slot.left, slot.used = sequence, (), self._given

    def take_back(self, sequence: Sequence, *, keep: bool) -> None:
        """It has no slot any more. `keep`: what it computed may serve others."""
        slot = self.of(sequence)
        slot.left = tuple(slot.content) if keep else ()
        slot.owner = (sequence.tenant, sequence.namespace)
        slot.holder = None

    def forget(self) -> None:
        """Nothing that was left is there any more."""
        for slot in self._slots:
            slot.left = ()

    def cut(self, layout: Layout) -> tuple[tuple[int, int], ...]:
        """Cut anew. All holders stay, and of what was left what fits, the latest first: pairs of old and new numbers."""
        held = [slot for slot in self._slots if slot.holder is not None]
        left = [slot for slot in reversed(self.idle) if slot.left and len(slot.left) <= layout.window]
        kept = [*held, *left][: layout.slots]
        assert len(held) <= layout.slots, f"{len(held)} sequences in {layout.slots} slots"
        moves = tuple((slot.number, number) for number, slot in enumerate(kept))
        for number, slot in enumerate(kept):
            slot.number = number
        self._slots = kept + [Slot(number) for number in range(len(kept), layout.slots)]
        self.layout = layout
        return moves

    def check(self, running: SequenceOf[Sequence]) -> None:
        """Raises AssertionError when slots and those that run disagree."""
        held = {slot.holder.id for slot in self._slots if slot.holder is not None}
        assert held == {sequence.id for sequence in running}, f"{sorted(held)} have slots"
        assert [slot.number for slot in self._slots] == list(range(self.layout.slots)), "slots are numbered through"
        for slot in self._slots:
            assert len(slot.content) <= self.layout.window, f"slot {slot.number} holds more than there is room for"

    def _usable(self, slot: Slot, sequence: Sequence) -> int:
        """How many tokens at the beginning of `sequence` lie in `slot`. Never all: the last is computed for its logits."""
        content = slot.content
        if not content or slot.whose != (sequence.tenant, sequence.namespace):
            return 0
        common = common_prefix(content, sequence.named, len(sequence.tokens) - 1)
        return common if self.trims or common == len(content) else 0


def common_prefix(one: SequenceOf[int], other: SequenceOf[int], most: int) -> int:
    """How many tokens both begin with, at most `most`."""
    low, high = 0, min(len(one), len(other), most)
    while low < high:  # slices compare much faster than a loop
        middle = (low + high + 1) // 2
        if list(one[low:middle]) == list(other[low:middle]):
            low = middle
        else:
            high = middle - 1
    return low


def layout_for(count: int, longest: int, *, tokens_max: int, window_max: int, slots_max: int) -> Layout | None:
    """A cut for `count` sequences of up to `longest` tokens each; None when there is none.

    Powers of two, so that it is seldom cut anew.
    """
    window = min(max(_power_of_two(longest), _WINDOW_MIN), window_max, tokens_max)
    if longest > window or count > slots_max:
        return None
    slots = min(_power_of_two(count), slots_max, tokens_max // window)
    if slots < count:  # a tighter window, then
        window = longest
        slots = min(count, tokens_max // window)
    return Layout(slots, window) if slots >= count else None


def _power_of_two(number: int) -> int:
    return 1 << max(number - 1, 0).bit_length()
