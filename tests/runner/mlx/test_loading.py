"""Opening models that are not what they should be: each gets an error that names it and what to do."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from mlx.utils import tree_flatten
from mlx_lm.utils import load_model, quantize_model, save_model

from paddock.errors import Corrupt, Incompatible, InvalidHeader, NotEnoughMemory, PaddockError, UsageError
from paddock.runner.mlx.folder import read_folder
from paddock.runner.mlx.loading import Layout, choose_layout, load_weights
from paddock.runner.mlx.opening import open_model
from paddock.runner.opening import LoadOptions
from paddock.vocabulary import Message, ModelFormat
from tests.exactness.architectures import make_folder

COUNTS = (
    "max_position_embeddings",
    "num_attention_heads",
    "num_key_value_heads",
    "hidden_size",
    "vocab_size",
    "head_dim",
)
PONY = Path(__file__).parents[3] / "src/paddock/builtin_models/pony"


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    return make_folder("llama", tmp_path / "llama")


def change(folder: Path, **values: object) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in {**config, **values}.items() if value is not None}))


def cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def drop_a_tensor(folder: Path) -> None:
    path = str(folder / "model.safetensors")
    tensors = dict(mx.load(path))
    del tensors["model.layers.1.mlp.up_proj.weight"]
    mx.eval(tensors)
    mx.save_safetensors(path, tensors)


def pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def bring_code(folder: Path) -> None:
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    change(folder, model_file="evil.py")


@pytest.mark.parametrize(
    ("damage", "error", "words"),
    [
        (lambda folder: change(folder, hidden_size=128), Corrupt, ["llama", "contradict"]),
        (lambda folder: change(folder, num_hidden_layers=4), Corrupt, ["llama", "contradict"]),
        (lambda folder: change(folder, num_hidden_layers=10**9), Corrupt, ["1000000000", "tensors"]),
        (lambda folder: change(folder, num_attention_heads=3), Corrupt, ["llama"]),
        (lambda folder: change(folder, num_attention_heads=0), Corrupt, ["llama"]),
        (lambda folder: change(folder, hidden_size="many"), Corrupt, ["llama"]),
        (lambda folder: change(folder, hidden_size=None), Corrupt, ["llama", "describe"]),
        (lambda folder: change(folder, model_type="made_up_9000"), Incompatible, ["made_up_9000"]),
        (lambda folder: change(folder, model_type="../../evil"), Corrupt, ["model_type"]),
        (lambda folder: (folder / "config.json").write_text("{"), Corrupt, ["config.json"]),
        (lambda folder: (folder / "config.json").unlink(), Incompatible, ["config.json"]),
        (
            lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 64),
            InvalidHeader,
            ["`llama`", "model.safetensors"],
        ),
        (cut, InvalidHeader, ["`llama`", "model.safetensors"]),
        (drop_a_tensor, Corrupt, ["up_proj"]),
        (pickle, Incompatible, ["pickle"]),
        (bring_code, Incompatible, ["code"]),
    ],
)
def test_what_is_wrong_with_a_model_is_said(
    llama: Path, damage: Callable[[Path], Any], error: type[PaddockError], words: list[str]
) -> None:
    """A crash, or a stranger's traceback, tells nobody what to do."""
    damage(llama)
    with pytest.raises(error) as caught:
        load_weights(llama, "llama")
    assert all(word in caught.value.message for word in words), caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((key, value) for key in COUNTS for value in (0, -1, 2**62, 10**40, "many", True, 1.5, [4, -4])),
        ("num_hidden_layers", -3),
        ("num_experts", -1),
        *(
            (key, value)
            for key in ("rope_theta", "rms_norm_eps")
            for value in (math.nan, math.inf, -math.inf, -1.0, 10**400, "hot", True)
        ),
        ("rope_theta", 0),
        ("rope_scaling", {"rope_type": "linear", "factor": math.nan}),
        ("quantization", {"group_size": 0, "bits": 4}),
        ("quantization", {"group_size": 64, "bits": 10**9}),
    ],
)
def test_a_config_that_lies_about_shapes_is_refused_by_name_before_an_array_is_made(
    llama: Path, key: str, value: object
) -> None:
    """Model code believes these numbers: it loops over them, and asks for memory by them."""
    change(llama, **{key: value})
    with pytest.raises(Corrupt) as caught:
        read_folder(llama, "llama")
    assert f"The config.json of `llama` says {key}" in caught.value.message
    assert len(caught.value.message) < 200


