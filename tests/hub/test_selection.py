"""A pull takes one set of weights that runs here, whatever else a repository holds. The layouts are those of real ones."""

import pytest

from paddock.errors import Incompatible, NotFound, UsageError
from paddock.hub.reference import ModelReference
from paddock.hub.selection import Selection, select, selectors
from paddock.hub.source import Listing, RemoteFile
from paddock.vocabulary import SourceKind

LLAMA = """
    .gitattributes LICENSE LICENSE.txt README.md USE_POLICY.md config.json generation_config.json
    model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json
    original/consolidated.00.pth original/params.json original/tokenizer.model pytorch_model.bin
    pytorch_model.bin.index.json special_tokens_map.json tokenizer.json tokenizer_config.json
"""
GGUFS = """
    README.md Qwen3-8B-Q2_K.gguf Qwen3-8B-Q4_K_M.gguf Qwen3-8B-Q5_K_M.gguf Qwen3-8B-UD-Q4_K_XL.gguf
    BF16/Qwen3-8B-BF16-00001-of-00002.gguf BF16/Qwen3-8B-BF16-00002-of-00002.gguf Qwen3-8B.imatrix.gguf
    mmproj-F32.gguf mmproj-BF16.gguf mmproj-F16.gguf config.json
"""
ONNX = """
    README.md config.json tokenizer.json onnx/model.onnx onnx/model.onnx_data onnx/model_fp16.onnx
    onnx/model_q4.onnx onnx/model_q4.onnx_data onnx/model_quantized.onnx
"""


def listing(text: str, selector: str | None = None, source: SourceKind = SourceKind.HUGGINGFACE) -> Listing:
    paths = sorted(text.split())
    return Listing(
        reference=ModelReference(source, "org/name", selector=selector),
        name="org/name",
        source=source,
        revision="0" * 40,
        files=tuple(RemoteFile(path=path, size=1000 + n, key=path) for n, path in enumerate(paths)),
    )


def chosen(text: str, selector: str | None = None) -> list[str]:
    return [file.path for file in select(listing(text, selector)).files]


def weights(text: str, selector: str | None = None) -> list[str]:
    small = (".json", ".md", ".txt", ".model", ".jinja", "LICENSE")
    return [path for path in chosen(text, selector) if not path.endswith(small)]


def test_safetensors_come_with_their_small_files_and_without_the_copies() -> None:
    assert chosen(LLAMA) == sorted(
        [
            "LICENSE",
            "LICENSE.txt",
            "README.md",
            "config.json",
            "generation_config.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "special_tokens_map.json",
            "tokenizer.json",
            "tokenizer_config.json",
        ]
    )


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("config.json model.safetensors consolidated.safetensors", ["model.safetensors"]),
        ("params.json consolidated.safetensors", ["consolidated.safetensors"]),
        ("config.json model.safetensors model.fp16.safetensors", ["model.safetensors"]),
        ("config.json model.safetensors model-00001-of-00002.safetensors", ["model.safetensors"]),
        ("config.json model.safetensors 4bit/model.safetensors 4bit/config.json", ["model.safetensors"]),
        (
            "config.json modules.json model.safetensors 2_Dense/model.safetensors 2_Dense/config.json",
            ["2_Dense/model.safetensors", "model.safetensors"],
        ),
        ("config.json model.safetensors tf_model.h5 flax_model.msgpack rust_model.ot", ["model.safetensors"]),
        ("config.json model.safetensors onnx/model.onnx model-Q4_K_M.gguf", ["model.safetensors"]),
        ("config.json model.safetensors checkpoint-500/model.safetensors", ["model.safetensors"]),
        ("config.json model.safetensors modeling_custom.py", ["model.safetensors"]),
    ],
)
def test_the_same_weights_are_taken_once(text: str, taken: list[str]) -> None:
    assert weights(text) == taken


def test_tokenizers_and_templates_of_every_spelling_come_along() -> None:
    text = "config.json model.safetensors tokenizer.model tokenizer.model.v3 merges.txt cl.tiktoken chat_template.jinja"
    assert chosen(text) == sorted(text.split())


def test_only_pickles_is_no_choice() -> None:
    """Loading them runs whatever their author put inside."""
    with pytest.raises(Incompatible, match="pickles"):
        chosen("config.json pytorch_model.bin")
    with pytest.raises(Incompatible, match="pytorch_model"):
        chosen("config.json pytorch_model.bin", "pytorch_model.bin")
    with pytest.raises(NotFound, match="no model weights"):
        chosen("README.md")


def test_a_gguf_repository_gives_q4_k_m_and_its_projector() -> None:
    selection = select(listing(GGUFS))
    assert [file.path for file in selection.files] == [
        "Qwen3-8B-Q4_K_M.gguf",
        "README.md",
        "config.json",
        "mmproj-F16.gguf",
    ]
    assert selection.selector == "Q4_K_M"


