"""Models that another program runs are kept like all others: sized, pulled, verified, listed; `run` says who runs them."""

from collections.abc import Generator

import pytest

from tests.cli.conftest import cli, site
from tests.cli.running import Cli
from tests.fakes.content import Generated
from tests.fakes.huggingface import HuggingFaceHub
from tests.library import models

__all__ = ["cli", "site"]

FORMATS = {
    "onnx": (models.onnx(), {"tags": ("onnx",), "pipeline_tag": "text-generation"}, "ONNX Runtime"),
    "coreml": (models.coreml(), {"tags": ("coreml",), "pipeline_tag": "image-segmentation"}, "Core ML"),
    "tflite": (
        {"tiny.tflite": Generated(8192).read(), "tiny_int8.tflite": Generated(4096).read(), "README.md": b"# Phones\n"},
        {"tags": ("tflite",), "pipeline_tag": "text-generation"},
        "TensorFlow Lite",
    ),
    "swift_transformers": (
        {**models.coreml(), **models.small_files()},
        {"tags": ("coreml",), "pipeline_tag": "text-generation"},
        "Swift Transformers",
    ),
}
LEFT_OUT = {"onnx": {"onnx/model_fp16.onnx"}, "tflite": {"tiny.tflite"}}


@pytest.fixture
def hub() -> Generator[HuggingFaceHub]:
    with HuggingFaceHub() as hub:
        for format_, (files, told, _) in FORMATS.items():
            hub.add_repo(f"org/{format_}", files, **told)
        yield hub


@pytest.mark.parametrize("format_", FORMATS)
def test_a_model_of_another_program_is_kept_like_any(cli: Cli, format_: str) -> None:
    files, _, program = FORMATS[format_]
    name = f"org/{format_}"
    wanted = {path: len(content) for path, content in files.items() if path not in LEFT_OUT.get(format_, set())}
    plan = cli("plan", name, "--json")
    assert plan.code == 3, "the plan says already that it does not run here"
    assert (plan.document["format"], plan.document["framework"]) == (format_, program)
    assert {file["path"]: file["size"] for file in plan.document["files"]} == wanted
    assert plan.document["total_bytes"] == sum(wanted.values())

    done = cli("pull", name, "--skip-check")
    assert done.code == 0, done.err
    (model,) = cli("list", "--json").document["models"]
    assert (model["name"], model["format"], model["framework"]) == (name, format_, program)
    assert model["size"] == sum(wanted.values())
    assert f" {format_} " in cli("list").out
    assert program in cli("show", name).out
    assert cli("verify", name).code == 0

    for words in (("run", name, "Hello"), ("chat", name), ("bench", name), ("trial", name)):
        refused = cli(*words, "--json", stdin="Hello\n")
        assert refused.code == 3
        assert f"a model for {program}" in refused.error["message"]
        assert f"program that uses {program}" in refused.error["hint"]
    assert cli("rm", name, "--yes", "--json").document["freed_bytes"] == sum(wanted.values())
