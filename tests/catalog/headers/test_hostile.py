"""Headers that lie. Each must be refused by name and offence, before anything that it claims is allocated."""

import contextlib
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.catalog.headers import read_gguf_header, read_safetensors_header
from paddock.catalog.headers.gguf import HEADER_BYTES_MAX
from paddock.errors import InvalidHeader
from tests.catalog.building import (
    BytesReader,
    gguf_array,
    gguf_bytes,
    gguf_key,
    gguf_tensor,
    gguf_text,
    safetensors_bytes,
    tensor_entry,
)

HUGE = 1 << 63
T = tensor_entry

SAFETENSORS = {
    "empty file": (b"", "is missing"),
    "seven bytes": (b"1234567", "is missing"),
    "length of 2^63": (struct.pack("<Q", HUGE) + b"{}", "claims to be 9223372036854775808 bytes long"),
    "length beyond the file": (struct.pack("<Q", 1000) + b"{}", "claims 1000 bytes, and the file ends after 10"),
    "not JSON": (safetensors_bytes(b"{nonsense}"), "is not JSON"),
    "a list": (safetensors_bytes(b"[1, 2]"), "does not begin with `{`"),
    "not UTF-8": (safetensors_bytes(b'{"\xff\xfe": 1}'), "is not UTF-8"),
    "deep nesting": (safetensors_bytes(b'{"a":' + b"[" * 100_000), "nests deeper"),
    "a key twice": (safetensors_bytes(b'{"a": 1, "a": 2}'), "has the key `a` twice"),
    "NaN": (safetensors_bytes(b'{"a": NaN}'), "holds `NaN`"),
    "a number of 10,000 digits": (safetensors_bytes(b'{"a": ' + b"9" * 10_000 + b"}"), "is not JSON"),
    "metadata that is a list": (safetensors_bytes({"__metadata__": [1]}), "`__metadata__` that is not text"),
    "a tensor that is a number": (safetensors_bytes({"a": 7}), "not an object"),
    "a missing field": (safetensors_bytes({"a": {"dtype": "F32", "shape": [1]}}), "instead of dtype, shape"),
    "an unknown type": (safetensors_bytes({"a": T("F99")}, bytes(4)), "unknown type `F99`"),
    "a negative length": (safetensors_bytes({"a": T(shape=(-1,))}, bytes(4)), "the shape"),
    "a length that is true": (safetensors_bytes({"a": {**T(), "shape": [True]}}, bytes(4)), "the shape"),
    "a fractional length": (safetensors_bytes({"a": {**T(), "shape": [1.5]}}, bytes(4)), "the shape"),
    "dimensions that overflow": (safetensors_bytes({"a": T(shape=(1 << 40, 1 << 40))}), "larger than any file"),
    "seventeen dimensions": (safetensors_bytes({"a": T(shape=(1,) * 17)}, bytes(4)), "the shape"),
    "offsets backwards": (safetensors_bytes({"a": T(start=4, end=0)}, bytes(4)), "the offsets"),
    "negative offset": (safetensors_bytes({"a": T(start=-4, end=0)}, bytes(4)), "the offsets"),
    "three offsets": (safetensors_bytes({"a": {**T(), "data_offsets": [0, 2, 4]}}, bytes(4)), "the offsets"),
    "size against shape": (safetensors_bytes({"a": T(shape=(2,))}, bytes(4)), "its type and shape need 8"),
    "overlap": (safetensors_bytes({"a": T(), "b": T(start=2, end=6)}, bytes(6)), "overlaps the tensor before"),
    "the same bytes twice": (safetensors_bytes({"a": T(), "b": T()}, bytes(4)), "overlaps"),
    "a hole": (safetensors_bytes({"a": T(start=4, end=8)}, bytes(8)), "leaves a hole"),
    "weights cut short": (safetensors_bytes({"a": T()}, bytes(3)), "promises 4 bytes of weights and the file holds 3"),
    "bytes left over": (
        safetensors_bytes({"a": T()}, bytes(9)),
        "accounts for 4 bytes of weights and the file holds 9",
    ),
    "a name with an escape": (safetensors_bytes({"\x1b[31m": T()}, bytes(4)), "name is not text"),
    "half a surrogate pair": (safetensors_bytes(b'{"\\ud800": {}}'), "name is not text"),
}

