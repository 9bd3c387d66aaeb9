"""The numbers of a config.json, checked before model code sees them: it sizes arrays and loops by them, and asks nobody."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from paddock.errors import Corrupt

_WIDTH_MAX: Final = 2**24  # the widest layer or vocabulary known has 2**20
_HEADS_MAX: Final = 2**16
_CONTEXT_MAX: Final = 2**30  # the longest context known is 2**24
_COUNTS: Final[Mapping[str, int]] = {
    **dict.fromkeys(
        ("hidden_size", "intermediate_size", "moe_intermediate_size", "vocab_size", "head_dim"), _WIDTH_MAX
    ),
    **dict.fromkeys(("n_embd", "d_model", "dim", "v_head_dim", "qk_nope_head_dim"), _WIDTH_MAX),
    **dict.fromkeys(
        ("num_attention_heads", "num_key_value_heads", "n_head", "n_heads", "num_heads", "num_experts_per_tok"),
        _HEADS_MAX,
    ),
    **dict.fromkeys(
        ("max_position_embeddings", "max_sequence_length", "max_seq_len", "n_positions", "seq_length", "n_ctx"),
        _CONTEXT_MAX,
    ),
}
_LAYERS: Final = ("num_hidden_layers", "n_layers", "n_layer", "num_layers", "num_experts", "num_local_experts")
_LAYERS_MIN: Final = 1024  # that many are always believed: one tensor may hold several of a kind
_REALS: Final = ("rope_theta", "rope_local_base_freq", "partial_rotary_factor", "rms_norm_eps", "layer_norm_epsilon")
_HINT: Final = "Pull the model again: `paddock pull`."


def check_numbers(config: Mapping[str, Any], *, name: str, tensors: int) -> None:
    """Raises Corrupt that names the model, the key and the value. What is absent or null is the architecture's affair."""
    limits = {**dict.fromkeys(_LAYERS, max(tensors, _LAYERS_MIN)), **_COUNTS}
    for part in _parts(config):
        for key, most in limits.items():
            for value in _values(part.get(key)):
                if not _is_count(value, most, least=0 if "experts" in key else 1):
                    beside = f", and the weights have {tensors} tensors" if key in _LAYERS else ""
                    raise _lie(name, key, value, beside)
        for key in _REALS:
            for value in _values(part.get(key)):
                if not _is_positive(value, or_zero=key not in _REALS[:2]):
                    raise _lie(name, key, value)
        _check_groups(part, name)
        scaling: Any = part.get("rope_scaling")
        if isinstance(scaling, dict):
            factor: Any = cast("dict[str, Any]", scaling).get("factor")
            if factor is not None and not _is_positive(factor):
                raise _lie(name, "rope_scaling.factor", factor)


def _parts(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The config, and of a model that sees pictures too what its language part says of itself."""
    yield config
    text = config.get("text_config")
    if isinstance(text, dict):
        yield cast("Mapping[str, Any]", text)


def _check_groups(config: Mapping[str, Any], name: str) -> None:
    for section in ("quantization", "quantization_config"):
        packing: Any = config.get(section)
        if isinstance(packing, dict):
            for key, most in (("group_size", _WIDTH_MAX), ("bits", 64)):
                value: Any = cast("dict[str, Any]", packing).get(key)
                # -1 is one group for all, in the words of other tools.
                if value not in (None, -1) and not _is_count(value, most, least=1):
                    raise _lie(name, f"{section}.{key}", value)


def _values(value: Any) -> list[Any]:
    """Some architectures have a number for each layer."""
    if value is None:
        return []
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _is_count(value: Any, most: int, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_positive(value: Any, *, or_zero: bool = False) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return (value > 0 or (or_zero and value == 0)) and value <= sys.float_info.max  # NaN is none of these


def _lie(name: str, key: str, value: object, beside: str = "") -> Corrupt:
    return Corrupt(f"The config.json of `{name}` says {key} = {str(value)[:80]}{beside}.", hint=_HINT)
