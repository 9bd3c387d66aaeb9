import time
from pathlib import Path

import gguf
import numpy as np
import pytest

from paddock.catalog.headers import gguf_split_files, read_gguf_header
from paddock.catalog.headers.ggml import BLOCKS, FILE_TYPES
from paddock.catalog.headers.gguf import GgufArray
from paddock.catalog.reading import FileReader
from paddock.errors import InvalidHeader
from tests.catalog.building import BytesReader, gguf_array, gguf_bytes, gguf_key, gguf_tensor


def write_model(path: Path, *, words: int = 300) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(8192)
    writer.add_block_count(2)
    writer.add_embedding_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_K_M)
    writer.add_token_list([f"word{number}" for number in range(words)])
    writer.add_token_scores([0.0] * words)
    writer.add_chat_template("{% if tools %}{{ tools }}{% endif %}<think>")
    writer.add_tensor("token_embd.weight", np.zeros((10, 64), np.float32))
    writer.add_tensor("blk.0.attn_q.weight", np.zeros((64, 64), np.float16))
    quantized = gguf.quants.quantize(np.ones((8, 64), np.float32), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("blk.0.ffn_up.weight", quantized, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_header_of_the_real_library_is_read_as_that_library_reads_it(tmp_path: Path) -> None:
    """Two readers, one truth: names, types, shapes, sizes and where the data begins."""
    path = tmp_path / "model.gguf"
    write_model(path)
    ours, theirs = read_gguf_header(FileReader(path)), gguf.GGUFReader(path)
    assert ours.architecture == "llama"
    assert ours.setting("context_length") == 8192
    assert ours.metadata["general.file_type"] == 15
    assert ours.metadata["tokenizer.ggml.tokens"] == GgufArray(300, tuple(f"word{n}" for n in range(300)))
    assert {t.name: (t.tensor_type.name, tuple(t.shape), t.n_bytes) for t in theirs.tensors} == {
        name: (tensor.type, tensor.shape, tensor.size_bytes) for name, tensor in ours.tensors.items()
    }
    assert ours.data_offset == theirs.data_offset
    assert ours.split is None


def test_our_table_of_types_is_the_library_s() -> None:
    """A wrong block size would make every size of that quantization wrong."""
    assert {number: (b.name, b.elements, b.size_bytes) for number, b in BLOCKS.items()} == {
        kind.value: (kind.name, *gguf.GGML_QUANT_SIZES[kind]) for kind in gguf.GGMLQuantizationType
    }
    theirs = {kind.value for kind in gguf.LlamaFileType if kind.name != "GUESSED"}
    assert set(FILE_TYPES) == theirs


def test_a_vocabulary_of_a_quarter_million_words_is_skipped_fast_and_in_few_reads() -> None:
    """Real headers are ten megabytes of words that nobody asks for."""
    words = gguf_array(8, [f"▁word{number}" for number in range(250_000)])
    scores = gguf_array(6, [0.5] * 250_000)
    data = gguf_bytes(
        [
            gguf_key("general.architecture", 8, "qwen3"),
            gguf_key("tokenizer.ggml.tokens", 9, words),
            gguf_key("tokenizer.ggml.scores", 9, scores),
            gguf_key("qwen3.context_length", 4, 40960),
        ],
        [gguf_tensor("a")],
    )
    reader = BytesReader(data)
    started = time.process_time()
    header = read_gguf_header(reader)
    assert time.process_time() - started < 2
    assert header.metadata["tokenizer.ggml.tokens"] == GgufArray(250_000, None)
    assert header.setting("context_length") == 40960
    assert len(reader.reads) <= 12
    assert reader.bytes_read < len(data)


def test_a_short_header_costs_one_read() -> None:
    """Over HTTP each read is a round trip."""
    reader = BytesReader(gguf_bytes([gguf_key("general.architecture", 8, "llama")], [gguf_tensor("a")]))
    read_gguf_header(reader)
    assert reader.reads == [(0, reader.size)]


def test_a_custom_alignment_moves_the_data() -> None:
    """Offsets count from there."""
    data = gguf_bytes(
        [gguf_key("general.alignment", 4, 64)], [gguf_tensor("a", offset=64)], alignment=64, data_bytes=192
    )
    assert read_gguf_header(BytesReader(data)).data_offset % 64 == 0


def test_parts_of_a_split_know_each_other() -> None:
    """All parts are one model: the plan must count and fetch them together."""
    keys = [gguf_key("split.no", 2, 1), gguf_key("split.count", 2, 3), gguf_key("split.tensors.count", 5, 40)]
    header = read_gguf_header(BytesReader(gguf_bytes(keys)))
    assert header.split
    assert (header.split.number, header.split.count, header.split.tensors) == (1, 3, 40)
    assert gguf_split_files("q/m-00002-of-00003.gguf") == (
        "q/m-00001-of-00003.gguf",
        "q/m-00002-of-00003.gguf",
        "q/m-00003-of-00003.gguf",
    )
    assert gguf_split_files("m.gguf") == ("m.gguf",)
    assert gguf_split_files("m-00009-of-00003.gguf") == ("m-00009-of-00003.gguf",)


@pytest.mark.parametrize("cut", [1, 100, 4000])
def test_a_file_that_is_cut_short_is_told_from_its_header(tmp_path: Path, cut: int) -> None:
    """A broken download must never be loaded."""
    path = tmp_path / "model.gguf"
    write_model(path)
    data = path.read_bytes()
    with pytest.raises(InvalidHeader, match=r"cut short|ends early"):
        read_gguf_header(BytesReader(data[: len(data) - 32 - cut]), name="model.gguf")