def test_the_language_part_of_a_model_that_sees_is_checked_too(llama: Path) -> None:
    """Its numbers are the ones that the layers are built by."""
    change(llama, text_config={"hidden_size": -64})
    with pytest.raises(Corrupt, match="hidden_size = -64"):
        read_folder(llama, "llama")


@pytest.mark.parametrize(
    "values",
    [
        {"num_experts": 0, "sliding_window": -1, "rms_norm_eps": 0},
        {"max_position_embeddings": 10_485_760, "rope_theta": 5e8, "partial_rotary_factor": 0.5},
        {"time_step_limit": [0.0, math.inf], "head_dim": None, "num_key_value_heads": [2, 2, 2]},
        {"quantization_config": {"group_size": -1, "bits": 4}},
    ],
)
def test_odd_numbers_that_real_models_have_are_no_lies(llama: Path, values: dict[str, object]) -> None:
    """A check that refuses what runs is worse than none."""
    path = llama / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    assert read_folder(llama, "llama").parameters > 0


def test_a_missing_shard_is_named(llama: Path) -> None:
    """A pull that was cut off is the usual reason."""
    header = {"weight_map": {"model.norm.weight": "model-00002-of-00002.safetensors"}}
    (llama / "model.safetensors.index.json").write_text(json.dumps(header))
    with pytest.raises(Corrupt, match="model-00002-of-00002"):
        load_weights(llama, "llama")


def test_too_little_memory_tells_need_and_room(llama: Path) -> None:
    """The two numbers are what the reader acts on."""
    with pytest.raises(NotEnoughMemory, match=r"needs .* MB, 20\.0 MB may be used"):
        load_weights(llama, "llama", memory_bytes_max=20_000_000)


def test_weights_take_the_fast_layout_when_it_fits_and_the_stored_one_when_only_that_does() -> None:
    """bf16 is four times slower than float32 on a CPU, and still better than not running."""
    folder = read_folder(PONY, "pony")
    assert folder.parameters == 5_903_616
    assert choose_layout(folder, 10**9) is Layout.FLOAT32
    assert choose_layout(folder, 64 * 1024 * 1024 + 12_000_000) is Layout.AS_STORED
    weights = load_weights(PONY, "pony")
    assert {weight.dtype for _, weight in tree_flatten(weights.model.parameters())} == {mx.float32}
    assert weights.bytes == 4 * folder.parameters


def test_quantized_weights_are_unpacked_to_what_they_mean(llama: Path, tmp_path: Path) -> None:
    """Unpacking must not round a second time: the logits are those of the packed model."""
    model, config = load_model(llama)
    model, config = quantize_model(model, config, group_size=32, bits=8)
    packed = tmp_path / "packed"
    packed.mkdir()
    save_model(packed, model)
    (packed / "config.json").write_text(json.dumps(config))
    weights = load_weights(packed, "packed")
    assert not any(isinstance(module, nn.QuantizedLinear) for module in weights.model.modules())
    assert read_folder(packed, "packed").quantized
    tokens = mx.array([[5, 6, 7, 8]])
    assert mx.abs(weights.model(tokens) - model(tokens)).max().item() < 1e-3


def options(folder: Path, **values: Any) -> LoadOptions:
    return LoadOptions(name=folder.name, path=str(folder), format=ModelFormat.MLX, **values)


def test_pony_opens_with_all_that_the_runner_needs_to_know() -> None:
    """End tokens come from config, generation_config and tokenizer together."""
    opened = open_model(options(PONY, context_window=512))
    model = opened.executor.model
    assert (model.architecture, model.vocabulary, model.context_window) == ("qwen3", 4096, 512)
    assert model.end_token_ids == {0, 2}
    assert model.pages
    assert model.bytes_per_token == 8192
    opened.executor.close()


def test_a_tokenizer_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """It is the smallest file and the one most often missing."""
    folder = tmp_path / "pony"
    shutil.copytree(PONY, folder)
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(Corrupt, match="tokenizer"):
        open_model(options(folder))


def test_a_model_without_a_template_takes_prompts_only(tmp_path: Path) -> None:
    """Inventing a template would make the model answer badly and silently."""
    folder = tmp_path / "pony"
    shutil.copytree(PONY, folder)
    (folder / "chat_template.jinja").unlink()
    opened = open_model(options(folder))
    with pytest.raises(UsageError, match="no chat template"):
        opened.tokenizer.render([Message(role="user", content="Hi")], {})
    assert opened.tokenizer.encode("Hi")
    opened.executor.close()
