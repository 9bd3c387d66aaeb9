import json
from pathlib import Path
from typing import Any

import pytest

from paddock.catalog.clues import Clues
from paddock.catalog.detection import HubFacts, detect
from paddock.catalog.facts import Facts
from paddock.catalog.headers import (
    GgufHeader,
    SafetensorsSummary,
    read_gguf_header,
    read_safetensors_header,
    summarize_safetensors,
)
from paddock.catalog.known import built_in_models, known_models
from paddock.catalog.reading import FileReader
from paddock.vocabulary import ModelFormat
from tests.catalog.building import BUILT_IN_MODELS, BytesReader, gguf_bytes, gguf_key, gguf_tensor, safetensors_bytes

MLX_FILES = ("config.json", "model.safetensors", "tokenizer.json")


def facts_of(name: str = "someone/something", **told: Any) -> Facts:
    evidence: dict[str, Any] = {"config": None, "hub": None, "files": (), "gguf": None, "safetensors": None}
    return detect(name=name, **{"known": built_in_models(), **evidence, **told})


def weights(**shapes: tuple[str, tuple[int, ...]]) -> SafetensorsSummary:
    header: dict[str, Any] = {}
    bits = {"U32": 32, "BF16": 16, "F32": 32, "F16": 16}
    at = 0
    for name, (dtype, shape) in shapes.items():
        size = bits[dtype] // 8
        for length in shape:
            size *= length
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    return summarize_safetensors({"m": read_safetensors_header(BytesReader(safetensors_bytes(header, bytes(at))))})


def gguf_header(*keys: bytes) -> GgufHeader:
    return read_gguf_header(BytesReader(gguf_bytes(list(keys), [gguf_tensor("a", (32, 4))], data_bytes=512)))


@pytest.mark.parametrize(
    ("model", "model_type", "context", "parameters", "tools"),
    [
        ("pony", "text", 2048, 5_903_616, True),
        ("foal", "text", 2048, 967_936, True),
        ("pony-vision", "vision", 1024, 4_952_448, True),
        ("pony-embed", "embeddings", 512, 3_880_192, False),
    ],
)
def test_the_built_in_models_are_what_they_are(
    model: str, model_type: str, context: int, parameters: int, tools: bool
) -> None:
    """Real files, read to the end of the chain; the numbers are those of their READMEs."""
    folder = Path(BUILT_IN_MODELS) / model
    template = folder / "chat_template.jinja"
    header = read_safetensors_header(FileReader(folder / "model.safetensors"))
    facts = facts_of(
        "anything",
        config=json.loads((folder / "config.json").read_text()),
        files=[path.name for path in folder.iterdir()],
        safetensors=summarize_safetensors({"model.safetensors": header}),
        tokenizer_config=json.loads((folder / "tokenizer_config.json").read_text()),
        chat_template=template.read_text() if template.exists() else None,
    )
    assert (facts.model_type, facts.context_window, facts.parameters) == (model_type, context, parameters)
    assert facts.format is ModelFormat.MLX
    assert facts.quantization == "bf16"
    assert facts.capabilities.tools is tools
    assert facts.capabilities.text is (model_type != "embeddings")
    assert facts.origins["context_window"] == facts.origins["parameters"] == "files"


A_VISION_FIELDS = [
    {"vision_config": {"hidden_size": 8}}, {"image_processor": "x"}, {"vision_encoder": {"a": 1}},
    {"vision_tower": "clip"}, {"image_encoder": "x"}, {"num_image_tokens": 256}, {"vision_feature_layer": -2},
    {"image_token_id": 151655}, {"mm_vision_tower": "openai/clip"},
]  # fmt: skip
A_VISION_ARCHITECTURES = [
    "llava", "llava_next", "llava-next", "qwen2_vl", "qwen2-vl", "pixtral", "paligemma", "idefics", "idefics2",
    "idefics3", "internvl", "internvl2", "cogvlm", "cogvlm2", "minicpm_v", "minicpm-v", "phi3_v", "phi3-v",
    "phi-3-vision", "mllama", "florence", "florence2", "blip", "blip2", "Qwen3-VL", "some_vl_thing", "x_multimodal",
]  # fmt: skip