GGUF = {
    "empty file": (b"", "does not begin with `GGUF`"),
    "another magic": (gguf_bytes(magic=b"GGML"), "does not begin with `GGUF`"),
    "version 1": (gguf_bytes(version=1), "version 1, not 2 or 3"),
    "version 99": (gguf_bytes(version=99), "version 99"),
    "big-endian": (gguf_bytes(version=3 << 24), "is big-endian"),
    "2^63 keys": (gguf_bytes(key_count=HUGE), "claims 9223372036854775808 keys"),
    "more keys than room": (gguf_bytes(key_count=60_000), "60000 keys, and the file has room"),
    "2^63 tensors": (gguf_bytes(tensor_count=HUGE), "claims 9223372036854775808 tensors"),
    "more tensors than room": (gguf_bytes(tensor_count=200_000), "200000 tensors, and the file has room"),
    "a key longer than the file": (
        gguf_bytes([struct.pack("<Q", HUGE) + b"general"]),
        "string of 9223372036854775808 bytes",
    ),
    "a long key": (gguf_bytes([gguf_key("k" * 2000, 4, 1)]), "a key whose name is 2000 bytes long"),
    "a key that is not text": (gguf_bytes([gguf_key("a\x00b", 4, 1)]), "a key whose name is not text"),
    "a key twice": (gguf_bytes([gguf_key("a.b", 4, 1), gguf_key("a.b", 4, 2)]), "has the key `a.b` twice"),
    "an unknown kind": (gguf_bytes([gguf_key("a.b", 13, 1)]), "gives `a.b` the unknown type 13"),
    "a text longer than the file": (
        gguf_bytes([gguf_text("a.b") + struct.pack("<IQ", 8, 1 << 40)]),
        "string of 1099511627776 bytes",
    ),
    "a text of five megabytes": (gguf_bytes([gguf_key("a.b", 8, "x" * 5_000_000)]), "5000000 bytes of text"),
    "nested arrays": (gguf_bytes([gguf_key("a.b", 9, gguf_array(9, []))]), "nests arrays in `a.b`"),
    "an array of an unknown kind": (gguf_bytes([gguf_key("a.b", 9, gguf_array(77, []))]), "unknown type 77"),
    "an array of 2^63 numbers": (
        gguf_bytes([gguf_key("a.b", 9, gguf_array(4, [], count=HUGE))]),
        "claims 9223372036854775808 values in `a.b`",
    ),
    "an array of 2^61 words": (
        gguf_bytes([gguf_key("a.b", 9, gguf_array(8, [], count=1 << 61))]),
        "claims 2305843009213693952 values",
    ),
    "a word in a vocabulary that leaves the file": (
        gguf_bytes([gguf_key("a.b", 9, struct.pack("<IQ", 8, 2000) + struct.pack("<Q", HUGE) * 2000)]),
        "string of 9223372036854775808 bytes",
    ),
    "alignment 0": (gguf_bytes([gguf_key("general.alignment", 4, 0)]), "alignment 0, which is not a power of two"),
    "alignment 33": (gguf_bytes([gguf_key("general.alignment", 4, 33)]), "alignment 33"),
    "alignment that is text": (gguf_bytes([gguf_key("general.alignment", 8, "32")]), "alignment 32"),
    "five dimensions": (gguf_bytes([], [gguf_tensor("a", (1,) * 5)]), "5 dimensions"),
    "2^32 - 1 dimensions": (
        gguf_bytes([], [gguf_text("a") + struct.pack("<I", 0xFFFFFFFF)]),
        "4294967295 dimensions",
    ),
    "dimensions that overflow": (gguf_bytes([], [gguf_tensor("a", (1 << 33, 1 << 33))]), "larger than any file"),
    "an unknown tensor type": (gguf_bytes([], [gguf_tensor("a", kind=4)]), "tensor `a` the unknown type 4"),
    "part of a block": (gguf_bytes([], [gguf_tensor("a", (31,), kind=2)]), "not whole blocks of 32"),
    "a crooked offset": (gguf_bytes([], [gguf_tensor("a", offset=7)]), "at 7, which is not a multiple of 32"),
    "a tensor twice": (gguf_bytes([], [gguf_tensor("a"), gguf_tensor("a", offset=128)], data_bytes=256), "`a` twice"),
    "overlap": (gguf_bytes([], [gguf_tensor("a"), gguf_tensor("b", offset=32)]), "inside the tensor before it"),
    "a tensor out of the file": (gguf_bytes([], [gguf_tensor("a", offset=1 << 40)]), "it is cut short"),
    "an offset of nearly 2^64": (gguf_bytes([], [gguf_tensor("a", offset=(1 << 64) - 32)]), "it is cut short"),
    "part 3 of 2": (gguf_bytes([gguf_key("split.no", 2, 3), gguf_key("split.count", 2, 2)]), "part 3 of 2"),
    "a tensor that ends early": (gguf_bytes([], [gguf_text("a" * 40) + struct.pack("<I", 4)])[:80], "ends early"),
}


