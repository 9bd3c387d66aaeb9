import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from safetensors.numpy import save_file

from paddock.catalog.cache_layout import CacheLayout, cache_layout, gguf_cache_layout
from paddock.catalog.facts import Facts
from paddock.catalog.headers import read_gguf_header, read_safetensors_header, summarize_safetensors
from paddock.catalog.parameters import estimate_parameters
from paddock.catalog.reading import FileReader
from paddock.catalog.sizing import Device, MemoryEstimate, bits_per_value, estimate_memory
from paddock.vocabulary import Capabilities, ModelFormat
from tests.catalog.building import BUILT_IN_MODELS, BytesReader, gguf_array, gguf_bytes, gguf_key

MIB = 1024 * 1024
LLAMA_8B = {
    "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256, "max_position_embeddings": 131072,
}  # fmt: skip


def estimate(facts: Facts, device: Device = Device.METAL, **told: Any) -> MemoryEstimate:
    found = estimate_memory(facts=facts, device=device, **told)
    assert found
    return found


def built_in(model: str) -> tuple[dict[str, Any], Any, int]:
    folder = Path(BUILT_IN_MODELS) / model
    path = folder / "model.safetensors"
    header = read_safetensors_header(FileReader(path))
    config = json.loads((folder / "config.json").read_text())
    return config, summarize_safetensors({"m": header}), path.stat().st_size - header.header_bytes


@pytest.mark.parametrize("model", ["pony", "foal", "pony-embed", "pony-vision"])
def test_weights_of_the_built_in_models_are_exact_on_every_device(model: str) -> None:
    """As stored on Metal, two bytes a value on CUDA, four on CPU."""
    config, summary, file_bytes = built_in(model)
    facts = Facts(format=ModelFormat.MLX, context_window=1024)
    assert estimate(facts, config=config, safetensors=summary).weights_bytes == file_bytes
    assert estimate(facts, Device.CUDA, config=config, safetensors=summary).weights_bytes == file_bytes
    assert estimate(facts, Device.CPU, config=config, safetensors=summary).weights_bytes == 2 * file_bytes


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8"])
def test_weights_as_stored_are_the_bytes_of_the_file(tmp_path: Path, dtype: str) -> None:
    """To the byte."""
    arrays = {"a.weight": np.zeros((33, 65), dtype), "b": np.zeros((7,), dtype)}
    save_file(arrays, tmp_path / "m.safetensors")
    summary = summarize_safetensors({"m": read_safetensors_header(FileReader(tmp_path / "m.safetensors"))})
    expected = sum(array.nbytes for array in arrays.values())
    assert estimate(Facts(format=ModelFormat.MLX), safetensors=summary).weights_bytes == expected