@pytest.mark.parametrize("fields", A_VISION_FIELDS, ids=lambda fields: next(iter(fields)))
def test_a_config_field_of_picture_models_makes_a_vision_model(fields: dict[str, Any]) -> None:
    """Document A's table of fields."""
    facts = facts_of(config={"model_type": "llama", **fields})
    assert facts.model_type == "vision"
    assert facts.origins["vision"] == "files"


@pytest.mark.parametrize("architecture", A_VISION_ARCHITECTURES)
def test_an_architecture_of_picture_models_makes_a_vision_model(architecture: str) -> None:
    """Document A's and E's tables of architectures, hyphens or not."""
    assert facts_of(config={"model_type": architecture}).capabilities.vision


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "llama"},
        {"model_type": "whisper", "patch_size": 2},
        {"model_type": "llama", "image_size": 224},
        {"model_type": "audio_spectrogram", "patch_size": 16, "image_size": 128},
        {"model_type": "gemma3_text", "vision_config": None},
        {"model_type": "supervision_model"},
        {"model_type": "evl"},
    ],
)
def test_what_only_looks_like_a_picture_model_is_none(config: dict[str, Any]) -> None:
    """`patch_size` alone, and `vision` within a word, fooled the tables that these come from."""
    assert facts_of(config=config).model_type == "text"


def test_weights_without_a_tower_overrule_a_multimodal_config() -> None:
    """Text-only conversions of Gemma 3 keep its vision_config."""
    config = {"model_type": "gemma3", "vision_config": {"hidden_size": 8}, "text_config": {"model_type": "gemma3_text"}}
    text = weights(**{"language_model.model.layers.0.mlp.up_proj.weight": ("BF16", (4, 4))})
    both = weights(
        **{"a": ("BF16", (4, 4)), "vision_tower.vision_model.embeddings.patch_embedding.weight": ("BF16", (4,))}
    )
    assert facts_of(config=config, safetensors=text).model_type == "text"
    assert facts_of(config=config, safetensors=both).model_type == "vision"
    partly = summarize_safetensors({}, complete=False)
    assert facts_of(config=config, safetensors=partly).model_type == "vision"


@pytest.mark.parametrize(
    ("hub", "vision"),
    [
        (HubFacts(pipeline_tag="image-text-to-text"), True),
        (HubFacts(pipeline_tag="image-to-text"), True),
        (HubFacts(pipeline_tag="visual-question-answering"), True),
        (HubFacts(pipeline_tag="document-question-answering"), True),
        (HubFacts(tags=("vision",)), True),
        (HubFacts(tags=("Multimodal",)), True),
        (HubFacts(tags=("vlm",)), True),
        (HubFacts(tags=("image-text-to-text",)), True),
        (HubFacts(tags=("llava-1.5",)), True),
        (HubFacts(tags=("vqa",)), True),
        (HubFacts(tags=("vision-language",)), True),
        (HubFacts(tags=("supervision", "television", "computer-vision")), False),
        (HubFacts(tags=("base_model:someone/great-vision-model",)), False),
        (HubFacts(pipeline_tag="text-generation", tags=("llama",)), False),
    ],
)
def test_hub_tags_tell_vision_by_whole_words(hub: HubFacts, vision: bool) -> None:
    """Document A's tables of pipelines and tags, without their false positives."""
    assert facts_of(hub=hub).capabilities.vision is vision


@pytest.mark.parametrize(
    ("name", "model_type"),
    [
        ("llava-hf/llava-1.5-7b", "vision"),
        ("Llama-3.2-11B-Vision", "vision"),
        ("x/Foo-VL-7B", "vision"),
        ("x/vl-thing", "vision"),
        ("qwen2.5vl:7b", "vision"),
        ("x/pixtral-x", "vision"),
        ("openbmb/MiniCPM-V-2_6", "vision"),
        ("x/phi-3-vision-x", "vision"),
        ("microsoft/Florence-2-base", "vision"),
        ("x/supervision-7b", "text"),
        ("x/Revisionist-7B", "text"),
        ("x/my-embed-model", "embeddings"),
        ("intfloat/e5-base", "embeddings"),
        ("x/sentence-thing", "embeddings"),
        ("x/MiniLM-thing", "embeddings"),
        ("x/base5-model", "text"),
        ("x/MiniLLM-7B", "text"),
        ("BAAI/bge-reranker-base", "embeddings"),
    ],
)
def test_a_name_is_the_last_resort(name: str, model_type: str) -> None:
    """Document A's and E's name patterns, by whole words."""
    assert facts_of(name).model_type == model_type


