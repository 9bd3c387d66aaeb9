"""What mlx-vlm itself says: its own template, processor and generate on a whole conversation, and logits behind a text."""

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx_vlm.generate import generate_step
from mlx_vlm.utils import load_model, load_processor, prepare_inputs
from PIL import Image

from paddock.vocabulary import Message
from tests.exactness.reference import TIE, Ties


class Takes(Enum):
    """What a model's template takes for the content of a message."""

    TEXT = "text"
    PARTS = "parts"
    BOTH = "text, and parts where there are pictures"


class Reference:
    """An instance of the model of its own, in mlx-vlm's hands only."""

    def __init__(self, folder: Path, takes: Takes) -> None:
        self._model: Any = load_model(folder)
        self._model.set_dtype(mx.float32)
        self._processor: Any = load_processor(folder, add_detokenizer=False)
        if type(self._processor).__name__ == "LlavaProcessor":
            self._processor.image_processor = _Deaf(self._processor.image_processor)
        self._takes = takes
        self._known: dict[str, list[int]] = {}
        self.ties = Ties()

    def inputs(self, messages: Sequence[Message]) -> dict[str, Any]:
        turns = [self._turn(message) for message in messages]
        tokenizer = self._processor.tokenizer
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        pictures = [_image(picture) for message in messages for picture in message.images]
        return prepare_inputs(self._processor, images=pictures or None, prompts=[text], add_special_tokens=False)

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        return self.inputs(messages)["input_ids"].reshape(-1).tolist()

    def tokens(self, messages: Sequence[Message], count: int) -> list[int]:
        key = f"{count}{messages!r}"
        if key not in self._known:
            inputs, more = self._split(self.inputs(messages))
            self._forget()
            steps = generate_step(*inputs, max_tokens=count, temperature=0.0, **more)
            self._known[key] = [int(token) for token, _ in steps]
        return self._known[key]

    def check(self, messages: Sequence[Message], answer: Sequence[int], what: str) -> None:
        """`answer` is what mlx-vlm generates, but for ties. Counts them."""
        expected = self.tokens(messages, len(answer))
        self.ties.compared += len(answer)
        if list(answer) == expected:
            return
        # From the first difference on, what counts is whether each token is the best after those before it.
        first = next(index for index, (ours, theirs) in enumerate(zip(answer, expected, strict=True)) if ours != theirs)
        logits, length = self._logits(messages, answer)
        for index in range(first, len(answer)):
            row = logits[length + index - 1]
            gap = float(mx.max(row) - row[answer[index]])
            assert gap < TIE, f"{what}: token {index} is {answer[index]}, {gap:.6f} below the best; expected {expected}"
            self.ties.tied += gap > 0

    def _logits(self, messages: Sequence[Message], answer: Sequence[int]) -> tuple[mx.array, int]:
        (tokens, model, pixels, _), more = self._split(self.inputs(messages))
        length = tokens.shape[1]
        tokens = mx.concatenate([tokens, mx.array([list(answer)], dtype=tokens.dtype)], axis=1)
        self._forget()
        seen = model.get_input_embeddings(tokens, pixels, mask=mx.ones_like(tokens), **more).to_dict()
        given = {name: value for name, value in {**more, **seen}.items() if value is not None}
        return model.language_model(tokens, **given).logits[0], length

    def _split(self, inputs: dict[str, Any]) -> tuple[tuple[Any, Any, Any, Any], dict[str, Any]]:
        more = {
            name: value
            for name, value in inputs.items()
            if name not in {"input_ids", "pixel_values", "attention_mask"} and value is not None
        }
        return (inputs["input_ids"], self._model, inputs.get("pixel_values"), inputs.get("attention_mask")), more

    def _forget(self) -> None:
        """Positions of one request stay on the model otherwise."""
        for name in ("_rope_deltas", "_position_ids"):
            if hasattr(self._model.language_model, name):
                setattr(self._model.language_model, name, None)

    def _turn(self, message: Message) -> dict[str, Any]:
        pieces: list[dict[str, str]] = []
        done = 0
        for picture in message.images:
            pieces += _text(message.content[done : picture.at])
            pieces.append({"type": "image"})
            done = picture.at
        pieces += _text(message.content[done:])
        if self._takes is Takes.PARTS or (self._takes is Takes.BOTH and message.images):
            return {"role": message.role, "content": pieces}
        return {"role": message.role, "content": "".join(piece.get("text", "<image>") for piece in pieces)}


def _text(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}] if text else []


def _image(picture: Any) -> Image.Image:
    return Image.frombytes("RGB", (picture.width, picture.height), picture.pixels)


class _Deaf:
    """mlx-vlm's processor of LLaVA models tells its image processor about padding, which that refuses."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    def __call__(self, images: Any, **more: Any) -> Any:
        more.pop("padding", None)
        return self._processor(images, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._processor, name)
