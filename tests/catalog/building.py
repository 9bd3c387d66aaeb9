"""Makes headers by hand, so that tests can lie in them, and a reader that counts what is read."""

import json
import struct
from typing import Any

import paddock

BUILT_IN_MODELS = paddock.__path__[0] + "/builtin_models"


class BytesReader:
    """A file in memory that remembers how it was read."""

    def __init__(self, data: bytes, *, size: int | None = None) -> None:
        self._data = data
        self._size = len(data) if size is None else size
        self.reads: list[tuple[int, int]] = []

    @property
    def size(self) -> int:
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        assert offset >= 0
        assert length >= 0
        self.reads.append((offset, length))
        return self._data[offset : offset + length]

    @property
    def bytes_read(self) -> int:
        return sum(length for _, length in self.reads)


def safetensors_bytes(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor_entry(dtype: str = "F32", shape: tuple[int, ...] = (1,), start: int = 0, end: int = 4) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


_KINDS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}


def gguf_text(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(raw)) + raw


def gguf_key(key: str, kind: int, value: Any) -> bytes:
    payload = gguf_text(value) if kind == 8 else value if kind == 9 else struct.pack("<" + _KINDS.get(kind, "I"), value)
    return gguf_text(key) + struct.pack("<I", kind) + payload


def gguf_array(kind: int, values: list[Any], *, count: int | None = None) -> bytes:
    items = b"".join(gguf_text(v) if kind == 8 else struct.pack("<" + _KINDS.get(kind, "I"), v) for v in values)
    return struct.pack("<IQ", kind, len(values) if count is None else count) + items


def gguf_tensor(name: str, shape: tuple[int, ...] = (32,), kind: int = 0, offset: int = 0) -> bytes:
    return (
        gguf_text(name)
        + struct.pack("<I", len(shape))
        + struct.pack(f"<{len(shape)}Q", *shape)
        + struct.pack("<IQ", kind, offset)
    )


def gguf_bytes(
    keys: list[bytes] | None = None,
    tensors: list[bytes] | None = None,
    *,
    magic: bytes = b"GGUF",
    version: int = 3,
    key_count: int | None = None,
    tensor_count: int | None = None,
    data_bytes: int = 128,
    alignment: int = 32,
) -> bytes:
    keys, tensors = keys or [], tensors or []
    head = magic + struct.pack(
        "<IQQ",
        version,
        len(tensors) if tensor_count is None else tensor_count,
        len(keys) if key_count is None else key_count,
    )
    head += b"".join(keys) + b"".join(tensors)
    return head + bytes(-len(head) % alignment) + bytes(data_bytes)
