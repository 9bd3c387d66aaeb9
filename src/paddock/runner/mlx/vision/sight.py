"""The runner's Sight: a picture through the processor, the tower and the projector, once, and its features held and kept."""

from collections.abc import Mapping, Sequence
from typing import Any

import mlx.core as mx
import numpy as np

from paddock.runner.mlx.packing import Ints
from paddock.runner.mlx.seam import evaluate, integers
from paddock.runner.mlx.vision.architectures import Architecture
from paddock.runner.mlx.vision.features import Features, FeatureStore
from paddock.runner.mlx.vision.processing import PictureReader
from paddock.runner.mlx.vision.tokenizer import SeeingTokenizer
from paddock.runner.opening import NOBODY_SAID
from paddock.runner.prompts import Look, Prompt
from paddock.vocabulary import Message, Picture, Thinking, Tool


class MlxSight:
    """Belongs to the thread that made it."""

    def __init__(
        self,
        model: Any,
        architecture: Architecture,
        *,
        tokenizer: SeeingTokenizer,
        reader: PictureReader,
        store: FeatureStore,
        context_window: int,
    ) -> None:
        """`model` is mlx-vlm's, tower and all."""
        self._model = model
        self._architecture = architecture
        self._tokenizer = tokenizer
        self._reader = reader
        self._store = store
        self._context_window = context_window
        self._waiting: dict[str, list[Picture]] = {}  # by sequence: what it holds, seen or not

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

    def hold(self, sequence_id: str, looks: Sequence[Look]) -> bool:
        """See Sight. How much room a picture takes is known once it is there; until then one more is let in."""
        if self._store.held_bytes >= self._store.bytes_max:
            return False
        pictures = [look.picture for look in looks]
        self._waiting[sequence_id] = pictures
        self._store.hold(picture.digest for picture in pictures)
        return True

    def see(self, sequence_id: str) -> bool:
        """See Sight."""
        missing = [picture for picture in self._waiting[sequence_id] if not self._store.has(picture.digest)]
        if missing:
            self._store.put(missing[0].digest, self._encoded(missing[0]))
        return all(self._store.has(picture.digest) for picture in missing)

    def forget(self, sequence_id: str) -> None:
        """See Sight."""
        pictures = self._waiting.pop(sequence_id, None)
        if pictures is not None:
            self._store.let_go(picture.digest for picture in pictures)

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
