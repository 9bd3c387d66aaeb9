"""The file beside a GGUF model that it sees with: a tower and a projector, and what these make of one picture."""

import ctypes
import os
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from paddock.catalog.headers import read_gguf_header
from paddock.catalog.reading import FileReader
from paddock.errors import Corrupt, GenerationFailed, Incompatible, UsageError
from paddock.runner.llamacpp.mtmd import IMAGE, Part, Place, sight_library
from paddock.runner.llamacpp.seam import LINES
from paddock.runner.llamacpp.weights import Weights
from paddock.vocabulary import Picture

Floats: TypeAlias = npt.NDArray[np.float32]
Ints: TypeAlias = npt.NDArray[np.int32]

_LAYOUTS_MAX: Final = 1024
_PULL_AGAIN: Final = "`paddock verify` checks its files; pull the model again if one is broken."


@dataclass(frozen=True, slots=True)
class Patch:
    """A run of places in a prompt that the rows of a picture's features take, one each."""

    count: int  # of places
    length: int  # how many positions it takes: fewer than places where they stand along several axes
    whole: bool  # every place sees all others of it, so that it is read in one go
    axes: tuple[Ints, Ints] | None  # [4, count]: where places stand behind position 0, and what each position more adds

    def positions(self, start: int) -> Ints:
        """Of its places when it begins at position `start`: [1 or 4, count]."""
        if self.axes is None:
            return np.arange(start, start + self.count, dtype=np.int32)[None]
        first, slope = self.axes
        return first + slope * np.int32(start)


Outline: TypeAlias = tuple[tuple[int, ...] | Patch, ...]
"""What stands in a prompt for one picture: tokens around and between its patches."""


@dataclass(frozen=True, slots=True)
class Features:
    """What the language part of the model takes for one picture."""

    outline: Outline
    rows: Floats  # [places, width], the patches one behind the other

    @property
    def bytes(self) -> int:
        return self.rows.nbytes


class Projector:
    """Belongs to the thread that made it."""

    def __init__(self, handle: int, weights: Weights, *, bytes_: int) -> None:
        self._c: Any = sight_library()
        self._handle: int | None = handle
        self._name = weights.files.name
        self._width: int = self._c.llama_model_n_embd_inp(weights.model)
        self._turns = bool(self._c.mtmd_decode_use_mrope(handle))
        self._outlines: OrderedDict[tuple[int, int], Outline] = OrderedDict()
        self.bytes = bytes_

    def outline(self, picture: Picture) -> Outline:
        """What will stand for it. Follows from its size alone, so nothing is computed. Raises UsageError."""
        size = picture.width, picture.height
        if size not in self._outlines:
            with self._chunks(picture, None) as chunks:
                self._outlines[size] = tuple(self._outlined(chunk) for chunk in chunks)
            if len(self._outlines) > _LAYOUTS_MAX:
                self._outlines.popitem(last=False)
        self._outlines.move_to_end(size)
        return self._outlines[size]

    def features(self, picture: Picture) -> Features:
        """Through the tower. Raises UsageError for a picture that it refuses, GenerationFailed when it breaks on it."""
        rows: list[Floats] = []
        outline: list[tuple[int, ...] | Patch] = []
        with self._chunks(picture, picture.pixels) as chunks:
            for chunk in chunks:
                part = self._outlined(chunk)
                outline.append(part)
                if isinstance(part, Patch):
                    rows.append(self._encoded(chunk, part.count))
        return Features(tuple(outline), np.concatenate(rows) if rows else np.empty((0, self._width), np.float32))

    def close(self) -> None:
        """Idempotent."""
        if self._handle is not None:
            self._c.mtmd_free(self._handle)
            self._handle = None

    @contextmanager
    def _chunks(self, picture: Picture, pixels: bytes | None) -> Generator[list[int]]:
        """llama.cpp's own division of one picture. Without pixels it only says how large its parts are."""
        bitmap: int = self._c.mtmd_bitmap_init(picture.width, picture.height, pixels)
        chunks: int = self._c.mtmd_input_chunks_init()
        part = Part(None, bitmap)
        try:
            parts = (ctypes.POINTER(Part) * 1)(ctypes.pointer(part))
            if self._c.mtmd_tokenize_from_parts(self._handle, chunks, parts, 1, False):
                raise UsageError(
                    f"`{self._name}` refuses a picture of {picture.width} × {picture.height} pixels.",
                    hint="Send it in another size.",
                )
            yield [
                self._c.mtmd_input_chunks_get(chunks, number)
                for number in range(self._c.mtmd_input_chunks_size(chunks))
            ]
        finally:
            self._c.mtmd_input_chunks_free(chunks)
            self._c.mtmd_bitmap_free(bitmap)

    def _outlined(self, chunk: int) -> tuple[int, ...] | Patch:
        if self._c.mtmd_input_chunk_get_type(chunk) != IMAGE:
            count = ctypes.c_size_t()
            tokens = self._c.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(count))
            return tuple(tokens[: count.value])
        count = int(self._c.mtmd_input_chunk_get_n_tokens(chunk))
        axes = None
        if self._turns:
            tokens = self._c.mtmd_input_chunk_get_tokens_image(chunk)
            first, second = (self._axes(tokens, start, count) for start in (0, 1))
            axes = first, second - first
        return Patch(
            count=count,
            length=int(self._c.mtmd_input_chunk_get_n_pos(chunk)),
            whole=bool(self._c.mtmd_decode_use_non_causal(self._handle, chunk)),
            axes=axes,
        )

    def _axes(self, tokens: int, start: int, count: int) -> Ints:
        """In the order in which llama.cpp's batches want them."""
        places: list[Place] = [
            self._c.mtmd_image_tokens_get_decoder_pos(tokens, start, number) for number in range(count)
        ]
        return np.array([[place.t, place.y, place.x, place.z] for place in places], dtype=np.int32).T

    def _encoded(self, chunk: int, count: int) -> Floats:
        if self._c.mtmd_encode_chunk(self._handle, chunk):
            raise GenerationFailed(
                f"The projector of `{self._name}` gave up on a picture.",
                hint="Ask again; report it with the server's log if it happens again.",
            )
        return np.ctypeslib.as_array(self._c.mtmd_get_output_embd(self._handle), (count, self._width)).copy()


def open_projector(path: Path, weights: Weights, *, on_device: bool) -> Projector | None:
    """None for one that hears and does not see. Raises Corrupt for a broken file, Incompatible for that of another model."""
    c, name = sight_library(), weights.files.name
    if not path.is_file():
        raise Corrupt(f"`{name}` lacks its projector `{path.name}`.", hint=_PULL_AGAIN)
    try:
        header = read_gguf_header(FileReader(path), name=path.name)
    except OSError as error:
        raise Corrupt(f"The projector of `{name}` cannot be read: {error.strerror}.", hint=_PULL_AGAIN) from error
    parameters = c.mtmd_context_params_default()
    parameters.use_gpu = on_device
    parameters.n_threads = weights.threads
    parameters.warmup = False
    LINES.last.clear()
    handle: int | None = c.mtmd_init_from_file(os.fsencode(path), weights.model, parameters)
    if not handle:
        said = (
            (LINES.last[-1] if LINES.last else "it does not say why")[:300].replace(f"{path.parent}/", "").rstrip(".")
        )
        raise Incompatible(
            f"llama.cpp cannot use the projector `{path.name}` with `{name}`: {said}.",
            hint="Take the projector that was made for this model; pull both from the same repository.",
        )
    if not c.mtmd_support_vision(handle):
        c.mtmd_free(handle)
        return None
    return Projector(handle, weights, bytes_=header.data_bytes)
