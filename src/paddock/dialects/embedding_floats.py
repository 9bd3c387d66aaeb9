"""Vectors as they go out: lists of numbers, or their bytes in base64."""

import sys
from array import array
from base64 import b64encode
from collections.abc import Iterator

from paddock.vocabulary import Embedded

_FLOAT_BYTES = 4


def number_lists(embedded: Embedded) -> Iterator[list[float]]:
    """One list an input. Each number is the float32 that the model made, to the last bit."""
    for row in _rows(embedded):
        numbers = array("f", row)
        if sys.byteorder == "big":
            numbers.byteswap()
        yield numbers.tolist()


def base64_texts(embedded: Embedded) -> Iterator[str]:
    """One text an input: float32, little-endian, as OpenAI's clients read it."""
    for row in _rows(embedded):
        yield b64encode(row).decode("ascii")


def _rows(embedded: Embedded) -> Iterator[bytes]:
    width = embedded.dimensions * _FLOAT_BYTES
    for begin in range(0, len(embedded.vectors), width):
        yield embedded.vectors[begin : begin + width]
