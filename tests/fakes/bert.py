"""A BERT in NumPy, written from the formulas of its paper, in double precision and one text at a time.

It shares no code with what it is compared with: tokens come from the caller, weights are read from the file's bytes.
"""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
_erf: Callable[[Numbers], Numbers] = np.vectorize(math.erf, otypes=[np.float64])


class Bert:
    """The model in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.config: dict[str, Any] = json.loads((folder / "config.json").read_text())
        self.weights = read_safetensors(folder / "model.safetensors")

    def hidden(self, tokens: Sequence[int], types: Sequence[int] | None = None) -> Numbers:
        """The vector of each token after the last layer."""
        kinds = list(types) if types is not None else [0] * len(tokens)
        hidden = (
            self.weights["embeddings.word_embeddings.weight"][list(tokens)]
            + self.weights["embeddings.position_embeddings.weight"][: len(tokens)]
            + self.weights["embeddings.token_type_embeddings.weight"][kinds]
        )
        hidden = self._norm("embeddings.LayerNorm", hidden)
        for number in range(self.config["num_hidden_layers"]):
            hidden = self._layer(f"encoder.layer.{number}", hidden)
        return hidden

    def vector(self, tokens: Sequence[int]) -> Numbers:
        """The mean of them, of length 1."""
        mean = self.hidden(tokens).mean(axis=0)
        return mean / np.linalg.norm(mean)

    def _layer(self, name: str, hidden: Numbers) -> Numbers:
        heads = self.config["num_attention_heads"]
        query, key, value = (
            self._linear(f"{name}.attention.self.{part}", hidden).reshape(len(hidden), heads, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        seen = (shares @ value).transpose(1, 0, 2).reshape(hidden.shape)
        attended = self._linear(f"{name}.attention.output.dense", seen)
        hidden = self._norm(f"{name}.attention.output.LayerNorm", hidden + attended)
        inner = self._linear(f"{name}.intermediate.dense", hidden)
        inner = inner * 0.5 * (1 + _erf(inner / math.sqrt(2)))
        return self._norm(f"{name}.output.LayerNorm", hidden + self._linear(f"{name}.output.dense", inner))

    def _linear(self, name: str, values: Numbers) -> Numbers:
        return values @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def _norm(self, name: str, values: Numbers) -> Numbers:
        centred = values - values.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(centred.var(axis=-1, keepdims=True) + self.config["layer_norm_eps"])
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def read_safetensors(path: Path) -> dict[str, Numbers]:
    """Every tensor of float32 or bfloat16, as doubles."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header: dict[str, Any] = json.loads(data[8 : 8 + length])
    tensors: dict[str, Numbers] = {}
    for name, told in header.items():
        if name == "__metadata__" or told["dtype"] not in ("F32", "BF16"):
            continue
        begin, end = told["data_offsets"]
        part = data[8 + length + begin : 8 + length + end]
        if told["dtype"] == "BF16":
            wide = np.frombuffer(part, "<u2").astype("<u4") << 16
            numbers = wide.view("<f4")
        else:
            numbers = np.frombuffer(part, "<f4")
        tensors[name] = numbers.reshape(told["shape"]).astype(np.float64)
    return tensors


def write_safetensors(path: Path, tensors: dict[str, npt.NDArray[np.float32]]) -> None:
    """The file that holds them."""
    header: dict[str, Any] = {}
    body = b""
    for name, tensor in tensors.items():
        part = tensor.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(body), len(body) + len(part)]}
        body += part
    told = json.dumps(header).encode()
    path.write_bytes(len(told).to_bytes(8, "little") + told + body)
