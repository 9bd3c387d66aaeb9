"""Where keys and values live: what the executor asks of the paged and of the solo lane."""

from collections.abc import Sequence
from typing import Protocol

import mlx.core as mx

from paddock.engine.step import Row


class Lane(Protocol):
    """Feeds rows to the model. Sampling is not its business."""

    def end(self, sequence_id: str) -> None:
        """Forget it. Unknown ids are fine."""
        ...

    def taint(self, blocks: Sequence[int]) -> None:
        """A sequence with these blocks has broken: what is in them must not reach another that gets them later."""
        ...

    def forward(self, rows: Sequence[Row], copies: Sequence[tuple[int, int]]) -> mx.array | None:
        """Feed every row. The logits [n, vocabulary] of the last `1 + drafted` tokens of each row that samples, in order;
        None when no row does. Nothing need be computed when this returns: `settle` sees to it."""
        ...

    def settle(self) -> None:
        """Finish what has been fed, logits evaluated or not."""
        ...

    @property
    def bytes(self) -> int:
        """Of keys, values and states held now."""
        ...