@pytest.mark.parametrize(("bits", "group"), [(2, 64), (3, 64), (4, 32), (4, 64), (6, 64), (8, 128)])
def test_quantized_mlx_weights_are_exact_as_stored_and_expanded(tmp_path: Path, bits: int, group: int) -> None:
    """A 4-bit model on CPU becomes float32 of all its values, eight times its file."""
    rows, columns = 64, 256
    arrays = {
        "l.weight": np.zeros((rows, columns * bits // 32), np.uint32),
        "l.scales": np.zeros((rows, columns // group), np.float16),
        "l.biases": np.zeros((rows, columns // group), np.float16),
    }
    save_file(arrays, tmp_path / "m.safetensors")
    summary = summarize_safetensors({"m": read_safetensors_header(FileReader(tmp_path / "m.safetensors"))})
    config = {"quantization": {"bits": bits, "group_size": group}}
    facts = Facts(format=ModelFormat.MLX)
    assert estimate(facts, config=config, safetensors=summary).weights_bytes == sum(a.nbytes for a in arrays.values())
    assert estimate(facts, Device.CUDA, config=config, safetensors=summary).weights_bytes == rows * columns * 2
    assert estimate(facts, Device.CPU, config=config, safetensors=summary).weights_bytes == rows * columns * 4


def test_weights_that_would_not_fit_expanded_stay_as_stored() -> None:
    """Slower is better than not at all."""
    config, summary, file_bytes = built_in("pony")
    found = estimate(
        Facts(format=ModelFormat.MLX), Device.CPU, config=config, safetensors=summary, budget_bytes=file_bytes + 1
    )
    assert found.weights_bytes == file_bytes


@pytest.mark.parametrize("kind", ["F32", "F16", "Q8_0", "Q4_0", "Q5_1"])
def test_gguf_weights_are_the_bytes_of_the_file(tmp_path: Path, kind: str) -> None:
    """llama.cpp maps them as they are, on every device."""
    type_ = gguf.GGMLQuantizationType[kind]
    data = gguf.quants.quantize(np.ones((64, 256), np.float32), type_)
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_tensor("a", data, raw_dtype=type_)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    header = read_gguf_header(FileReader(tmp_path / "m.gguf"))
    for device in Device:
        assert estimate(Facts(format=ModelFormat.GGUF), device, gguf=header).weights_bytes == data.nbytes


def test_grouped_queries_keep_few_heads() -> None:
    """Llama 3.1 8B: 32 layers × 8 heads × 128 × keys and values × 2 bytes = 128 KiB a token."""
    found = estimate(Facts(format=ModelFormat.MLX, context_window=131072, parameters=8_030_261_248), config=LLAMA_8B)
    assert found.kv_bytes_per_token == 131072
    assert found.kv_bytes(8192) == 1024 * MIB
    assert estimate(Facts(format=ModelFormat.MLX), Device.CPU, config=LLAMA_8B).kv_bytes_per_token == 262144


@pytest.mark.parametrize(
    ("config", "values"),
    [
        (
            {
                "model_type": "falcon",
                "hidden_size": 4544,
                "num_hidden_layers": 32,
                "num_attention_heads": 71,
                "multi_query": True,
            },
            32 * 2 * 64,
        ),
        ({"model_type": "gpt_bigcode", "n_embd": 6144, "n_layer": 40, "n_head": 48, "multi_query": True}, 40 * 2 * 128),
        ({"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12}, 12 * 2 * 768),
        (
            {
                "model_type": "qwen3",
                "hidden_size": 1024,
                "num_hidden_layers": 28,
                "num_attention_heads": 16,
                "num_key_value_heads": 8,
                "head_dim": 128,
            },
            28 * 2 * 1024,
        ),
        (
            {
                "model_type": "deepseek_v3",
                "hidden_size": 7168,
                "num_hidden_layers": 61,
                "num_attention_heads": 128,
                "kv_lora_rank": 512,
                "qk_rope_head_dim": 64,
            },
            61 * 576,
        ),
        (
            {
                "model_type": "deepseek_v2",
                "hidden_size": 2048,
                "num_hidden_layers": 27,
                "num_attention_heads": 16,
                "kv_lora_rank": 512,
                "qk_rope_head_dim": 64,
                "qk_nope_head_dim": 128,
                "v_head_dim": 128,
            },
            27 * 16 * 320,
        ),
        (
            {
                "model_type": "x",
                "text_config": {
                    "model_type": "llama",
                    "hidden_size": 64,
                    "num_hidden_layers": 2,
                    "num_attention_heads": 4,
                },
            },
            2 * 128,
        ),
    ],
    ids=["multi-query", "bigcode", "gpt2", "head_dim", "latent", "latent-materialised", "nested"],
)
def test_every_kind_of_attention_has_its_cache(config: dict[str, Any], values: int) -> None:
    """Multi-query, grouped, latent: a factor of fifty between them."""
    layout = cache_layout(config)
    assert layout
    assert layout.values_per_token == values


def shape(**told: Any) -> CacheLayout:
    base = {"hidden_size": 256, "num_hidden_layers": 12, "num_attention_heads": 4, "num_key_value_heads": 1}
    layout = cache_layout({**base, **told})
    assert layout
    return layout


@pytest.mark.parametrize(
    ("layout", "growing", "window", "windowed", "recurrent"),
    [
        (shape(model_type="gemma3_text", sliding_window=512), 2, 512, 10, 0),
        (shape(model_type="cohere2", sliding_window=4096, sliding_window_pattern=4), 3, 4096, 9, 0),
        (
            shape(model_type="gpt_oss", sliding_window=128, layer_types=["sliding_attention", "full_attention"] * 6),
            6,
            128,
            6,
            0,
        ),
        (shape(model_type="llama4_text", attention_chunk_size=8192), 3, 8192, 9, 0),
        (shape(model_type="mistral", sliding_window=4096), 12, None, 0, 0),
        (
            shape(
                model_type="gemma3n_text",
                sliding_window=512,
                num_kv_shared_layers=4,
                layer_types=["sliding_attention"] * 6 + ["full_attention"] * 6,
            ),
            2,
            512,
            6,
            0,
        ),
        (
            shape(model_type="qwen3_next", full_attention_interval=4, linear_num_value_heads=4, linear_num_key_heads=2),
            3,
            None,
            0,
            9,
        ),
        (shape(model_type="jamba", attn_layer_period=4, attn_layer_offset=2, mamba_d_state=16), 3, None, 0, 9),
        (shape(model_type="nemotron_h", hybrid_override_pattern="M-M*-M-M*-M-", ssm_state_size=128), 2, None, 0, 5),
        (shape(model_type="lfm2", full_attn_idxs=[2, 5, 8]), 3, None, 0, 9),
        (shape(model_type="kimi_linear", linear_attn_config={"full_attn_layers": [4, 8, 12]}), 3, None, 0, 9),
        (
            shape(
                model_type="recurrent_gemma",
                block_types=["recurrent", "recurrent", "attention"],
                attention_window_size=2048,
            ),
            0,
            2048,
            4,
            8,
        ),
        (shape(model_type="mamba2", state_size=128), 0, None, 0, 12),
        (shape(model_type="falcon_h1", mamba_d_state=256), 12, None, 0, 12),
        (
            shape(model_type="granitemoehybrid", mamba_d_state=128, layer_types=["mamba"] * 11 + ["attention"]),
            1,
            None,
            0,
            11,
        ),
    ],
)
def test_only_the_layers_that_see_everything_grow(
    layout: CacheLayout, growing: int, window: int | None, windowed: int, recurrent: int
) -> None:
    """A window stops growing, a state never grows; counting them as attention would refuse models that fit."""
    full = [layer for layer in layout.layers if layer.values_per_token and layer.window is None]
    sliding = [layer for layer in layout.layers if layer.window is not None]
    assert len(full) == growing
    assert len(sliding) == windowed
    assert all(layer.window == window for layer in sliding)
    assert sum(layer.state_values > 0 for layer in layout.layers) == recurrent
    far, farther = layout.values(1 << 20), layout.values((1 << 20) + 1)
    assert farther - far == growing * 2 * 64


def test_llama_cpp_keeps_windows_whole_as_our_runner_asks_it_to() -> None:
    """Predicted as windows, models with long contexts would be loaded where they do not fit."""
    keys = [
        gguf_key("general.architecture", 8, "gemma2"),
        gguf_key("gemma2.block_count", 4, 4),
        gguf_key("gemma2.embedding_length", 4, 64),
        gguf_key("gemma2.attention.head_count", 4, 4),
        gguf_key("gemma2.attention.head_count_kv", 4, 2),
        gguf_key("gemma2.attention.sliding_window", 4, 4096),
    ]
    layout = gguf_cache_layout(read_gguf_header(BytesReader(gguf_bytes(keys))))
    assert layout
    assert [layer.window for layer in layout.layers] == [None] * 4
    assert layout.values(1 << 20) == (1 << 20) * 4 * 2 * 2 * 16


def test_layers_with_a_window_may_have_keys_of_another_width() -> None:
    keys = [
        gguf_key("general.architecture", 8, "gemma4"),
        gguf_key("gemma4.block_count", 4, 2),
        gguf_key("gemma4.embedding_length", 4, 64),
        gguf_key("gemma4.attention.head_count", 4, 4),
        gguf_key("gemma4.attention.head_count_kv", 4, 2),
        gguf_key("gemma4.attention.key_length", 4, 32),
        gguf_key("gemma4.attention.key_length_swa", 4, 16),
        gguf_key("gemma4.attention.value_length", 4, 32),
        gguf_key("gemma4.attention.value_length_swa", 4, 16),
        gguf_key("gemma4.attention.sliding_window_pattern", 9, gguf_array(7, [True, False])),
    ]
    layout = gguf_cache_layout(read_gguf_header(BytesReader(gguf_bytes(keys))))
    assert layout
    assert [layer.values_per_token for layer in layout.layers] == [2 * 32, 2 * 64]


def test_a_gguf_model_that_sees_counts_its_projector_and_what_it_keeps_of_pictures() -> None:
    keys = [
        gguf_key("general.architecture", 8, "llama"),
        gguf_key("llama.block_count", 4, 2),
        gguf_key("llama.embedding_length", 4, 64),
        gguf_key("llama.attention.head_count", 4, 4),
    ]
    header = read_gguf_header(BytesReader(gguf_bytes(keys)))
    blind, seeing = (
        estimate_memory(
            facts=Facts(format=ModelFormat.GGUF, model_type=kind, context_window=4096),
            device=Device.CPU,
            gguf=header,
            stored_bytes=stored,
        )
        for kind, stored in (("text", 1 << 20), ("vision", 3 << 20))
    )
    assert blind
    assert seeing
    assert seeing.weights_bytes - blind.weights_bytes == 2 << 20
    assert seeing.work_bytes(4096, 4096) - blind.work_bytes(4096, 4096) == 4096 * 64 * 4


def test_llama_cpp_layers_without_key_heads_are_recurrent() -> None:
    """Hybrid models list their heads a layer."""
    keys = [
        gguf_key("general.architecture", 8, "jamba"),
        gguf_key("jamba.block_count", 4, 3),
        gguf_key("jamba.embedding_length", 4, 64),
        gguf_key("jamba.attention.head_count", 4, 4),
        gguf_key("jamba.attention.head_count_kv", 9, gguf_array(5, [0, 2, 0])),
        gguf_key("jamba.ssm.inner_size", 4, 128),
        gguf_key("jamba.ssm.state_size", 4, 16),
        gguf_key("jamba.ssm.conv_kernel", 4, 4),
    ]
    layout = gguf_cache_layout(read_gguf_header(BytesReader(gguf_bytes(keys))))
    assert layout
    assert [layer.values_per_token for layer in layout.layers] == [0, 64, 0]
    assert layout.state_values == 2 * 128 * 20


def test_embedding_models_have_no_cache() -> None:
    """They read a text once."""
    config, summary, _ = built_in("pony-embed")
    facts = Facts(
        format=ModelFormat.MLX, model_type="embeddings", context_window=512, capabilities=Capabilities(embeddings=True)
    )
    found = estimate(facts, config=config, safetensors=summary)
    assert found.kv_bytes_per_token == 0
    assert found.kv_bytes(512) == 0


def test_a_picture_tower_needs_room_to_work() -> None:
    """Patches are many, and each looks at each."""
    config, summary, _ = built_in("pony-vision")
    text_only = {key: value for key, value in config.items() if key != "vision_config"}
    facts = Facts(format=ModelFormat.MLX, context_window=1024)
    with_tower = estimate(facts, config=config, safetensors=summary).peak_bytes(512)
    assert with_tower > estimate(facts, config=text_only, safetensors=summary).peak_bytes(512)


def test_the_peak_grows_with_the_context_and_a_plan_asks_for_three() -> None:
    """4k, the working context, the model's maximum; never beyond it."""
    found = estimate(Facts(format=ModelFormat.MLX, context_window=131072), config=LLAMA_8B)
    assert found.contexts == (4096, 8192, 131072)
    peaks = [found.peak_bytes(context) for context in found.contexts]
    assert peaks == sorted(peaks)
    one_layer = 131072 // 32  # whose keys and values a long prompt brings side by side
    assert peaks[2] - peaks[1] == (131072 - 8192) * (131072 + one_layer)
    small = estimate(Facts(format=ModelFormat.MLX, context_window=2048), config=LLAMA_8B)
    assert small.contexts == (2048, 2048, 2048)


def test_a_paged_cache_is_made_in_whole_slabs_and_forgets_no_window() -> None:
    """Pages belong to all layers alike: a window saves work there, and no memory."""
    pony, summary, _ = built_in("pony")
    found = estimate(Facts(format=ModelFormat.MLX), Device.CPU, config=pony, safetensors=summary)
    slabs = 8 * 2 * 2 * MIB  # layers, keys and values
    assert [found.kv_bytes(context) for context in (0, 1, 4096, 4097)] == [0, slabs, slabs, 2 * slabs]
    assert found.kv_bytes(1000, streams=4) == slabs
    assert found.kv_bytes(1025, streams=4) == 2 * slabs
    windowed = {**LLAMA_8B, "model_type": "gemma3_text", "sliding_window": 512}
    on_pages = estimate(Facts(format=ModelFormat.MLX), config=windowed)
    assert on_pages.kv_bytes(8192) == estimate(Facts(format=ModelFormat.MLX), config=LLAMA_8B).kv_bytes(8192)
    alone = estimate(Facts(format=ModelFormat.MLX), config={**windowed, "model_type": "cohere2"})
    assert alone.kv_bytes(8192) < on_pages.kv_bytes(8192) / 3


def test_many_conversations_share_weights_and_not_their_caches() -> None:
    """What a pool asks: the same model for sixteen people."""
    found = estimate(Facts(format=ModelFormat.MLX, context_window=131072), config=LLAMA_8B)
    one, many = found.peak_bytes(8192), found.peak_bytes(8192, streams=16)
    assert many - one == 15 * found.kv_bytes(8192)
    room = found.runner_bytes_max(8192, streams=16) - found.weights_bytes
    assert room - 64 * MIB == 16 * found.kv_bytes(8192)


def test_a_large_model_on_a_slow_processor_reads_in_small_steps() -> None:
    """Sixteen tokens a step need no room for two thousand; a GPU gets that room."""
    facts = Facts(format=ModelFormat.MLX, context_window=131072, parameters=8_030_261_248)
    cpu = estimate(facts, Device.CPU, config=LLAMA_8B, budget_bytes=1 << 40)
    assert cpu.work_bytes(8192, 8192) < 300 * MIB
    assert estimate(facts, Device.CUDA, config=LLAMA_8B).work_bytes(8192, 8192) > 200 * MIB


@pytest.mark.parametrize(
    ("parameters", "quantization", "gigabytes"),
    [
        (8_000_000_000, "4bit", 4.5),
        (8_000_000_000, "8bit", 8.5),
        (8_000_000_000, "bf16", 16),
        (3_000_000_000, "4bit", 1.69),
        (7_000_000_000, "awq", 3.94),
    ],
)
def test_a_name_alone_gives_a_size(parameters: int, quantization: str, gigabytes: float) -> None:
    """Document E's pitfall 5: decide before anything was fetched. Scales are part of the size."""
    found = estimate(Facts(format=ModelFormat.MLX, parameters=parameters, quantization=quantization))
    assert found.weights_bytes / 1e9 == pytest.approx(gigabytes, rel=0.01)
    assert found.basis == "name"
    assert found.kv_bytes_per_token > 0


def test_nothing_known_is_no_estimate() -> None:
    """Better none than an invented one."""
    assert estimate_memory(facts=Facts(), device=Device.CPU) is None
    assert estimate(Facts(), stored_bytes=1000, device=Device.METAL).weights_bytes == 1000


def test_a_projector_beside_a_gguf_is_counted() -> None:
    """Pictures need it in memory too."""
    header = read_gguf_header(BytesReader(gguf_bytes()))
    assert estimate(Facts(format=ModelFormat.GGUF), gguf=header, stored_bytes=900).weights_bytes == 900


def test_listed_sizes_count_all_parts_of_a_split() -> None:
    """One header holds a part of the tensors only."""
    keys = [gguf_key("split.no", 2, 0), gguf_key("split.count", 2, 3)]
    header = read_gguf_header(BytesReader(gguf_bytes(keys)))
    found = estimate(Facts(format=ModelFormat.GGUF, parameters=7 * 10**9), gguf=header, stored_bytes=4_000_000_000)
    assert found.weights_bytes == 4_000_000_000


@pytest.mark.parametrize(
    ("quantization", "bits"),
    [("Q4_K_M", 4.85), ("q8_0", 8.5), ("F16", 16), ("IQ2_XS", 2.31), ("unheard-of", 16), (None, 16)],
)
def test_bits_of_gguf_types_are_those_of_real_files(quantization: str | None, bits: float) -> None:
    """Mixed types: `Q4_K_M` holds six-bit parts. What is not known counts as not quantized."""
    assert bits_per_value(quantization, ModelFormat.GGUF) == bits


@pytest.mark.parametrize(
    ("quantization", "bits"),
    [("4bit", 4.5), ("8bit", 8.5), ("gptq-4bit", 4.5), ("mxfp4", 4.25), ("fp8", 8), ("f32", 32), ("weird-bit", 16)],
)
def test_bits_of_mlx_types_count_their_scales(quantization: str, bits: float) -> None:
    """A scale and a bias of 16 bits for each group of 64."""
    assert bits_per_value(quantization, ModelFormat.MLX) == bits


@pytest.mark.parametrize(
    ("config", "billions"),
    [
        (LLAMA_8B, 8.03),
        (
            {
                "model_type": "qwen3",
                "hidden_size": 1024,
                "num_hidden_layers": 28,
                "num_attention_heads": 16,
                "num_key_value_heads": 8,
                "head_dim": 128,
                "intermediate_size": 3072,
                "vocab_size": 151936,
                "tie_word_embeddings": True,
            },
            0.596,
        ),
        (
            {
                "model_type": "mixtral",
                "hidden_size": 4096,
                "num_hidden_layers": 32,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "intermediate_size": 14336,
                "vocab_size": 32000,
                "num_local_experts": 8,
            },
            46.7,
        ),
        (
            {
                "model_type": "qwen3_moe",
                "hidden_size": 2048,
                "num_hidden_layers": 48,
                "num_attention_heads": 32,
                "num_key_value_heads": 4,
                "head_dim": 128,
                "intermediate_size": 6144,
                "moe_intermediate_size": 768,
                "num_experts": 128,
                "vocab_size": 151936,
            },
            30.5,
        ),
        (
            {
                "model_type": "deepseek_v3",
                "hidden_size": 7168,
                "num_hidden_layers": 61,
                "num_attention_heads": 128,
                "kv_lora_rank": 512,
                "q_lora_rank": 1536,
                "qk_rope_head_dim": 64,
                "qk_nope_head_dim": 128,
                "v_head_dim": 128,
                "intermediate_size": 18432,
                "moe_intermediate_size": 2048,
                "n_routed_experts": 256,
                "n_shared_experts": 1,
                "first_k_dense_replace": 3,
                "vocab_size": 129280,
            },
            671,
        ),
        (
            {
                "model_type": "gpt2",
                "n_embd": 768,
                "n_layer": 12,
                "n_head": 12,
                "vocab_size": 50257,
                "tie_word_embeddings": True,
            },
            0.124,
        ),
    ],
    ids=["llama-8b", "qwen3-0.6b", "mixtral", "qwen3-30b", "deepseek-v3", "gpt2"],
)
def test_parameters_are_counted_from_a_config_alone(config: dict[str, Any], billions: float) -> None:
    """Within two percent of what the makers publish."""
    assert (estimate_parameters(config) or 0) / 1e9 == pytest.approx(billions, rel=0.02)


@pytest.mark.parametrize("model", ["pony", "foal", "pony-embed", "pony-vision"])
def test_parameters_counted_from_a_config_come_near_the_real_count(model: str) -> None:
    """Norms and biases are left out."""
    config, summary, _ = built_in(model)
    real = sum(tensor.elements for tensor in summary.tensors.values())
    assert estimate_parameters(config) == pytest.approx(real, rel=0.03)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"hidden_size": 8},
        {"num_hidden_layers": 10**9, "hidden_size": 1, "num_attention_heads": 1},
        {"num_hidden_layers": "x"},
    ],
)
def test_a_config_of_nonsense_has_no_layout(config: dict[str, Any]) -> None:
    """And allocates nothing."""
    assert cache_layout(config) is None
