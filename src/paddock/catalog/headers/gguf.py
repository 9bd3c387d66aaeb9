"""The header of a .gguf file (versions 2 and 3, little-endian).

| GGUF | version | tensor count | key count | keys: name, type, value … | tensors: name, shape, type, offset … |
| padding to general.alignment | tensor data, each tensor at its offset |
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from paddock.catalog.headers.claims import is_clean_name, offence, shown
from paddock.catalog.headers.ggml import BLOCKS
from paddock.catalog.headers.window import Window
from paddock.catalog.reading import RangeReader

HEADER_BYTES_MAX: Final = 256 * 1024 * 1024  # a vocabulary of a million long words is a tenth of it
KEYS_MAX: Final = 65_536
TENSORS_MAX: Final = 262_144
STRING_BYTES_MAX: Final = 4 * 1024 * 1024  # of a value that is kept; the longest are chat templates
STRINGS_BYTES_MAX: Final = 32 * 1024 * 1024  # all kept values together
ARRAY_STRINGS_MAX: Final = 8_000_000
ARRAY_KEPT_MAX: Final = 1024  # per-layer settings are kept; vocabularies and their scores are only counted
_NAME_BYTES_MAX: Final = 1024
_DIMENSIONS_MAX: Final = 4
_ALIGNMENT_DEFAULT: Final = 32

_STRING, _ARRAY, _BOOL = 8, 9, 7
_NUMBERS: Final[Mapping[int, struct.Struct]] = {
    kind: struct.Struct("<" + code)
    for kind, code in {
        0: "B",
        1: "b",
        2: "H",
        3: "h",
        4: "I",
        5: "i",
        6: "f",
        7: "B",
        10: "Q",
        11: "q",
        12: "d",
    }.items()
}
_U32, _U64 = _NUMBERS[4], _NUMBERS[10]

GgufScalar = int | float | bool | str


@dataclass(frozen=True, slots=True)
class GgufArray:
    """An array in the metadata. `values` is None when it is long: then only its length is known."""

    count: int
    values: tuple[GgufScalar, ...] | None


@dataclass(frozen=True, slots=True)
class GgufTensor:
    type: str  # "Q4_K", "F16"
    shape: tuple[int, ...]  # fastest dimension first, as GGUF writes it
    size_bytes: int
    offset: int  # from the start of the data

    @property
    def elements(self) -> int:
        count = 1
        for length in self.shape:
            count *= length
        return count


@dataclass(frozen=True, slots=True)
class GgufSplit:
    """This file is part `number` (from 0) of `count`; all parts hold `tensors` tensors."""

    number: int
    count: int
    tensors: int | None


@dataclass(frozen=True, slots=True)
class GgufHeader:
    version: int
    metadata: Mapping[str, GgufScalar | GgufArray]
    tensors: Mapping[str, GgufTensor]
    data_offset: int
    data_bytes: int  # of this file's tensors, without padding
    split: GgufSplit | None = None

    @property
    def architecture(self) -> str | None:
        value = self.metadata.get("general.architecture")
        return value if isinstance(value, str) and value else None

    def setting(self, key: str) -> GgufScalar | GgufArray | None:
        """The architecture's own key: `setting("context_length")` reads `llama.context_length`."""
        return self.metadata.get(f"{self.architecture}.{key}")


