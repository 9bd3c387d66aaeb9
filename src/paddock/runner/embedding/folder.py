"""What the files of an embedding model say beside its weights, in the words of Sentence Transformers.

    modules.json                        which steps follow the model: pooling, dense layers, normalising
    1_Pooling/config.json               how the vectors of tokens become one
    sentence_bert_config.json           how long an input may be
    config_sentence_transformers.json   prompts that go before texts
    config.json                         `matryoshka_dimensions`: which beginnings of a vector are vectors, too

Models that lost these files on their way into another format are treated as their authors' models are known to be.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, cast

from paddock.errors import Corrupt, Incompatible

_BYTES_MAX: Final = 1024 * 1024
_PULL_AGAIN: Final = "Pull the model again: `paddock pull`."
_CLS_NAMES: Final = ("bge-", "arctic-embed", "mxbai-embed")
_LAST_ARCHITECTURES: Final = ("qwen3", "qwen2", "llama", "mistral")
# Trained so that a beginning of a vector is a vector, which their config.json does not tell.
_MATRYOSHKA_NAMES: Final = (
    "qwen3-embedding",
    "embeddinggemma",
    "nomic-embed-text-v1.5",
    "mxbai-embed-large",
    "arctic-embed-m-v1.5",
    "arctic-embed-l-v2",
    "arctic-embed-m-v2",
    "modernbert-embed",
)
_PROMPT_CHARACTERS_MAX: Final = 4096
_PLAIN_TYPES: Final = ("query", "document")  # every model may be told of these; where it has no prompt, nothing changes


class Pooling(StrEnum):
    """How the vectors of an input's tokens become one."""

    MEAN = "mean"
    CLS = "cls"  # the first token's
    LAST = "lasttoken"
    MAX = "max"


_MODES: Final = {
    "pooling_mode_mean_tokens": Pooling.MEAN,
    "pooling_mode_cls_token": Pooling.CLS,
    "pooling_mode_lasttoken": Pooling.LAST,
    "pooling_mode_max_tokens": Pooling.MAX,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingFolder:
    """See above."""

    pooling: Pooling
    tokens_max: int | None  # of an input; None where only the model's positions limit it
    prompts: Mapping[str, str]
    default_prompt: str
    shortens: bool  # whether vectors may be cut
    dimensions_allowed: tuple[int, ...]  # where only some lengths are; empty: any
    lower_case: bool

    def prompt(self, input_type: str | None) -> str | None:
        """What goes before a text of this type; None where the model knows no such type."""
        if input_type is None:
            return self.default_prompt
        prompt = self.prompts.get(input_type)
        return "" if prompt is None and input_type in _PLAIN_TYPES else prompt

    @property
    def input_types(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.prompts, *_PLAIN_TYPES)))


def read_embedding_folder(path: Path, name: str, config: Mapping[str, Any]) -> EmbeddingFolder:
    """Raises Corrupt for files that cannot be read, Incompatible for a way of pooling that is not known here."""
    architecture = str(config.get("model_type", "")).replace("-", "_")
    sentence = read_object(path / "sentence_bert_config.json", name) or {}
    prompts_file = read_object(path / "config_sentence_transformers.json", name) or {}
    prompts = {
        key: value
        for key, value in _object(prompts_file.get("prompts")).items()
        if isinstance(value, str) and len(value) <= _PROMPT_CHARACTERS_MAX
    }
    default = prompts_file.get("default_prompt_name")
    tokens_max = sentence.get("max_seq_length")
    allowed = _dimensions(config)
    return EmbeddingFolder(
        pooling=_pooling(path, name, architecture),
        tokens_max=tokens_max if isinstance(tokens_max, int) and tokens_max > 0 else None,
        prompts=prompts,
        default_prompt=prompts.get(default, "") if isinstance(default, str) else "",
        shortens=bool(allowed) or config.get("is_matryoshka") is True or _named(name, _MATRYOSHKA_NAMES),
        dimensions_allowed=allowed,
        lower_case=sentence.get("do_lower_case") is True,
    )


def read_object(path: Path, name: str) -> dict[str, Any] | None:
    """A JSON object; None where there is no such file. Raises Corrupt."""
    value = read_json(path, name)
    if value is not None and not isinstance(value, dict):
        raise Corrupt(f"The {path.name} of `{name}` is not an object.", hint=_PULL_AGAIN)
    return cast("dict[str, Any] | None", value)


def read_json(path: Path, name: str) -> object:
    """What a small JSON file holds; None where there is none. Raises Corrupt."""
    try:
        if path.stat().st_size > _BYTES_MAX:
            raise Corrupt(f"The {path.name} of `{name}` is absurdly long.", hint=_PULL_AGAIN)
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise Corrupt(f"The {path.name} of `{name}` cannot be read.", hint=_PULL_AGAIN) from error


def _pooling(path: Path, name: str, architecture: str) -> Pooling:
    told = read_object(path / _pooling_folder(path, name) / "config.json", name)
    if told is None:
        if _named(name, _CLS_NAMES):
            return Pooling.CLS
        return Pooling.LAST if architecture in _LAST_ARCHITECTURES else Pooling.MEAN
    modes = [key for key, value in told.items() if key.startswith("pooling_mode") and value is True]
    word = told.get("pooling_mode")  # newer files have one word
    if isinstance(word, str):
        modes = [key for key, mode in _MODES.items() if mode.value == word] or [word]
    if len(modes) != 1 or modes[0] not in _MODES:
        raise Incompatible(
            f"`{name}` pools the vectors of its tokens in a way that is not known here: {', '.join(modes) or 'none'}.",
            hint="Take a model that pools by mean, first token, last token or maximum.",
        )
    return _MODES[modes[0]]


def _pooling_folder(path: Path, name: str) -> str:
    """The folder that modules.json names; never one outside of the model's."""
    modules = read_json(path / "modules.json", name)
    for module in cast("list[Any]", modules) if isinstance(modules, list) else []:
        kind, folder = _object(module).get("type"), _object(module).get("path")
        if isinstance(kind, str) and kind.endswith(".Pooling") and isinstance(folder, str):
            if "/" in folder or folder.startswith("."):
                raise Corrupt(f"The modules.json of `{name}` leads out of its folder.", hint=_PULL_AGAIN)
            return folder
    return "1_Pooling"


def _dimensions(config: Mapping[str, Any]) -> tuple[int, ...]:
    for key in ("matryoshka_dimensions", "matryoshka_dims"):
        value = config.get(key)
        if isinstance(value, list):
            sizes = [each for each in cast("list[Any]", value) if isinstance(each, int) and each > 0]
            return tuple(sorted(sizes))
    return ()


def _named(name: str, words: tuple[str, ...]) -> bool:
    return any(word in name.lower() for word in words)


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}
