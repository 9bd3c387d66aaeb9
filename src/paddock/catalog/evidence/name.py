"""What a name gives away. The weakest evidence: whole words count, parts of words only where no other word has them."""

import re
from typing import Final

from paddock.catalog.clues import Clues
from paddock.catalog.traits import traits

_WORDS = re.compile(r"[^a-z0-9]+")
_GLUED_VL = re.compile(r"(?:\d|intern|smol)vl$")  # `qwen2.5vl`
_COUNT = re.compile(
    r"(?<![a-z0-9.])(?:(?P<experts>\d{1,3})x)?(?P<effective>e)?(?P<count>\d{1,4}(?:\.\d{1,3})?)(?P<unit>[bmt])(?![a-z0-9])"
)
_UNITS: Final = {"m": 10**6, "b": 10**9, "t": 10**12}
# Experts share attention and embeddings: 8x7B has 46.7 billion parameters, 8x22B has 141.
_SHARED_BY_EXPERTS: Final = 0.82
# `E2B` counts the parameters at work at a time; the file holds about twice as many (5.4 and 7.9 billion).
_EFFECTIVE: Final = 2
_GGUF_TYPE = re.compile(
    r"(?<![a-z0-9])(?P<type>iq[1-4]_(?:xxs|xs|nl|s|m)|q[2-6]_k(?:_(?:s|m|l|xl))?|q[458]_[01]|tq[12]_0|mxfp4(?:_moe)?|bf16|f16|f32)(?![a-z0-9])",
    re.IGNORECASE,
)
_BITS = re.compile(
    r"(?<![a-z0-9])(?:(?P<bits>[2-8])-?bits?|int(?P<integer>[48])|w(?P<weights>[48])a(?:8|16))(?![a-z0-9])"
)
_METHODS = re.compile(r"(?<![a-z0-9])(?P<method>awq|gptq|fp8|nvfp4|mxfp4|mxfp8|bnb|exl2|hqq)(?![a-z0-9])")
_DTYPES = re.compile(r"(?<![a-z0-9])(?P<dtype>bf16|bfloat16|fp16|f16|float16|fp32|f32|float32)(?![a-z0-9])")
_DTYPE_NAMES: Final = {"bfloat16": "bf16", "fp16": "f16", "float16": "f16", "fp32": "f32", "float32": "f32"}


def clues_of_name(name: str) -> Clues:
    lower = name.lower()
    short = lower.rsplit("/", 1)[-1]
    reranker = _mentions(lower, "reranker")
    return Clues(
        parameters=parameters_in(short),
        quantization=quantization_in(short),
        vision=True if _mentions(lower, "vision") or _GLUED_VL.search(" ".join(_WORDS.split(short))) else None,
        embeddings=True if not reranker and _mentions(lower, "embedding") else None,
        reranker=True if reranker else None,
    )


def parameters_in(name: str) -> int | None:
    """`Qwen3-30B-A3B` → 30 billion, `SmolLM2-135M` → 135 million, `Mixtral-8x7B` → 46 billion."""
    found = _COUNT.search(name.lower())
    if not found:
        return None
    count = float(found["count"]) * _UNITS[found["unit"]]
    if found["experts"]:
        count *= int(found["experts"]) * _SHARED_BY_EXPERTS
    if found["effective"]:
        count *= _EFFECTIVE
    return int(count) or None


def quantization_in(name: str) -> str | None:
    """`…-Q4_K_M.gguf` → Q4_K_M, `…-4bit` → 4bit, `…-AWQ` → awq, `…-bf16` → bf16."""
    if found := _GGUF_TYPE.search(name):
        kind = found["type"].upper()
        return kind.lower() if kind in ("BF16", "F16", "F32", "MXFP4") and not name.lower().endswith(".gguf") else kind
    lower = name.lower()
    bits = _BITS.search(lower)
    if found := _METHODS.search(lower):
        method = found["method"]
        return f"{method}-{bits['bits'] or bits['integer']}bit" if bits and method in ("awq", "gptq") else method
    if bits:
        return f"{bits['bits'] or bits['integer'] or bits['weights']}bit"
    if found := _DTYPES.search(lower):
        return _DTYPE_NAMES.get(found["dtype"], found["dtype"])
    return None


def _mentions(name: str, kind: str) -> bool:
    """True when `name` holds a telling word. `supervision` is not `vision`."""
    words = set(_WORDS.split(name))
    tables = traits().name
    return not words.isdisjoint(tables[f"{kind}_words"]) or any(
        part in name for part in tables.get(f"{kind}_parts", frozenset[str]())
    )