@pytest.mark.parametrize(
    "config",
    [
        {"architectures": ["BertModel"], "model_type": "bert"},
        {"architectures": ["XLMRobertaModel"], "model_type": "xlm-roberta"},
        {"architectures": ["NomicBertModel"], "model_type": "nomic_bert"},
        {"architectures": ["SomeSentenceEncoder"], "model_type": "odd"},
        {"architectures": ["Gemma3EmbeddingModel"], "model_type": "odd"},
    ],
)
def test_encoders_are_embedding_models(config: dict[str, Any]) -> None:
    """They answer /v1/embeddings and nothing else."""
    facts = facts_of(config=config)
    assert facts.model_type == "embeddings"
    assert facts.capabilities.embeddings
    assert not (facts.capabilities.text)
    assert not (facts.capabilities.streaming)
    assert not (facts.capabilities.tools)


def test_a_decoder_trained_to_embed_is_told_by_its_pooling_file() -> None:
    """Qwen3-Embedding's config.json is that of a chat model."""
    config = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"}
    files = (*MLX_FILES, "modules.json", "1_Pooling/config.json")
    assert facts_of("x/unnamed", config=config, files=files).model_type == "embeddings"
    assert facts_of("x/unnamed", config=config, files=MLX_FILES).model_type == "text"
    assert facts_of("Qwen/Qwen3-Embedding-0.6B", config=config, files=MLX_FILES).model_type == "embeddings"


def test_a_reranker_neither_embeds_nor_chats() -> None:
    """The wrong kind of model on an endpoint must be a clear 400."""
    config = {
        "architectures": ["XLMRobertaForSequenceClassification"],
        "model_type": "xlm-roberta",
        "id2label": {"0": "x"},
    }
    facts = facts_of("BAAI/bge-reranker-v2-m3", config=config)
    assert facts.model_type == "embeddings"
    assert not (facts.capabilities.embeddings)
    assert not (facts.capabilities.text)


@pytest.mark.parametrize(
    ("config", "context"),
    [
        ({"max_position_embeddings": 4096}, 4096),
        ({"n_positions": 1024}, 1024),
        ({"seq_length": 8192}, 8192),
        ({"max_position_embeddings": 128, "text_config": {"max_position_embeddings": 262144}}, 262144),
        ({"vision_config": {}, "llm_config": {"max_position_embeddings": 32768}}, 32768),
        ({"thinker_config": {"text_config": {"max_position_embeddings": 32768}}}, 32768),
        (
            {
                "max_position_embeddings": 32768,
                "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
            },
            131072,
        ),
        (
            {
                "max_position_embeddings": 131072,
                "rope_scaling": {"rope_type": "yarn", "factor": 32, "original_max_position_embeddings": 4096},
            },
            131072,
        ),
        (
            {
                "max_position_embeddings": 131072,
                "rope_scaling": {"rope_type": "llama3", "factor": 8, "original_max_position_embeddings": 8192},
            },
            131072,
        ),
        ({"max_position_embeddings": 16384, "rope_scaling": {"type": "linear", "factor": 4}}, 16384),
        (
            {
                "max_position_embeddings": 131072,
                "original_max_position_embeddings": 4096,
                "rope_scaling": {"type": "longrope"},
            },
            131072,
        ),
        (
            {
                "max_position_embeddings": 40960,
                "rope_parameters": {"full_attention": {"rope_type": "yarn", "factor": 2}},
            },
            81920,
        ),
        ({"max_position_embeddings": 32768, "sliding_window": 4096}, 32768),
        ({"model_type": "xlm-roberta", "max_position_embeddings": 8194}, 8192),
        ({"model_type": "roberta", "max_position_embeddings": 514}, 512),
        ({"max_position_embeddings": -5}, 4096),
        ({"max_position_embeddings": "long"}, 4096),
        ({"max_position_embeddings": True}, 4096),
    ],
)
def test_the_context_window_is_found_where_it_hides(config: dict[str, Any], context: int) -> None:
    """Nested settings, stretched positions, offsets; and nonsense, which counts as silence."""
    assert facts_of(config={"model_type": "x", **config}).context_window == context