def read_gguf_header(reader: RangeReader, *, name: str = "model.gguf") -> GgufHeader:
    """Read and check the header. `name` stands in errors. Raises InvalidHeader, also for a file that is cut short."""
    window = Window(reader, name, bytes_max=HEADER_BYTES_MAX)
    if window.left < 24 or window.take(4) != b"GGUF":
        raise offence(name, "does not begin with `GGUF`")
    version = int(window.unpack(_U32))
    if version not in (2, 3):
        swapped = version in (2 << 24, 3 << 24)
        raise offence(
            name, "is big-endian, which does not run here" if swapped else f"has version {version}, not 2 or 3"
        )
    tensor_count, key_count = int(window.unpack(_U64)), int(window.unpack(_U64))
    _check_count(name, "keys", key_count, KEYS_MAX, window.left // 13)
    _check_count(name, "tensors", tensor_count, TENSORS_MAX, window.left // 25)
    metadata = _read_metadata(window, key_count)
    alignment = _alignment(metadata, name)
    tensors = _read_tensors(window, tensor_count, alignment)
    data_offset = -(-window.position // alignment) * alignment
    _check_layout(name, tensors, reader.size - data_offset)
    return GgufHeader(
        version,
        MappingProxyType(metadata),
        MappingProxyType(tensors),
        data_offset,
        sum(tensor.size_bytes for tensor in tensors.values()),
        _split(metadata, name),
    )


def _check_count(name: str, what: str, count: int, limit: int, room: int) -> None:
    if count > limit:
        raise offence(name, f"claims {count} {what}, more than any model has ({limit})")
    if count > room:
        raise offence(name, f"claims {count} {what}, and the file has room for {room}")


def _read_metadata(window: Window, count: int) -> dict[str, GgufScalar | GgufArray]:
    metadata: dict[str, GgufScalar | GgufArray] = {}
    kept_bytes = 0
    for _ in range(count):
        key = _read_name(window, "a key")
        if key in metadata:
            raise offence(window.name, f"has the key `{shown(key)}` twice")
        kind = int(window.unpack(_U32))
        before = window.position
        metadata[key] = value = _read_array(window, key) if kind == _ARRAY else _read_scalar(window, kind, key)
        if isinstance(value, str) or (isinstance(value, GgufArray) and value.values is not None):
            kept_bytes += window.position - before
        if kept_bytes > STRINGS_BYTES_MAX:
            raise offence(window.name, f"holds more than {STRINGS_BYTES_MAX} bytes of text")
    return metadata


def _read_name(window: Window, what: str) -> str:
    length = window.string_length()
    if length > _NAME_BYTES_MAX:
        raise offence(window.name, f"has {what} whose name is {length} bytes long")
    name = window.take(length).decode("utf-8", "replace")
    if not is_clean_name(name):
        raise offence(window.name, f"has {what} whose name is not text: `{shown(name)}`")
    return name


def _read_scalar(window: Window, kind: int, key: str) -> GgufScalar:
    if kind == _STRING:
        length = window.string_length()
        if length > STRING_BYTES_MAX:
            raise offence(window.name, f"gives `{shown(key)}` {length} bytes of text, more than {STRING_BYTES_MAX}")
        return window.take(length).decode("utf-8", "replace")
    shape = _NUMBERS.get(kind)
    if shape is None:
        raise offence(window.name, f"gives `{shown(key)}` the unknown type {kind}")
    number = window.unpack(shape)
    return bool(number) if kind == _BOOL else number


def _read_array(window: Window, key: str) -> GgufArray:
    kind, count = int(window.unpack(_U32)), int(window.unpack(_U64))
    if kind == _ARRAY:
        raise offence(window.name, f"nests arrays in `{shown(key)}`")
    width = 8 if kind == _STRING else _NUMBERS[kind].size if kind in _NUMBERS else 0
    if not width:
        raise offence(window.name, f"gives the array `{shown(key)}` the unknown type {kind}")
    if count > window.left // width:
        raise offence(
            window.name, f"claims {count} values in `{shown(key)}`, and the file has {window.left} bytes left"
        )
    if count <= ARRAY_KEPT_MAX:
        return GgufArray(count, tuple(_read_scalar(window, kind, key) for _ in range(count)))
    if kind != _STRING:
        window.skip(count * width)
    elif count > ARRAY_STRINGS_MAX:
        raise offence(window.name, f"claims {count} words in `{shown(key)}`, more than any vocabulary")
    else:
        window.skip_strings(count)
    return GgufArray(count, None)


def _alignment(metadata: Mapping[str, GgufScalar | GgufArray], name: str) -> int:
    alignment = metadata.get("general.alignment", _ALIGNMENT_DEFAULT)
    if type(alignment) is not int or not 1 <= alignment <= 1 << 20 or alignment & (alignment - 1):
        raise offence(name, f"has the alignment {shown(alignment)}, which is not a power of two")
    return alignment


def _read_tensors(window: Window, count: int, alignment: int) -> dict[str, GgufTensor]:
    tensors: dict[str, GgufTensor] = {}
    for _ in range(count):
        tensor_name = _read_name(window, "a tensor")
        if tensor_name in tensors:
            raise offence(window.name, f"has the tensor `{shown(tensor_name)}` twice")
        tensors[tensor_name] = _read_tensor(window, tensor_name, alignment)
    return tensors


def _read_tensor(window: Window, tensor_name: str, alignment: int) -> GgufTensor:
    label = f"tensor `{shown(tensor_name)}`"
    dimensions = int(window.unpack(_U32))
    if dimensions > _DIMENSIONS_MAX:
        raise offence(window.name, f"gives {label} {dimensions} dimensions, more than {_DIMENSIONS_MAX}")
    shape = tuple(int(window.unpack(_U64)) for _ in range(dimensions))
    kind, offset = int(window.unpack(_U32)), int(window.unpack(_U64))
    block = BLOCKS.get(kind)
    if block is None:
        raise offence(window.name, f"gives {label} the unknown type {kind}")
    elements = 1
    for length in shape:
        elements *= length
        if elements >= 1 << 62:
            raise offence(window.name, f"gives {label} the shape {shown(shape)}, which is larger than any file")
    if (shape[0] if shape else 1) % block.elements:
        raise offence(window.name, f"gives {label} rows of {shape[:1]} values, not whole blocks of {block.elements}")
    if offset % alignment:
        raise offence(window.name, f"puts {label} at {offset}, which is not a multiple of {alignment}")
    return GgufTensor(block.name, shape, elements // block.elements * block.size_bytes, offset)


def _check_layout(name: str, tensors: Mapping[str, GgufTensor], have: int) -> None:
    """Every tensor inside the file, and no two on the same bytes."""
    reached = 0
    for tensor_name, tensor in sorted(tensors.items(), key=lambda pair: (pair[1].offset, pair[1].size_bytes)):
        if tensor.offset < reached:
            raise offence(name, f"puts tensor `{shown(tensor_name)}` at {tensor.offset}, inside the tensor before it")
        reached = tensor.offset + tensor.size_bytes
        if reached > have:
            room = f"and the file holds {max(have, 0)}: it is cut short"
            raise offence(name, f"puts tensor `{shown(tensor_name)}` up to {reached}, {room}")


def _split(metadata: Mapping[str, GgufScalar | GgufArray], name: str) -> GgufSplit | None:
    number, count = metadata.get("split.no"), metadata.get("split.count")
    if number is None and count is None:
        return None
    if type(number) is not int or type(count) is not int or not 0 <= number < count <= 65_536:
        # llama.cpp writes 0 of 0 into files that were merged again.
        if (number, count) == (0, 0):
            return None
        raise offence(name, f"says it is part {shown(number)} of {shown(count)}")
    tensors = metadata.get("split.tensors.count")
    return GgufSplit(number, count, tensors if type(tensors) is int and tensors >= 0 else None)
