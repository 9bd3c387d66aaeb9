"""Which family reads a model: by its architecture, and by the marks in its template where families share one."""

from collections.abc import Mapping
from typing import Final

from paddock.families.deepseek import DeepseekFamily
from paddock.families.family import Family, PlainFamily
from paddock.families.gemma import GemmaFamily
from paddock.families.gpt_oss import GptOssFamily
from paddock.families.llama import Llama2Family, LlamaFamily
from paddock.families.mistral import MistralFamily
from paddock.families.phi import PhiFamily
from paddock.families.qwen import QwenCoderFamily, QwenFamily

PLAIN: Final[Family] = PlainFamily()

# What a template writes tells more than the architecture: many models have llama's, and speak another way. First match wins.
_BY_MARK: Final[tuple[tuple[str, Family], ...]] = (
    ("<|channel|>", GptOssFamily()),
    ("<｜tool▁calls▁begin｜>", DeepseekFamily()),
    ("<function=", QwenCoderFamily()),
    ("<|python_tag|>", LlamaFamily()),
    ("<|start_header_id|>", LlamaFamily()),
    ("<<SYS>>", Llama2Family()),
    ("[TOOL_CALLS]", MistralFamily()),
    ("[INST]", MistralFamily()),
    ("<start_of_turn>", GemmaFamily()),
    ("<|tool_call|>", PhiFamily()),
    ("<|tool|>", PhiFamily()),
    ("<|im_sep|>", PhiFamily()),
    ("<｜Assistant｜>", DeepseekFamily()),
    ("<|im_start|>", QwenFamily()),
)
_BY_ARCHITECTURE: Final[Mapping[str, Family]] = {
    "llama": LlamaFamily(),
    "mistral": MistralFamily(),
    "mixtral": MistralFamily(),
    "qwen": QwenFamily(),
    "gemma": GemmaFamily(),
    "deepseek": DeepseekFamily(),
    "phi": PhiFamily(),
    "gpt_oss": GptOssFamily(),
}


def family_of(architecture: str, template: str) -> Family:
    """The family whose marks `template` writes, else that of the architecture (`qwen3_moe` is qwen), else the plain one."""
    for mark, family in _BY_MARK:
        if mark in template:
            return family
    if not template:
        return PLAIN
    return next((family for start, family in _BY_ARCHITECTURE.items() if architecture.startswith(start)), PLAIN)