def test_the_tokenizer_s_limit_counts_when_the_config_is_silent() -> None:
    """10^30 means that there is no limit."""
    assert facts_of(config={"model_type": "x"}, tokenizer_config={"model_max_length": 512}).context_window == 512
    assert facts_of(config={"model_type": "x"}, tokenizer_config={"model_max_length": 10**30}).context_window == 4096


@pytest.mark.parametrize(
    ("config", "quantization"),
    [
        ({"quantization": {"bits": 4, "group_size": 64}}, "4bit"),
        ({"quantization": {"bits": 4, "group_size": 32, "mode": "mxfp4"}}, "mxfp4"),
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, "awq-4bit"),
        ({"quantization_config": {"quant_method": "fp8"}}, "fp8"),
        ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}, "bitsandbytes-4bit"),
        ({"torch_dtype": "bfloat16"}, "bf16"),
        ({"dtype": "torch.float16"}, "f16"),
        ({"text_config": {"dtype": "float32"}}, "f32"),
        ({}, None),
    ],
)
def test_quantization_is_read_from_the_config(config: dict[str, Any], quantization: str | None) -> None:
    """It decides size, speed and whether MLX can read it at all."""
    assert facts_of(config={"model_type": "x", **config}).quantization == quantization


def test_packed_weights_count_as_what_they_stand_for() -> None:
    """A 4-bit model has as many parameters as it had before."""
    packed = weights(**{
        "l.weight": ("U32", (64, 16)), "l.scales": ("BF16", (64, 2)), "l.biases": ("BF16", (64, 2)),
        "n.weight": ("BF16", (64,)),
    })  # fmt: skip
    facts = facts_of(config={"model_type": "llama", "quantization": {"bits": 4, "group_size": 64}}, safetensors=packed)
    assert facts.parameters == 64 * 128 + 64
    assert facts.quantization == "4bit"
    mixed = {"quantization": {"bits": 4, "group_size": 64, "l": {"bits": 8, "group_size": 32}}}
    assert facts_of(config={"model_type": "llama", **mixed}, safetensors=packed).parameters == 64 * 64 + 64


TEMPLATE = "{% if tools %}{% for tool in tools %}{{ tool | tojson }}{% endfor %}{% endif %}"


@pytest.mark.parametrize(
    ("template", "tools", "thinking"),
    [
        (TEMPLATE, True, False),
        ("{{ messages }}<tool_call>", True, False),
        ("{% if enable_thinking %}{% endif %}", False, True),
        ("{{ '<think>' }}", False, True),
        (TEMPLATE + "<think>", True, True),
        ("[AVAILABLE_TOOLS]{{ tools }}[THINK]", True, True),
        ("{% if thinking %}x{% endif %}", False, True),
        ("You have good tools and like thinking. {{ messages }}", False, False),
    ],
)
def test_a_chat_template_tells_tools_and_thinking(template: str, tools: bool, thinking: bool) -> None:
    """By what it does, not by words in its prose. What it does not mention, the model was not taught."""
    for told in (
        {"chat_template": template},
        {"tokenizer_config": {"chat_template": template}},
        {"tokenizer_config": {"chat_template": [{"name": "default", "template": template}]}},
        {"gguf": gguf_header(gguf_key("tokenizer.chat_template", 8, template))},
    ):
        facts = facts_of("Qwen/Qwen3-8B", **told)
        assert (facts.capabilities.tools, facts.capabilities.thinking) == (tools, thinking)
        assert facts.origins["tools"] == facts.origins["thinking"] == "files"