@pytest.mark.parametrize("case", SAFETENSORS)
def test_a_hostile_safetensors_header_is_refused_by_name_and_offence(case: str) -> None:
    """These files come from strangers; the libraries that load them have died on less."""
    data, message = SAFETENSORS[case]
    with pytest.raises(InvalidHeader) as caught:
        read_safetensors_header(BytesReader(data), name="evil.safetensors")
    assert message in caught.value.message
    assert "`evil.safetensors`" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("case", GGUF)
def test_a_hostile_gguf_header_is_refused_by_name_and_offence(case: str) -> None:
    """As above; GGUF readers have a list of CVEs of their own."""
    data, message = GGUF[case]
    with pytest.raises(InvalidHeader) as caught:
        read_gguf_header(BytesReader(data), name="evil.gguf")
    assert message in caught.value.message
    assert "`evil.gguf`" in caught.value.message


def test_no_claim_makes_memory_before_it_is_checked() -> None:
    """A header of 100 bytes must not cost more than the first read."""
    cases = [data for data, _ in [*SAFETENSORS.values(), *GGUF.values()] if len(data) < 10_000]
    tracemalloc.start()
    try:
        for data in cases:
            for parse in (read_safetensors_header, read_gguf_header):
                with pytest.raises(InvalidHeader):
                    parse(BytesReader(data))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


def test_a_file_that_shrinks_while_it_is_read_is_refused() -> None:
    """A far server may answer with less than it promised."""
    with pytest.raises(InvalidHeader, match="shorter while it was read"):
        read_safetensors_header(BytesReader(struct.pack("<Q", 500) + b"{", size=10_000))
    with pytest.raises(InvalidHeader, match="shorter while it was read"):
        read_gguf_header(BytesReader(gguf_bytes(key_count=5)[:24], size=10_000))


_GOOD_SAFETENSORS = safetensors_bytes({"a": T(), "b": T("BF16", (2, 2), 4, 12)}, bytes(12))
_GOOD_GGUF = gguf_bytes(
    [
        gguf_key("general.architecture", 8, "llama"),
        gguf_key("llama.context_length", 4, 4096),
        gguf_key("tokenizer.ggml.tokens", 9, gguf_array(8, [f"t{n}" for n in range(1100)])),
    ],
    [gguf_tensor("a"), gguf_tensor("b", (32, 2), kind=8, offset=128)],
    data_bytes=256,
)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_header_or_invalid(data: bytes) -> None:
    """No third way: the server process reads these."""
    for start in (
        b"",
        b"GGUF\x03\x00\x00\x00",
        struct.pack("<Q", len(data)),
        b"GGUF\x03\x00\x00\x00" + struct.pack("<QQ", 1, 1),
    ):
        _parse_both(start + data)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([_GOOD_SAFETENSORS, _GOOD_GGUF]),
    st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4),
    st.integers(0, 64),
)
def test_a_good_header_with_some_bytes_changed_is_a_header_or_invalid(
    good: bytes, changes: list[tuple[int, bytes]], cut: int
) -> None:
    """Mutations reach deeper than noise."""
    data = bytearray(good)
    for place, patch in changes:
        place %= len(data)
        data[place : place + len(patch)] = patch
    _parse_both(bytes(data[: len(data) - cut]))


def _parse_both(data: bytes) -> None:
    for parse in (read_safetensors_header, read_gguf_header):
        reader = BytesReader(data)
        with contextlib.suppress(InvalidHeader):
            parse(reader)
        assert reader.bytes_read <= max(2 * len(data), 64 * 1024)


def test_a_header_that_never_ends_is_given_up() -> None:
    """A file of 100 GB that is all vocabulary must not be read to its end."""

    class Endless:
        """As many one-letter words as anyone asks for."""

        size = 100 << 30
        read_bytes = 0

        def read(self, offset: int, length: int) -> bytes:
            self.read_bytes += length
            head = gguf_bytes(
                [gguf_key("a.b", 9, gguf_array(8, [], count=7_999_999))] * 1,
                key_count=65_000,
                data_bytes=0,
                alignment=1,
            )
            pattern = gguf_text("w" * 1016)  # 1024 bytes a word
            if offset < len(head):
                return (head + pattern * (length // 1024 + 1))[offset : offset + length]
            shift = (offset - len(head)) % 1024
            return (pattern * (length // 1024 + 2))[shift : shift + length]

    reader = Endless()
    with pytest.raises(InvalidHeader, match="is longer than"):
        read_gguf_header(reader)
    assert reader.read_bytes <= HEADER_BYTES_MAX + (16 << 20)
