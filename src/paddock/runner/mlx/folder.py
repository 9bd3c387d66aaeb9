"""A model's folder, checked before MLX reads a byte of it: config, shards and headers must agree with each other."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from paddock.catalog.headers.safetensors import SafetensorsTensor, read_safetensors_header
from paddock.catalog.headers.shards import parse_safetensors_index, summarize_safetensors
from paddock.catalog.reading import FileReader
from paddock.errors import Corrupt, Incompatible
from paddock.runner.mlx.config_numbers import check_numbers

_PULL_AGAIN: Final = "Pull the model again: `paddock pull`."
_FLOATS: Final = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
_CONTEXT_KEYS: Final = (
    "max_position_embeddings",
    "max_sequence_length",
    "max_seq_len",
    "n_positions",
    "seq_length",
    "n_ctx",
)
_CONTEXT_DEFAULT: Final = 4096
_CONFIG_BYTES_MAX: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFolder:
    """What the files say, by themselves."""

    path: Path
    name: str
    config: Mapping[str, Any]
    tensors: Mapping[str, SafetensorsTensor]
    stored_bytes: int

    @property
    def architecture(self) -> str:
        return str(self.config["model_type"])

    @property
    def context_window(self) -> int:
        for config in (self.config, _text_config(self.config)):
            for key in _CONTEXT_KEYS:
                value = config.get(key)
                if isinstance(value, int) and value > 0:
                    return value
        return _CONTEXT_DEFAULT

    @property
    def end_token_ids(self) -> tuple[int, ...]:
        """From config.json and generation_config.json together; the tokenizer knows its own."""
        found: list[int] = []
        for config in (
            self.config,
            _text_config(self.config),
            _read_json(self.path / "generation_config.json", self.name) or {},
        ):
            value: Any = config.get("eos_token_id")
            values = cast("list[Any]", value if isinstance(value, list) else [value])
            found += [token for token in values if isinstance(token, int) and not isinstance(token, bool)]
        return tuple(dict.fromkeys(found))

    @property
    def parameters(self) -> int:
        """Values that the weights stand for: packed ones unpacked, scales and zero points not counted."""
        quantization: object = self.config.get("quantization") or self.config.get("quantization_config") or {}
        group = cast("dict[str, Any]", quantization).get("group_size") if isinstance(quantization, dict) else None
        count = 0
        for name, tensor in self.tensors.items():
            scales = self.tensors.get(f"{name.removesuffix('.weight')}.scales") if name.endswith(".weight") else None
            if scales is not None and tensor.dtype == "U32":
                count += scales.elements * (group if isinstance(group, int) and group > 0 else 64)
            elif not name.endswith((".scales", ".biases")):
                count += tensor.elements
        return count

    @property
    def quantized(self) -> bool:
        return any(tensor.dtype not in _FLOATS for tensor in self.tensors.values())


def read_folder(path: Path, name: str) -> ModelFolder:
    """Raises Incompatible for what is no MLX model, Corrupt (InvalidHeader too) for files that are missing or broken."""
    if not path.is_dir():
        raise Incompatible(f"`{name}` is not a folder with a model.", hint="Check the path, or pull the model again.")
    config = _read_json(path / "config.json", name)
    if config is None:
        raise Incompatible(f"`{name}` has no config.json.", hint=_PULL_AGAIN)
    if not isinstance(config.get("model_type"), str) or not config["model_type"].replace("-", "_").isidentifier():
        raise Corrupt(f"The config.json of `{name}` names no `model_type`.", hint=_PULL_AGAIN)
    if config.get("model_file") is not None:
        raise Incompatible(
            f"`{name}` brings program code of its own, which Paddock does not run.",
            hint="Look for a conversion whose architecture MLX knows by itself.",
        )
    try:
        tensors, stored_bytes = _read_tensors(path, name)
    except Corrupt as error:
        if f"`{name}`" in error.message:
            raise
        raise type(error)(f"The weights of `{name}` are broken. {error.message}", hint=error.hint) from error
    check_numbers(config, name=name, tensors=len(tensors))
    return ModelFolder(path=path, name=name, config=config, tensors=tensors, stored_bytes=stored_bytes)


def _text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a model that sees pictures too: what its language part says of itself."""
    text = config.get("text_config")
    return cast("Mapping[str, Any]", text) if isinstance(text, dict) else {}


def _read_json(path: Path, name: str) -> dict[str, Any] | None:
    try:
        if path.stat().st_size > _CONFIG_BYTES_MAX:
            raise Corrupt(f"The {path.name} of `{name}` is absurdly long.", hint=_PULL_AGAIN)
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise Corrupt(f"The {path.name} of `{name}` cannot be read.", hint=_PULL_AGAIN) from error
    if not isinstance(value, dict):
        raise Corrupt(f"The {path.name} of `{name}` is not an object.", hint=_PULL_AGAIN)
    return cast("dict[str, Any]", value)


def _read_tensors(path: Path, name: str) -> tuple[Mapping[str, SafetensorsTensor], int]:
    files = sorted(path.glob("model*.safetensors"))  # the names that mlx-lm loads
    if not files:
        pickled = any(path.glob("*.bin")) or any(path.glob("*.pt"))
        raise Incompatible(
            f"`{name}` has its weights as {'pickles' if pickled else 'something else than .safetensors'}.",
            hint="Take a conversion with .safetensors; pickled weights can run programs and are never opened."
            if pickled
            else _PULL_AGAIN,
        )
    index_path = path / "model.safetensors.index.json"
    index = parse_safetensors_index(index_path.read_bytes()) if index_path.is_file() else None
    missing = set(index.files) - {file.name for file in files} if index else set[str]()
    if missing:
        raise Corrupt(f"`{name}` lacks {len(missing)} of its weight files, `{min(missing)}` for one.", hint=_PULL_AGAIN)
    try:
        headers = {file.name: read_safetensors_header(FileReader(file), name=file.name) for file in files}
    except OSError as error:
        raise Corrupt(f"The weights of `{name}` cannot be read: {error.strerror}.", hint=_PULL_AGAIN) from error
    summary = summarize_safetensors(headers, index=index)
    return summary.tensors, sum(header.data_bytes for header in headers.values())