def test_without_a_template_tags_tell_and_then_the_database() -> None:
    """Weaker evidence fills the gap."""
    tagged = facts_of(hub=HubFacts(tags=("tool-use", "reasoning")))
    assert tagged.capabilities.tools
    assert tagged.capabilities.thinking
    assert tagged.origins["tools"] == "hub"
    assert facts_of("Qwen/Qwen3-8B").origins["tools"] == "database"


def test_a_gguf_header_tells_everything() -> None:
    """One file is config, tokenizer and weights."""
    header = gguf_header(
        gguf_key("general.architecture", 8, "qwen3"),
        gguf_key("qwen3.context_length", 4, 40960),
        gguf_key("general.file_type", 4, 15),
    )
    facts = facts_of("x/y", gguf=header, files=("y.gguf",))
    assert (facts.architecture, facts.family, facts.context_window) == ("qwen3", "qwen", 40960)
    assert (facts.quantization, facts.format, facts.parameters) == ("Q4_K_M", ModelFormat.GGUF, 128)
    assert facts.model_type == "text"
    assert facts_of("x/y", gguf=header, files=("y.gguf", "mmproj-y-f16.gguf")).model_type == "vision"
    plain = gguf_header(gguf_key("general.architecture", 8, "llama"))
    assert facts_of("x/y", gguf=plain, files=("y.gguf",)).quantization == "F32"
    bert = gguf_header(gguf_key("general.architecture", 8, "nomic-bert"), gguf_key("nomic-bert.pooling_type", 4, 1))
    assert facts_of("x/y", gguf=bert, files=("y.gguf",)).model_type == "embeddings"
    ranker = gguf_header(gguf_key("general.architecture", 8, "qwen3"), gguf_key("qwen3.pooling_type", 4, 4))
    assert not facts_of("x/y", gguf=ranker, files=("y.gguf",)).capabilities.text


def test_the_file_name_of_the_one_gguf_tells_its_quantization() -> None:
    """Before its header is read. Several say nothing."""
    assert facts_of("x/y", files=("y-Q4_K_M.gguf", "mmproj-f16.gguf")).quantization == "Q4_K_M"
    assert (
        facts_of("x/y", files=("q/y-IQ3_XXS-00001-of-00002.gguf", "q/y-IQ3_XXS-00002-of-00002.gguf")).quantization
        == "IQ3_XXS"
    )
    assert facts_of("x/y", files=("y-Q4_K_M.gguf", "y-Q8_0.gguf")).quantization is None


@pytest.mark.parametrize(
    ("name", "parameters", "quantization"),
    [
        ("Qwen/Qwen3-30B-A3B-4bit", 30_000_000_000, "4bit"),
        ("x/SmolLM2-135M", 135_000_000, None),
        ("x/Mixtral-8x7B-Q5_K_M", 45_920_000_000, "Q5_K_M"),
        ("x/gemma-3n-E4B-it-bf16", 8_000_000_000, "bf16"),
        ("x/thing-0.5b-fp16", 500_000_000, "f16"),
        ("x/thing-7B-AWQ", 7_000_000_000, "awq"),
        ("x/thing-7B-GPTQ-Int4", 7_000_000_000, "gptq-4bit"),
        ("x/Kimi-K2-1T", 1_000_000_000_000, None),
        ("x/Llama-4-Scout-17B-16E", 17_000_000_000, None),
        ("x/model-4k", None, None),
        ("x/web3-model", None, None),
    ],
)
def test_a_name_tells_parameters_and_quantization(name: str, parameters: int | None, quantization: str | None) -> None:
    """When nothing else does."""
    facts = facts_of(name)
    assert (facts.parameters, facts.quantization) == (parameters, quantization)


