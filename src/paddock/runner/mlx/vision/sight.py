"""The runner's Sight: a picture through the processor, the tower and the projector, once, and its features held and kept."""

from collections.abc import Mapping, Sequence
from typing import Any

import mlx.core as mx
import numpy as np

from paddock.runner.features import FeatureStore, Seen
from paddock.runner.mlx.packing import Ints
from paddock.runner.mlx.seam import evaluate, integers
from paddock.runner.mlx.vision.architectures import Architecture
from paddock.runner.mlx.vision.features import Features
from paddock.runner.mlx.vision.processing import PictureReader
from paddock.runner.mlx.vision.tokenizer import SeeingTokenizer
from paddock.runner.opening import NOBODY_SAID
from paddock.runner.prompts import Look, Prompt
from paddock.vocabulary import Message, Picture, Thinking, Tool


class MlxSight(Seen[Features]):
    """Belongs to the thread that made it."""

    def __init__(
        self,
        model: Any,
        architecture: Architecture,
        *,
        tokenizer: SeeingTokenizer,
        reader: PictureReader,
        store: FeatureStore[Features],
        context_window: int,
    ) -> None:
        """`model` is mlx-vlm's, tower and all."""
        super().__init__(store, self._encoded)
        self._model = model
        self._architecture = architecture
        self._tokenizer = tokenizer
        self._reader = reader
        self._context_window = context_window

    def read(
        self,
        messages: Sequence[Message],
        options: Mapping[str, Any],
        *,
        tools: Sequence[Tool] = (),
        thinking: Thinking = NOBODY_SAID,
    ) -> Prompt:
        """See Sight."""
        return self._tokenizer.read(
            messages, options, context_window=self._context_window, tools=tools, thinking=thinking
        )

    def turns(self, prompt: Sequence[int], looks: Sequence[Look]) -> Ints:
        """Where the tokens of a prompt stand, along three axes. Of mlx-vlm's own reckoning; nothing of it stays behind."""
        grids = mx.array([self._store.get(look.picture.digest).grid for look in looks])
        tokens = mx.array([list(prompt)])
        positions, _ = self._model.language_model.get_rope_index(tokens, grids, None, mx.ones_like(tokens))
        return np.array(positions, dtype=np.int32)[:, 0]

    def _encoded(self, picture: Picture) -> Features:
        inputs = dict(self._reader.take_inputs(picture))
        tokens: mx.array = inputs.pop("input_ids")
        grid = inputs["image_grid_thw"][0].tolist() if self._architecture.turns else ()
        pixels, mask = inputs.pop("pixel_values"), inputs.pop("attention_mask", None)
        seen = self._model.get_input_embeddings(tokens, pixels, mask=mask, **inputs)
        places = mx.array(
            [place for place, token in enumerate(integers(tokens[0])) if token == self._reader.place_token]
        )
        rows = seen.inputs_embeds[0][places]
        deep = tuple(seen.deepstack_visual_embeds) if self._architecture.deep else ()
        evaluate(rows, *deep)
        return Features(rows, deep, tuple(grid))
