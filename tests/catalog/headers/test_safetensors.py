from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from paddock.catalog.headers import (
    parse_safetensors_index,
    read_safetensors_header,
    summarize_safetensors,
)
from paddock.catalog.reading import FileReader
from paddock.errors import InvalidHeader
from tests.catalog.building import BUILT_IN_MODELS, BytesReader, safetensors_bytes, tensor_entry

DTYPES = ["float16", "float32", "float64", "int8", "uint8", "int16", "int32", "uint32", "int64", "bool"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_header_of_the_real_library_is_read_as_it_was_written(tmp_path: Path, dtype: str) -> None:
    """The sizes that a plan shows must be those of the files that people really have."""
    arrays = {"a.weight": np.zeros((3, 5), dtype), "b": np.zeros((7,), dtype), "empty": np.zeros((0, 4), dtype)}
    path = tmp_path / "model.safetensors"
    save_file(arrays, path, metadata={"format": "pt"})
    header = read_safetensors_header(FileReader(path))
    assert {name: tensor.shape for name, tensor in header.tensors.items()} == {k: v.shape for k, v in arrays.items()}
    assert header.data_bytes == sum(array.nbytes for array in arrays.values())
    assert header.header_bytes + header.data_bytes == path.stat().st_size
    assert header.metadata == {"format": "pt"}


@pytest.mark.parametrize("model", ["pony", "foal", "pony-embed", "pony-vision"])
def test_the_built_in_models_account_for_every_byte(model: str) -> None:
    """They are the fixtures of everything that follows."""
    path = Path(BUILT_IN_MODELS) / model / "model.safetensors"
    header = read_safetensors_header(FileReader(path))
    assert header.header_bytes + header.data_bytes == path.stat().st_size


def test_a_small_header_costs_one_read_and_a_large_one_two() -> None:
    """Over HTTP each read is a round trip."""
    small = BytesReader(safetensors_bytes({"a": tensor_entry()}, bytes(4)))
    read_safetensors_header(small)
    assert len(small.reads) == 1
    many = {f"layers.{i}.weight": tensor_entry(start=4 * i, end=4 * i + 4) for i in range(5000)}
    large = BytesReader(safetensors_bytes(many, bytes(20_000)))
    assert len(read_safetensors_header(large).tensors) == 5000
    assert len(large.reads) == 2


def test_shards_are_joined_and_checked_against_their_index() -> None:
    """A shard that lacks what the index promises is a download gone wrong."""
    one = read_safetensors_header(BytesReader(safetensors_bytes({"a": tensor_entry()}, bytes(4))))
    two = read_safetensors_header(BytesReader(safetensors_bytes({"b": tensor_entry("BF16", (2,))}, bytes(4))))
    index = parse_safetensors_index(
        b'{"metadata": {"total_size": 8}, "weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}'
    )
    assert index.files == ("m-1.safetensors", "m-2.safetensors")
    assert index.total_bytes == 8
    whole = summarize_safetensors({"m-1.safetensors": one, "m-2.safetensors": two}, index=index)
    assert whole.complete
    assert whole.data_bytes == 8
    assert whole.bytes_by_dtype == {"F32": 4, "BF16": 4}
    assert not summarize_safetensors({"m-1.safetensors": one}, index=index).complete
    with pytest.raises(InvalidHeader, match="lacks tensor `a`"):
        summarize_safetensors({"m-1.safetensors": two}, index=index)
    with pytest.raises(InvalidHeader, match="another shard holds too"):
        summarize_safetensors({"m-1.safetensors": one, "m-2.safetensors": one})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[]", "not an object"),
        (b"{}", "no `weight_map`"),
        (b'{"weight_map": {"a": "../../etc/x.safetensors"}}', "not a shard's name"),
        (b'{"weight_map": {"a": "x.bin"}}', "not a shard's name"),
        (b'{"weight_map": {"a": 3}}', "not a shard's name"),
        (b'{"weight_map": {"": "x.safetensors"}}', "whose name is not text"),
        (b'{"weight_map"', "is not JSON"),
        (b" " * (32 * 1024 * 1024 + 1), "more than any index"),
    ],
)
def test_an_index_cannot_name_files_outside_its_folder(text: bytes, message: str) -> None:
    """The names become paths."""
    with pytest.raises(InvalidHeader, match=message):
        parse_safetensors_index(text)
