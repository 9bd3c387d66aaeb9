"""ONNX files without ONNX's library: the little of their protobuf that a graph needs, and a BERT as such a graph.

A message is a run of fields; each is a tag (its number, and how its value is written) and a value.
"""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.fakes.bert import read_safetensors

_FLOAT, _INT64 = 1, 7
_OPSET = 17
_IR = 8


class Graph:
    """Nodes and constants, in order. Every method returns the name of what it makes."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        self._count = 0

    def constant(self, value: npt.ArrayLike, kind: type = np.float32) -> str:
        name = self._name()
        array: Any = np.asarray(value, dtype=kind)
        told = b"".join(_number(1, size) for size in array.shape)
        told += _number(2, _FLOAT if kind is np.float32 else _INT64)
        self._constants.append(told + _bytes(8, name.encode()) + _bytes(9, array.tobytes()))
        return name

    def node(self, operation: str, *inputs: str, **attributes: int | float | Sequence[int]) -> str:
        name = self._name()
        told = b"".join(_bytes(1, each.encode()) for each in inputs)
        told += _bytes(2, name.encode()) + _bytes(4, operation.encode())
        told += b"".join(_bytes(5, _attribute(key, value)) for key, value in attributes.items())
        self._nodes.append(told)
        return name

    def write(self, path: Path, *, inputs: Iterable[str], output: str, rank: int) -> None:
        """`inputs` are integers, [rows, tokens]; `output` are floats with so many axes."""
        graph = b"".join(_bytes(1, node) for node in self._nodes) + _bytes(2, b"graph")
        graph += b"".join(_bytes(5, constant) for constant in self._constants)
        graph += b"".join(_bytes(11, _value(name, _INT64, 2)) for name in inputs)
        graph += _bytes(12, _value(output, _FLOAT, rank))
        path.write_bytes(_number(1, _IR) + _bytes(7, graph) + _bytes(8, _number(2, _OPSET)))

    def _name(self) -> str:
        self._count += 1
        return f"n{self._count}"


def bert_graph(folder: Path, path: Path) -> None:
    """The BERT in `folder` (config.json, model.safetensors) as a graph that gives the vector of each token."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    weights = read_safetensors(folder / "model.safetensors")
    graph, heads, width = Graph(), config["num_attention_heads"], config["hidden_size"]

    def weight(name: str) -> str:
        return graph.constant(weights[name])

    def linear(name: str, values: str) -> str:
        return graph.node(
            "Add",
            graph.node("MatMul", values, graph.constant(weights[f"{name}.weight"].T.copy())),
            weight(f"{name}.bias"),
        )

    def norm(name: str, values: str) -> str:
        return graph.node(
            "LayerNormalization",
            values,
            weight(f"{name}.weight"),
            weight(f"{name}.bias"),
            axis=-1,
            epsilon=float(config["layer_norm_eps"]),
        )

    def split(name: str, values: str, order: Sequence[int]) -> str:
        shape = graph.constant([0, 0, heads, width // heads], np.int64)
        return graph.node("Transpose", graph.node("Reshape", linear(name, values), shape), perm=order)

    length = graph.node("Gather", graph.node("Shape", "input_ids"), graph.constant(1, np.int64))
    places = graph.node("Range", graph.constant(0, np.int64), length, graph.constant(1, np.int64))
    hidden = graph.node(
        "Add",
        graph.node("Gather", weight("embeddings.word_embeddings.weight"), "input_ids"),
        graph.node("Gather", weight("embeddings.position_embeddings.weight"), places),
    )
    types = graph.node("Gather", weight("embeddings.token_type_embeddings.weight"), "token_type_ids")
    hidden = norm("embeddings.LayerNorm", graph.node("Add", hidden, types))
    absent = graph.node("Sub", graph.constant(1.0), graph.node("Cast", "attention_mask", to=_FLOAT))
    hide = graph.node("Mul", absent, graph.constant(-1e9))
    hide = graph.node("Unsqueeze", hide, graph.constant([1, 2], np.int64))
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{number}"
        query = split(f"{layer}.attention.self.query", hidden, (0, 2, 1, 3))
        key = split(f"{layer}.attention.self.key", hidden, (0, 2, 3, 1))
        value = split(f"{layer}.attention.self.value", hidden, (0, 2, 1, 3))
        scale = graph.constant(1 / math.sqrt(width // heads))
        scores = graph.node("Add", graph.node("Mul", graph.node("MatMul", query, key), scale), hide)
        seen = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), value)
        seen = graph.node("Transpose", seen, perm=(0, 2, 1, 3))
        seen = graph.node("Reshape", seen, graph.constant([0, 0, width], np.int64))
        attended = linear(f"{layer}.attention.output.dense", seen)
        hidden = norm(f"{layer}.attention.output.LayerNorm", graph.node("Add", hidden, attended))
        inner = linear(f"{layer}.intermediate.dense", hidden)
        erf = graph.node("Erf", graph.node("Mul", inner, graph.constant(1 / math.sqrt(2))))
        half = graph.node("Mul", graph.node("Add", erf, graph.constant(1.0)), graph.constant(0.5))
        outer = linear(f"{layer}.output.dense", graph.node("Mul", inner, half))
        hidden = norm(f"{layer}.output.LayerNorm", graph.node("Add", hidden, outer))
    graph.write(path, inputs=("input_ids", "attention_mask", "token_type_ids"), output=hidden, rank=3)


def _attribute(name: str, value: int | float | Sequence[int]) -> bytes:
    told = _bytes(1, name.encode())
    if isinstance(value, float):
        return told + _tag(2, 5) + np.float32(value).tobytes() + _number(20, 1)
    if isinstance(value, int):
        return told + _number(3, value) + _number(20, 2)
    return told + b"".join(_number(8, each) for each in value) + _number(20, 7)


def _value(name: str, kind: int, rank: int) -> bytes:
    axes = b"".join(_bytes(1, _bytes(2, f"axis {axis}".encode())) for axis in range(rank))
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, _number(1, kind) + _bytes(2, axes)))


def _number(field: int, value: int) -> bytes:
    return _tag(field, 0) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _tag(field, 2) + _varint(len(value)) + value


def _tag(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative numbers are written in two's complement
    told = bytearray()
    while value > 0x7F:
        told.append(value & 0x7F | 0x80)
        value >>= 7
    told.append(value)
    return bytes(told)