def test_the_strongest_evidence_wins_field_by_field() -> None:
    """Measured, files, hub, database, name, defaults; and each fact says which it was."""
    known = known_models(
        [{"pattern": "x/*", "context_window": 1000, "max_output_tokens": 77, "capabilities": {"vision": True}}]
    )
    hub = HubFacts(metadata={"gguf": {"context_length": 2000}, "safetensors": {"total": 123}})
    config = {"model_type": "llama", "max_position_embeddings": 3000}
    name_only = facts_of("x/a-9b", known=known)
    assert (name_only.context_window, name_only.parameters) == (1000, 9_000_000_000)
    assert name_only.origins["context_window"] == "database"
    assert name_only.origins["parameters"] == "name"
    with_hub = facts_of("x/a-9b", known=known, hub=hub)
    assert (with_hub.context_window, with_hub.parameters) == (2000, 123)
    assert with_hub.origins["context_window"] == "hub"
    with_files = facts_of("x/a-9b", known=known, hub=hub, config=config)
    assert with_files.context_window == 3000
    assert not with_files.capabilities.vision
    assert with_files.max_output_tokens == 77
    measured = facts_of("x/a-9b", known=known, hub=hub, config=config, measured=Clues(vision=True, context_window=10))
    assert (measured.context_window, measured.max_output_tokens) == (10, 10)
    assert measured.origins["vision"] == "measured"
    assert facts_of("zzz").origins["context_window"] == "default"


def test_the_database_never_overrides_what_the_files_say() -> None:
    """A repository called Qwen3 with a config of 1024 tokens has 1024."""
    facts = facts_of("Qwen/Qwen3-8B", config={"model_type": "qwen3", "max_position_embeddings": 1024})
    assert facts.context_window == 1024


@pytest.mark.parametrize(
    ("files", "hub", "format_"),
    [
        (MLX_FILES, None, ModelFormat.MLX),
        (("a.gguf",), None, ModelFormat.GGUF),
        ((*MLX_FILES, "onnx/model.onnx", "model.gguf"), None, ModelFormat.MLX),
        (("model.onnx", "config.json"), None, ModelFormat.ONNX),
        (("model.ort",), None, ModelFormat.ONNX),
        (("M.mlmodel",), None, ModelFormat.COREML),
        (("M.mlpackage/Manifest.json",), None, ModelFormat.COREML),
        (("M.mlpackage/Manifest.json", "tokenizer.json"), None, ModelFormat.SWIFT_TRANSFORMERS),
        (("M.mlpackage/Manifest.json",), HubFacts(pipeline_tag="text-generation"), ModelFormat.SWIFT_TRANSFORMERS),
        (("M.mlpackage/Manifest.json",), HubFacts(library_name="swift-transformers"), ModelFormat.SWIFT_TRANSFORMERS),
        (("m.tflite",), None, ModelFormat.TFLITE),
        (("m.task",), None, ModelFormat.TFLITE),
        (("m.litertlm",), None, ModelFormat.TFLITE),
        (("gemma.bin",), HubFacts(library_name="tfLite"), ModelFormat.TFLITE),
        (("pytorch_model.bin", "config.json"), None, ModelFormat.UNKNOWN),
        ((), HubFacts(library_name="mlx"), ModelFormat.MLX),
        ((), HubFacts(tags=("gguf",)), ModelFormat.GGUF),
        ((), None, ModelFormat.UNKNOWN),
    ],
)
def test_formats_are_told_by_file_names_and_library(
    files: tuple[str, ...], hub: HubFacts | None, format_: ModelFormat
) -> None:
    """Document C's table."""
    assert facts_of(files=files, hub=hub).format is format_


@pytest.mark.parametrize(
    "junk",
    [
        {"architectures": 5, "model_type": []},
        {"text_config": "x"},
        {"quantization": {"bits": {}}},
        {"rope_scaling": [1]},
        {"vision_config": []},
        {"id2label": 3, "architectures": [None, 7]},
    ],
)
def test_a_config_of_nonsense_is_no_evidence_and_no_error(junk: dict[str, Any]) -> None:
    """It came from a stranger."""
    facts = facts_of("x/y", config=junk, hub=HubFacts(metadata={"config": junk, "gguf": junk, "safetensors": [1]}))
    assert facts.context_window == 4096
    assert facts.model_type == "text"


def test_the_hub_s_excerpt_of_a_config_cannot_prove_that_there_is_no_vision() -> None:
    """It holds model_type and architectures only."""
    hub = HubFacts(metadata={"config": {"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"]}})
    facts = facts_of("google/gemma-3-27b-it", hub=hub)
    assert facts.capabilities.vision
    assert facts.origins["architecture"] == "hub"
