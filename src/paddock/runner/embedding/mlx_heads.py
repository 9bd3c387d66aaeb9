"""What follows the vectors of tokens: pooling, dense layers, and the classifiers of rerankers."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import mlx.core as mx

from paddock.errors import Corrupt, Incompatible
from paddock.runner.embedding.folder import Pooling

Arrays = Mapping[str, mx.array]
_SCORES: Final = {"bert", "xlm_roberta", "roberta", "camembert", "modernbert"}


def pooled(hidden: mx.array, mask: mx.array, pooling: Pooling) -> mx.array:
    """[rows, tokens, hidden] to [rows, hidden], in float32. Padding is not there."""
    hidden = hidden.astype(mx.float32)
    real = mask[:, :, None] > 0
    match pooling:
        case Pooling.CLS:
            return hidden[:, 0]
        case Pooling.LAST:
            return hidden[mx.arange(hidden.shape[0]), mask.sum(axis=1) - 1]
        case Pooling.MAX:
            return mx.where(real, hidden, -mx.inf).max(axis=1)
        case Pooling.MEAN:
            return mx.where(real, hidden, 0).sum(axis=1) / mask.sum(axis=1, keepdims=True)


@dataclass(frozen=True, slots=True)
class Classifier:
    """The head of a reranker: one logit a pair."""

    architecture: str
    weights: Arrays  # of the head, by the names that Transformers gives them
    pooling: Pooling
    model: Any

    def logits(self, hidden: mx.array, mask: mx.array) -> mx.array:
        """[rows, 1]."""
        first = hidden[:, 0].astype(mx.float32)
        match self.architecture:
            case "bert":
                return self._linear("classifier", mx.tanh(self._linear("pooler.dense", first)))
            case "modernbert":
                at = pooled(hidden, mask, self.pooling)
                return self.model.classifier(self.model.head(at))
            case _:
                return self._linear("classifier.out_proj", mx.tanh(self._linear("classifier.dense", first)))

    def _linear(self, name: str, values: mx.array) -> mx.array:
        weight, bias = self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias")
        product = values @ weight.astype(mx.float32).T
        return product if bias is None else product + bias.astype(mx.float32)


def head_weights(architecture: str, weights: Arrays, name: str) -> Arrays:
    """Those that a classifier needs, without the model's prefix. Raises Incompatible, Corrupt."""
    if architecture not in _SCORES:
        raise Incompatible(
            f"`{name}` is a reranker of architecture `{architecture}`, which does not run here.",
            hint=f"Take a cross-encoder of {', '.join(sorted(_SCORES))}.",
        )
    if architecture == "modernbert":
        return {}
    wanted = (
        ("pooler.dense.weight", "classifier.weight")
        if architecture == "bert"
        else ("classifier.dense.weight", "classifier.out_proj.weight")
    )
    missing = [each for each in wanted if each not in weights]
    if missing:
        raise Corrupt(
            f"`{name}` lacks `{missing[0]}`, without which it scores nothing.", hint="Take another conversion."
        )
    last = weights[wanted[1]]
    if last.shape[0] != 1:
        raise Incompatible(
            f"`{name}` sorts texts into {last.shape[0]} classes; it is no reranker.", hint="Take a cross-encoder."
        )
    return {key: value for key, value in weights.items() if key.startswith(("pooler.", "classifier."))}
