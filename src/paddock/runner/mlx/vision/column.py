"""What is special about the tokens of a step where pictures are: other embeddings, and other positions."""

# MLX's stubs leave the shapes of `reshape` and `transpose` untyped.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import mlx.core as mx
import numpy as np

from paddock.engine.step import Row
from paddock.runner.features import FeatureStore
from paddock.runner.mlx.cores import Floats
from paddock.runner.mlx.host import look
from paddock.runner.mlx.packing import Ints
from paddock.runner.mlx.seam import evaluate
from paddock.runner.mlx.vision.features import Features
from paddock.runner.prompts import Look

Turns: TypeAlias = Callable[[Sequence[int], Sequence[Look]], Ints]
"""Where the tokens of a prompt stand, along three axes: [3, tokens]."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """One picture of a sequence."""

    places: Ints
    features: Features


@dataclass(frozen=True, slots=True)
class _Layout:
    """One sequence with pictures."""

    seen: tuple[_Seen, ...]
    turns: Ints | None  # [3, tokens of the prompt]

    def turns_at(self, start: int, end: int) -> Ints:
        """Behind the prompt each token stands one further than the one before it."""
        assert self.turns is not None, "asked only of models that turn by axes"
        known = self.turns.shape[1]
        inside = self.turns[:, start:end]
        behind = np.arange(max(start, known), max(end, known), dtype=np.int32) + int(self.turns.max()) + 1 - known
        return np.concatenate([inside, np.broadcast_to(behind, (3, len(behind)))], axis=1)


@dataclass(frozen=True, slots=True)
class Column:
    """The tokens of one step."""

    places: Ints | None = None  # in the column, of what is no token
    rows: mx.array | None = None  # what stands there
    deep: tuple[mx.array, ...] = ()
    turns: Ints | None = None  # [3, tokens]

    @property
    def instead(self) -> tuple[Ints, Floats] | None:
        """For work without MLX."""
        if self.places is None or self.rows is None:
            return None
        evaluate(self.rows)
        return self.places, look(self.rows)


@dataclass(slots=True)
class Pictures:
    """Knows where in their prompts the sequences under way have pictures. One thread's, as the executor is."""

    store: FeatureStore[Features]
    embed: Callable[[mx.array], mx.array]
    turns: Turns | None = None  # for models whose positions depend on pictures
    _layouts: dict[str, _Layout] = field(default_factory=dict[str, _Layout])

    def begin(self, sequence_id: str, prompt: Sequence[int], looks: Sequence[Look]) -> None:
        """Its pictures have been encoded and are held."""
        if looks:
            seen = tuple(
                _Seen(np.array(each.places, dtype=np.int32), self.store.get(each.picture.digest)) for each in looks
            )
            self._layouts[sequence_id] = _Layout(seen, self.turns(prompt, looks) if self.turns else None)

    def end(self, sequence_id: str) -> None:
        self._layouts.pop(sequence_id, None)

    def column(self, rows: Sequence[Row], positions: Ints) -> Column:
        """Of the rows of one step, and where each of their tokens stands in its text."""
        if not self._layouts:
            return Column(turns=np.broadcast_to(positions, (3, len(positions))) if self.turns else None)
        places: list[Ints] = []
        parts: list[tuple[Features, slice]] = []
        turns: list[Ints] = []
        begin = 0
        for row in rows:
            layout = self._layouts.get(row.sequence_id)
            for seen in layout.seen if layout else ():
                first, last = np.searchsorted(seen.places, [row.start, row.end]).tolist()
                if first < last:
                    places.append(seen.places[first:last] - row.start + begin)
                    parts.append((seen.features, slice(first, last)))
            if self.turns:
                plain = np.broadcast_to(np.arange(row.start, row.end, dtype=np.int32), (3, len(row.tokens)))
                turns.append(layout.turns_at(row.start, row.end) if layout else plain)
            begin += len(row.tokens)
        together = np.concatenate(turns, axis=1) if turns else None
        if not places:
            return Column(turns=together)
        return Column(
            places=np.concatenate(places),
            rows=_joined([features.rows[part] for features, part in parts]),
            deep=tuple(
                _joined([features.deep[layer][part] for features, part in parts])
                for layer in range(len(parts[0][0].deep))
            ),
            turns=together,
        )

    def arguments(self, tokens: mx.array, column: Column) -> dict[str, Any]:
        """What model code is given beside the tokens: [tokens, 1], each a row of its own, or [1, tokens] of one sequence."""
        given: dict[str, Any] = {}
        if column.turns is not None:
            given["position_ids"] = mx.array(column.turns).reshape(3, *tokens.shape)
        if column.places is not None and column.rows is not None:
            embeddings = self.embed(tokens)
            places = mx.array(column.places)
            given["inputs_embeds"] = _put(embeddings, places, column.rows)
            if column.deep:
                nothing = mx.zeros_like(embeddings)
                given["deepstack_visual_embeds"] = [_put(nothing, places, each) for each in column.deep]
                given["visual_pos_masks"] = mx.ones(tokens.shape, mx.bool_)
        return given


def add_dense(backbone: Any) -> None:
    """Have a model that adds a picture's features behind its first layers take them as `Pictures.arguments` gives them.

    Its own way walks over the batch row by row, and here every token is one.
    """

    def add(hidden: mx.array, _: mx.array, features: mx.array) -> mx.array:
        return hidden + features

    backbone._deepstack_process = add


def _put(among: mx.array, places: mx.array, rows: mx.array) -> mx.array:
    """`among` with `rows` at some tokens, in a copy."""
    dense = among.reshape(-1, among.shape[-1]) + 0
    dense[places] = rows.astype(dense.dtype)
    return dense.reshape(among.shape)


def _joined(parts: Sequence[mx.array]) -> mx.array:
    return parts[0] if len(parts) == 1 else mx.concatenate(list(parts))
