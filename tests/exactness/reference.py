"""What mlx-lm itself says: the tokens of its own generate, and the logits behind any text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx_lm.generate import generate_step
from mlx_lm.utils import load_model

TIE = 1e-4  # of logits: closer than this, another shape of matrix may order them otherwise


@dataclass
class Ties:
    """Positions at which an answer took the other of two tokens that were as good as equal."""

    compared: int = 0
    tied: int = 0


class Reference:
    """An instance of the model of its own, in mlx-lm's hands only."""

    def __init__(self, folder: Path) -> None:
        self._model: Any = load_model(folder)[0]
        self._model.set_dtype(mx.float32)
        self._known: dict[tuple[tuple[int, ...], int], list[int]] = {}
        self.ties = Ties()

    def tokens(self, prompt: Sequence[int], count: int) -> list[int]:
        key = (tuple(prompt), count)
        if key not in self._known:
            steps = generate_step(mx.array(list(prompt)), self._model, max_tokens=count)
            self._known[key] = [int(token) for token, _ in steps]
        return self._known[key]

    def check(self, prompt: Sequence[int], answer: Sequence[int], what: str) -> None:
        """`answer` is what mlx-lm generates, but for ties. Counts them."""
        expected = self.tokens(prompt, len(answer))
        self.ties.compared += len(answer)
        if list(answer) == expected:
            return
        # From the first difference on, what counts is whether each token is the best after those before it.
        first = next(index for index, (ours, theirs) in enumerate(zip(answer, expected, strict=True)) if ours != theirs)
        logits = self._model(mx.array([[*prompt, *answer]]))[0]
        for index in range(first, len(answer)):
            row = logits[len(prompt) + index - 1]
            gap = float(mx.max(row) - row[answer[index]])
            assert gap < TIE, f"{what}: token {index} is {answer[index]}, {gap:.6f} below the best; expected {expected}"
            self.ties.tied += gap > 0
