from typing import Any

import pytest

from paddock.catalog.compatibility import judge, supported
from paddock.vocabulary import Confidence, ModelFormat, Verdict

FILES = ("config.json", "model.safetensors", "tokenizer.json")


def verdict(**told: Any) -> Any:
    return judge(
        **{"name": "someone/model", "files": FILES, "format": ModelFormat.MLX, "architecture": "llama", **told}
    )


@pytest.mark.parametrize(
    ("told", "confidence"),
    [
        ({"tags": ("mlx",)}, Confidence.HIGH),
        ({"tags": ("Apple-MLX",)}, Confidence.HIGH),
        ({"tags": ("library:mlx",), "architecture": None}, Confidence.HIGH),
        ({"name": "mlx-community/model-4bit"}, Confidence.MEDIUM),
        ({"name": "someone/model-mlx"}, Confidence.MEDIUM),
        ({}, Confidence.LOW),
        ({"architecture": "qwen2-vl"}, Confidence.LOW),
        ({"architecture": "xlm-roberta"}, Confidence.LOW),
        ({"remote_code": True}, Confidence.LOW),
        ({"quantization_method": "AWQ"}, Confidence.LOW),
        ({"format": ModelFormat.GGUF, "files": ("m.gguf",), "architecture": "gpt-oss"}, Confidence.HIGH),
        ({"format": ModelFormat.GGUF, "files": ("m.gguf",), "architecture": None}, Confidence.MEDIUM),
        ({"files": None, "name": "MLX-Community/x", "online": False}, Confidence.MEDIUM),
        ({"files": None, "tags": ("gguf",)}, Confidence.MEDIUM),
        ({"files": (*FILES, "pytorch_model.bin")}, Confidence.LOW),
    ],
)
def test_a_compatible_model_comes_with_how_sure_we_are(told: dict[str, Any], confidence: Confidence) -> None:
    """Document A, section 5."""
    found = verdict(**told)
    assert (found.verdict, found.confidence, found.reasons) == (Verdict.COMPATIBLE, confidence, ())


@pytest.mark.parametrize(
    ("told", "reasons"),
    [
        ({"files": ("model.safetensors", "tokenizer.json")}, ["no config.json"]),
        ({"files": ("config.json", "tokenizer.json")}, ["no .safetensors weights"]),
        ({"files": ("config.json", "model.safetensors")}, ["no tokenizer"]),
        ({"files": ()}, ["no config.json", "no .safetensors weights", "no tokenizer"]),
        ({"files": ("config.json", "pytorch_model.bin", "tokenizer.json")}, ["`pytorch_model.bin`"]),
        ({"files": ("x.ckpt",), "format": ModelFormat.UNKNOWN}, ["pickles (`x.ckpt`)"]),
        ({"files": ("x.pt", "config.json"), "format": ModelFormat.UNKNOWN}, ["pickles (`x.pt`)"]),
        ({"files": ("x.pth",), "format": ModelFormat.UNKNOWN}, ["pickles (`x.pth`)"]),
        ({"files": ("README.md",), "format": ModelFormat.UNKNOWN}, ["no weights in a format"]),
        ({"architecture": "mystery"}, ["architecture `mystery` is not one that MLX"]),
        ({"architecture": "mystery", "remote_code": True}, ["architecture `mystery`", "Python code of its own"]),
        ({"architecture": "mystery", "tags": ("mlx",)}, ["architecture `mystery`"]),
        ({"quantization_method": "bitsandbytes"}, ["quantized by `bitsandbytes`"]),
        ({"format": ModelFormat.GGUF, "architecture": "mystery"}, ["not one that llama.cpp"]),
        ({"format": ModelFormat.ONNX}, ["runs in ONNX Runtime, not here"]),
        ({"format": ModelFormat.COREML}, ["runs in Core ML, not here"]),
        ({"format": ModelFormat.TFLITE}, ["runs in TensorFlow Lite, not here"]),
        ({"format": ModelFormat.SWIFT_TRANSFORMERS}, ["runs in Swift Transformers, not here"]),
    ],
)
def test_an_incompatible_model_comes_with_each_reason(told: dict[str, Any], reasons: list[str]) -> None:
    """All of them at once: nobody wants to fix one to be told the next."""
    found = verdict(**told)
    assert found.verdict is Verdict.INCOMPATIBLE
    assert found.confidence is None
    for reason in reasons:
        assert any(reason in told for told in found.reasons)
    assert all(reason.endswith(".") for reason in found.reasons)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"files": None, "online": False}, "hub cannot be reached"),
        ({"files": None, "online": True}, "could not be listed"),
        ({"architecture": None}, "names no model_type"),
        ({"architecture": None, "gated": True}, "terms were not accepted"),
    ],
)
def test_what_cannot_be_known_is_said_to_be_unknown(told: dict[str, Any], reason: str) -> None:
    """Neither yes nor no would be honest."""
    found = verdict(**told)
    assert found.verdict is Verdict.UNKNOWN
    assert reason in found.reasons[0]


def test_files_that_training_left_behind_are_not_weights() -> None:
    """`training_args.bin` stands beside many good models."""
    found = verdict(files=("config.json", "training_args.bin", "tokenizer.json"))
    assert found.reasons == ("It has no .safetensors weights.",)


def test_document_a_s_architectures_are_judged_by_what_the_runners_really_have() -> None:
    """Its list was a guess; ours is read from the wheels. What they dropped or never had is not promised."""
    has = supported().mlx
    assert {"llama", "mistral", "mixtral", "qwen", "qwen2", "phi", "phi3", "gemma", "gemma2", "starcoder2"} <= has
    assert {"deepseek", "internlm2", "llava", "llava_next", "qwen2_vl", "pixtral", "paligemma"} <= has
    assert {"llama", "qwen3", "gemma3", "gpt-oss", "deepseek2"} <= supported().llama_cpp
