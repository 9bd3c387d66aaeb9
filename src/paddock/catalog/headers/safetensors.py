"""The header of a .safetensors file.

| 8 bytes: N, little-endian | N bytes of JSON | data: every byte belongs to exactly one tensor |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, cast

from paddock.catalog.headers.claims import is_clean_name, offence, shown, strict_json
from paddock.catalog.reading import RangeReader

HEADER_BYTES_MAX: Final = 32 * 1024 * 1024  # some 300,000 tensors; the largest files in the wild hold a tenth
_FIRST_READ_BYTES: Final = 64 * 1024
_DIMENSIONS_MAX: Final = 16

BITS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
        "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
        "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
        "I32": 32, "U32": 32, "F32": 32,
        "I64": 64, "U64": 64, "F64": 64, "C64": 64,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SafetensorsTensor:
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int

    @property
    def elements(self) -> int:
        count = 1
        for length in self.shape:
            count *= length
        return count


@dataclass(frozen=True, slots=True)
class SafetensorsHeader:
    """What one file holds: tensors by name in the order of the file, and the free text that its maker left."""

    tensors: Mapping[str, SafetensorsTensor]
    metadata: Mapping[str, str]
    data_bytes: int  # all weights together
    header_bytes: int  # length word and JSON


def read_safetensors_header(reader: RangeReader, *, name: str = "model.safetensors") -> SafetensorsHeader:
    """Read and check the header. `name` stands in errors. Raises InvalidHeader, also for a file that is cut short."""
    start = reader.read(0, min(reader.size, _FIRST_READ_BYTES))
    if len(start) < 8:
        raise offence(name, f"is missing: the file has {reader.size} bytes")
    length = int.from_bytes(start[:8], "little")
    if length > HEADER_BYTES_MAX:
        raise offence(name, f"claims to be {length} bytes long, more than any header ({HEADER_BYTES_MAX})")
    if 8 + length > reader.size:
        raise offence(name, f"claims {length} bytes, and the file ends after {reader.size}")
    text = start[8 : 8 + length]
    if len(text) < length:
        text += reader.read(8 + len(text), length - len(text))
    if len(text) < length:
        raise offence(name, "ends early: the file got shorter while it was read")
    if not text.startswith(b"{"):
        raise offence(name, "does not begin with `{`")
    members = strict_json(text, lambda what: offence(name, what))
    return _check(cast("dict[str, Any]", members), name, 8 + length, reader.size)


def _check(members: dict[str, Any], name: str, header_bytes: int, file_bytes: int) -> SafetensorsHeader:
    metadata = _metadata(members.pop("__metadata__", None), name)
    spans: list[tuple[int, int, str, SafetensorsTensor]] = []
    for tensor_name, entry in members.items():
        start, end, tensor = _tensor(tensor_name, entry, name)
        spans.append((start, end, tensor_name, tensor))
    spans.sort(key=lambda span: span[:2])
    reached = 0
    for start, end, tensor_name, _ in spans:
        if start != reached:
            how = "overlaps the tensor before it" if start < reached else "leaves a hole before it"
            raise offence(
                name, f"says that tensor `{shown(tensor_name)}` starts at {start}, which {how} (at {reached})"
            )
        reached = end
    have = file_bytes - header_bytes
    if reached > have:
        raise offence(name, f"promises {reached} bytes of weights and the file holds {have}: it is cut short")
    if reached < have:
        raise offence(name, f"accounts for {reached} bytes of weights and the file holds {have}")
    return SafetensorsHeader(
        MappingProxyType({tensor_name: tensor for _, _, tensor_name, tensor in spans}), metadata, reached, header_bytes
    )


def _metadata(value: object, name: str) -> Mapping[str, str]:
    if value is None:
        return MappingProxyType({})
    members = cast("dict[str, object]", value) if isinstance(value, dict) else None
    if members is None or not all(isinstance(item, str) for item in members.values()):
        raise offence(name, "has `__metadata__` that is not text by key")
    return MappingProxyType(cast("dict[str, str]", members))


def _tensor(tensor_name: str, entry: object, name: str) -> tuple[int, int, SafetensorsTensor]:
    label = f"tensor `{shown(tensor_name)}`"
    if not is_clean_name(tensor_name):
        raise offence(name, f"has a tensor whose name is not text: `{shown(tensor_name)}`")
    if not isinstance(entry, dict):
        raise offence(name, f"describes {label} by something that is not an object")
    told = cast("dict[str, object]", entry)
    if set(told) != {"dtype", "shape", "data_offsets"}:
        raise offence(name, f"describes {label} by {shown(sorted(told))} instead of dtype, shape and data_offsets")
    dtype, shape, offsets = told["dtype"], told["shape"], told["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise offence(name, f"gives {label} the unknown type `{shown(dtype)}`")
    numbers = _whole_numbers(shape)
    if numbers is None or len(numbers) > _DIMENSIONS_MAX:
        raise offence(name, f"gives {label} the shape {shown(shape)}")
    span = _whole_numbers(offsets)
    if span is None or len(span) != 2 or span[0] > span[1]:
        raise offence(name, f"gives {label} the offsets {shown(offsets)}")
    bits = BITS[dtype]
    for number in numbers:  # Python's integers do not overflow, but others' do: refuse what no file can hold
        bits *= number
        if bits >= 1 << 66:
            raise offence(name, f"gives {label} the shape {shown(shape)}, which is larger than any file")
    if bits % 8 or bits // 8 != span[1] - span[0]:
        raise offence(name, f"gives {label} {span[1] - span[0]} bytes, and its type and shape need {bits / 8:g}")
    return span[0], span[1], SafetensorsTensor(dtype, numbers, bits // 8)


def _whole_numbers(value: object) -> tuple[int, ...] | None:
    """A JSON list of integers from 0 to 2^63, or None."""
    if not isinstance(value, list):
        return None
    numbers = cast("list[object]", value)
    if all(type(number) is int and 0 <= number < 1 << 63 for number in numbers):
        return tuple(cast("list[int]", numbers))
    return None
