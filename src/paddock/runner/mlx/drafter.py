"""A small model that guesses ahead for a large one. It runs on pages of its own; its guesses are greedy.

A guess is kept when it is what the large model samples, so the likeliest token is the best guess whatever the temperature.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import mlx.core as mx

from paddock.engine.speculation import DraftWish
from paddock.engine.step import Row
from paddock.runner.mlx.lane import Lane
from paddock.runner.mlx.seam import integers

CATCH_UP_TOKENS: Final = 256  # of a prompt that it reads in one step; guesses begin when it has read all


@dataclass(slots=True)
class _Draft:
    """What the small model has of one sequence."""

    fed: list[int] = field(default_factory=list[int])  # tokens whose keys and values it has, wrong guesses included
    agreed: int = 0  # of these, known to be the sequence's own
    blocks: list[int] = field(default_factory=list[int])


@dataclass(slots=True)
class _Turn:
    """One wish on its way."""

    wish: DraftWish
    draft: _Draft
    pending: tuple[int, ...]
    guesses: list[int] = field(default_factory=list[int])

    def row(self) -> Row:
        start = len(self.draft.fed)
        chunk = self.pending[:CATCH_UP_TOKENS]
        blocks = tuple(self.draft.blocks)
        # The last chunk says what comes next.
        samples = len(chunk) == len(self.pending)
        return Row(sequence_id=self.wish.sequence_id, tokens=chunk, start=start, blocks=blocks, samples=samples)


class MlxDrafter:
    """The engine's Drafter. Belongs to the device's thread."""

    def __init__(
        self, lane: Lane, *, vocabulary: int, context_window: int, block_tokens: int, block_count: int
    ) -> None:
        self._lane = lane
        self._vocabulary = vocabulary
        self._context_window = context_window
        self._block_tokens = block_tokens
        self._free = list(range(block_count - 1, -1, -1))
        self._drafts: dict[str, _Draft] = {}

    def propose(self, wishes: Sequence[DraftWish]) -> list[tuple[int, ...]]:
        """Up to `count` guesses for each wish; none while it still reads the prompt, or has no room."""
        turns = {wish.sequence_id: turn for wish in wishes if (turn := self._turn(wish)) is not None}
        going = list(turns.values())
        while going:
            self._step(going)
            going = [turn for turn in going if 0 < len(turn.guesses) < turn.wish.count]
        return [tuple(turns[wish.sequence_id].guesses) if wish.sequence_id in turns else () for wish in wishes]

    def forget(self, sequence_id: str) -> None:
        draft = self._drafts.pop(sequence_id, None)
        if draft is not None:
            self._free += reversed(draft.blocks)

    def _turn(self, wish: DraftWish) -> _Turn | None:
        draft = self._drafts.setdefault(wish.sequence_id, _Draft())
        tokens = wish.tokens
        agreed = draft.agreed
        last = min(len(draft.fed), len(tokens) - 1)  # the newest token is always fed: its logits are wanted
        while agreed < last and draft.fed[agreed] == tokens[agreed]:
            agreed += 1
        draft.agreed = agreed
        del draft.fed[agreed:]
        pending = tuple(tokens[agreed:])
        knows_them = all(token < self._vocabulary for token in pending)
        if not knows_them or not self._make_room(draft, len(tokens) + wish.count):
            return None
        return _Turn(wish, draft, pending)

    def _make_room(self, draft: _Draft, tokens: int) -> bool:
        missing = -(-tokens // self._block_tokens) - len(draft.blocks)
        if tokens > self._context_window or missing > len(self._free):
            return False
        draft.blocks += [self._free.pop() for _ in range(missing)]
        return True

    def _step(self, turns: Sequence[_Turn]) -> None:
        """Feed what is pending, and guess one token more for those that have caught up."""
        rows = [turn.row() for turn in turns]
        logits = self._lane.forward(rows, ())
        best = iter(integers(mx.argmax(logits, axis=-1)) if logits is not None else [])
        self._lane.settle()
        for turn, row in zip(turns, rows, strict=True):
            turn.draft.fed += row.tokens
            if row.samples:
                guess = next(best)
                turn.guesses.append(guess)
                turn.pending = (guess,)
