"""One picture as a model takes it: how many tokens stand for it, around which words, and the numbers for its tower."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from PIL import Image

from paddock.errors import UsageError
from paddock.runner.mlx.vision.seam import inputs_of
from paddock.vocabulary import Picture

_KEPT_BYTES_MAX: Final = 128 * 1024 * 1024
_NOTES_MAX: Final = 1024
# Its processor hands `padding` on to image processors that refuse the word.
_WITHOUT_PADDING: Final = frozenset({"LlavaProcessor"})


@dataclass(frozen=True, slots=True)
class Expansion:
    """What stands in the prompt's text for one picture."""

    text: str
    places: int  # tokens in it that the picture's features take the place of


class PictureReader:
    """A model's own processor. Pictures are read one by one: what one becomes does not depend on those beside it."""

    def __init__(self, processor: Any, *, mark: str, place_token: int) -> None:
        """`mark` is what templates write for a picture, `place_token` what it becomes."""
        self._processor = processor
        self.mark = mark
        self.place_token = place_token
        tokenizer = processor.tokenizer
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        self._recorder = _Recorder(tokenizer)
        processor.tokenizer = self._recorder
        if type(processor).__name__ in _WITHOUT_PADDING:
            processor.image_processor = _WithoutPadding(processor.image_processor)
        self._expansions: OrderedDict[str, Expansion] = OrderedDict()
        self._inputs: OrderedDict[str, dict[str, Any]] = OrderedDict()

    @property
    def words(self) -> frozenset[str]:
        """What marks pictures in a prompt, and nobody may write."""
        own = cast("dict[str, object]", self._processor.__dict__)
        named = {value for name, value in own.items() if name.endswith(("_token", "_tag")) and isinstance(value, str)}
        return frozenset({self.mark, *named} - {""})

    def expansion(self, picture: Picture) -> Expansion:
        """Raises UsageError for a picture that the processor refuses."""
        if picture.digest not in self._expansions:
            self._read(picture)
        self._expansions.move_to_end(picture.digest)
        return self._expansions[picture.digest]

    def take_inputs(self, picture: Picture) -> dict[str, Any]:
        """What the model takes for the picture alone, its expansion's tokens included."""
        found = self._inputs.pop(picture.digest, None)
        return found if found is not None else self._prepared(picture)[1]

    def _read(self, picture: Picture) -> None:
        expansion, inputs = self._prepared(picture)
        self._expansions[picture.digest] = expansion
        if len(self._expansions) > _NOTES_MAX:
            self._expansions.popitem(last=False)
        # Most pictures are wanted a moment later. Those that wait longer are prepared once more: they take much memory.
        self._inputs[picture.digest] = inputs
        while sum(map(_bytes, self._inputs.values())) > _KEPT_BYTES_MAX:
            self._inputs.popitem(last=False)

    def _prepared(self, picture: Picture) -> tuple[Expansion, dict[str, Any]]:
        image = Image.frombytes("RGB", (picture.width, picture.height), picture.pixels)
        try:
            inputs = inputs_of(self._processor, self.mark, [image])
        # Code of another project on a stranger's configuration: it fails in whichever way Python does.
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, ArithmeticError, RuntimeError) as error:
            raise UsageError(
                f"The model's processor refuses a picture of {picture.width} × {picture.height} pixels: "
                f"{' '.join(str(error).split())[:200] or type(error).__name__}.",
                hint="Send it in another size.",
            ) from error
        tokens = inputs["input_ids"].reshape(-1).tolist()
        return Expansion(self._recorder.text, tokens.count(self.place_token)), inputs


class _Recorder:
    """A tokenizer that remembers the last text that it was given."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.text = ""

    def __call__(self, text: Any = None, **more: Any) -> Any:
        self.text = text if isinstance(text, str) else text[0]
        return self._tokenizer(text, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)


class _WithoutPadding:
    """An image processor that does not hear of `padding`, which is about texts."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    def __call__(self, images: Any, **more: Any) -> Any:
        more.pop("padding", None)
        return self._processor(images, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._processor, name)


def _bytes(inputs: Mapping[str, Any]) -> int:
    return sum(getattr(value, "nbytes", 0) for value in inputs.values())