@pytest.mark.parametrize("selector", ["BF16", "bf16", "BF16/Qwen3-8B-BF16-00002-of-00002.gguf"])
def test_a_split_comes_with_all_its_parts(selector: str) -> None:
    assert weights(GGUFS, selector) == [
        "BF16/Qwen3-8B-BF16-00001-of-00002.gguf",
        "BF16/Qwen3-8B-BF16-00002-of-00002.gguf",
        "mmproj-F16.gguf",
    ]
    assert select(listing(GGUFS, selector)).selector == "BF16"


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        ("m-Q8_0.gguf m-Q5_K_M.gguf m-Q2_K.gguf", "m-Q5_K_M.gguf"),
        ("m-Q8_0.gguf m-Q4_K_S.gguf m-Q5_K_M.gguf", "m-Q4_K_S.gguf"),
        ("m-F16.gguf m-Q8_0.gguf", "m-Q8_0.gguf"),
        ("m.Q4_0.gguf m.IQ3_XXS.gguf m.f16.gguf", "m.Q4_0.gguf"),
        ("m-i1-IQ2_XS.gguf m-i1-Q6_K.gguf", "m-i1-Q6_K.gguf"),
        ("strange.gguf", "strange.gguf"),
    ],
)
def test_without_q4_k_m_the_nearest_is_taken(there: str, taken: str) -> None:
    assert weights(there) == [taken]


def test_a_quantization_in_the_dynamic_spelling_is_found_by_its_plain_name() -> None:
    assert weights(GGUFS, "Q4_K_XL") == ["Qwen3-8B-UD-Q4_K_XL.gguf", "mmproj-F16.gguf"]


def test_an_unknown_quantization_names_the_near_ones_and_all_there_are() -> None:
    with pytest.raises(NotFound) as caught:
        chosen(GGUFS, "Q4_K_N")
    assert "Did you mean `Q4_K_M`" in caught.value.hint
    assert "Q5_K_M" in caught.value.hint
    assert selectors(listing(GGUFS)) == ("BF16", "Q2_K", "Q4_K_M", "Q5_K_M", "UD-Q4_K_XL")


def test_two_models_of_one_quantization_must_be_told_apart_by_file() -> None:
    text = "small-Q4_K_M.gguf large-Q4_K_M.gguf"
    with pytest.raises(UsageError, match=r"small-Q4_K_M\.gguf"):
        chosen(text, "Q4_K_M")
    selection = select(listing(text, "small-Q4_K_M.gguf"))
    assert ([file.path for file in selection.files], selection.selector) == (
        ["small-Q4_K_M.gguf"],
        "small-Q4_K_M.gguf",
    )


def test_folders_that_each_hold_a_model_must_be_named() -> None:
    text = "README.md 4bit/config.json 4bit/model.safetensors 8bit/config.json 8bit/model.safetensors 8bit/merges.txt"
    with pytest.raises(UsageError, match="4bit, 8bit"):
        chosen(text)
    assert chosen(text, "8bit") == ["8bit/config.json", "8bit/merges.txt", "8bit/model.safetensors", "README.md"]
    assert select(listing(text, "8bit")).selector == "8bit"


def test_onnx_takes_one_precision_and_the_weights_outside_the_graph() -> None:
    assert chosen(ONNX) == ["README.md", "config.json", "onnx/model.onnx", "onnx/model.onnx_data", "tokenizer.json"]
    assert weights(ONNX, "q4") == ["onnx/model_q4.onnx", "onnx/model_q4.onnx_data"]
    assert weights(ONNX, "onnx/model_q4.onnx") == ["onnx/model_q4.onnx", "onnx/model_q4.onnx_data"]


def test_a_core_ml_package_is_a_folder_and_comes_whole() -> None:
    """Its weights end in `.bin` and are no pickles."""
    text = """
        README.md config.json tokenizer.json Model.mlpackage/Manifest.json
        Model.mlpackage/Data/com.apple.CoreML/model.mlmodel Model.mlpackage/Data/com.apple.CoreML/weights/weight.bin
        Small.mlpackage/Manifest.json Small.mlpackage/Data/weights/weight.bin
    """
    assert chosen(text) == sorted(text.split())
    assert not [path for path in chosen(text, "Small.mlpackage") if path.startswith("Model")]


def test_tensorflow_lite_takes_the_smallest() -> None:
    assert weights("a_int8.tflite b_f32.tflite config.json") == ["a_int8.tflite"]


def test_a_selector_where_there_is_no_choice_is_told() -> None:
    with pytest.raises(NotFound) as caught:
        chosen("config.json model.safetensors", "Q4_K_M")
    assert "leave out" in caught.value.hint


def test_sources_without_choice_give_all_they_list() -> None:
    text = "model.bin weird.dat"
    files = select(listing(text, source=SourceKind.OLLAMA)).files
    assert [file.path for file in files] == sorted(text.split())


def test_the_size_is_the_exact_sum() -> None:
    selection = select(listing(LLAMA))
    assert selection.size == sum(file.size or 0 for file in selection.files)
    assert selection.size_known
    unknown = Selection((RemoteFile(path="a", size=None),))
    assert (unknown.size, unknown.size_known) == (0, False)
