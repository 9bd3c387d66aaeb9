"""The output head on the rows that sample, in unmodified model code.

An mlx-lm model is a backbone (`model.model`) and a head after it, with whatever scaling and capping its family wants. The
head is the largest product of a small model, and only the last token of a prompt needs it. So the backbone is told which
rows to hand on: its class is replaced by a subclass of itself that selects them. The head then sees those rows only.
"""

# MLX's stubs leave the shapes of `reshape` and `transpose` untyped.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from collections.abc import Sequence
from typing import Any, Final, cast

import mlx.core as mx

from paddock.runner.mlx.seam import logits_of

# One class is backbone and head; what it does last before the head is to norm.
_ALL_IN_ONE: Final = frozenset({"mlx_vlm.models.idefics3.language"})


class RowSelection:
    """Which rows of the backbone's result go on to the head, in the step under way."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._rows: mx.array | None = None
        self._axis = 0
        self._backbone = _find_backbone(model)
        if self._backbone is not None:
            self._install(self._backbone)

    def logits(
        self, inputs: mx.array, cache: Sequence[Any], rows: Sequence[int], axis: int, **more: Any
    ) -> mx.array | None:
        """The logits [len(rows), vocabulary] of some rows of `inputs`, counted along `axis`. None when there are none.

        `more` is what else the model is given.
        """
        if not rows:
            # With nothing to look at, whatever comes after the layers is never computed.
            self._model(inputs, cache=cache, **more)
            return None
        # With every row wanted there is nothing to select.
        every = len(rows) == inputs.shape[axis]
        self._rows, self._axis = (None if every else mx.array(list(rows))), axis
        try:
            logits = logits_of(self._model(inputs, cache=cache, **more))
        finally:
            rows_left, self._rows = self._rows, None
        if self._backbone is None and rows_left is not None:
            logits = mx.take(logits, rows_left, axis=axis)
        return logits.reshape(-1, logits.shape[-1])

    def _install(self, backbone: Any) -> None:
        selection = self
        plain: Any = type(backbone)

        class Selecting(plain):
            def __call__(self, *args: Any, **kwargs: Any) -> Any:
                hidden: Any = super().__call__(*args, **kwargs)
                rows = selection._rows
                return hidden if rows is None else mx.take(cast("mx.array", hidden), rows, axis=selection._axis)

        Selecting.__name__, Selecting.__qualname__ = plain.__name__, plain.__qualname__
        backbone.__class__ = Selecting


def _find_backbone(model: Any) -> Any | None:
    """The part that ends before the head. None for a model that is built otherwise: it then computes all logits."""
    inner = model
    while (language := getattr(inner, "language_model", None)) is not None:
        inner = language
    backbone = getattr(inner, "model", None) or getattr(inner, "backbone", None)
    if backbone is None and type(inner).__module__ in _ALL_IN_ONE:
        return inner.norm
    # Some wrap a whole model, head included, under the same name; a backbone has the layers and no head.
    if (
        backbone is None
        or not hasattr(backbone, "layers")
        or hasattr(backbone, "lm_head")
        or hasattr(backbone, "model")
    ):
        return None
    return backbone
