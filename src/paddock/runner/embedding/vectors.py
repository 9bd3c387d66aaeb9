"""From what the model computed to what is told: lengths of 1, beginnings of vectors, scores."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from paddock.errors import UsageError
from paddock.runner.embedding.encoder import Floats
from paddock.runner.embedding.folder import EmbeddingFolder
from paddock.vocabulary import Embedded, Reranked

_LENGTH_MIN: Final = 1e-12


def embedded(rows: Sequence[Floats], dimensions: int, tokens: tuple[int, ...], cut: tuple[int, ...]) -> Embedded:
    """The first `dimensions` numbers of each row, of length 1."""
    if not rows:
        return Embedded(vectors=b"", dimensions=dimensions, tokens=tokens, cut=cut)
    vectors = np.stack(rows)[:, :dimensions].astype(np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _LENGTH_MIN)
    return Embedded(vectors=vectors.astype("<f4").tobytes(), dimensions=dimensions, tokens=tokens, cut=cut)


def reranked(rows: Sequence[Floats], tokens: tuple[int, ...], cut: tuple[int, ...]) -> Reranked:
    """The logit of each pair as a score."""
    logits = [float(row[0]) for row in rows]
    return Reranked(scores=tuple(_sigmoid(logit) for logit in logits), tokens=tokens, cut=cut)


def shortened_to(asked: int | None, own: int, folder: EmbeddingFolder, name: str) -> int:
    """How many numbers a vector gets. Raises UsageError where the model's beginnings are no vectors."""
    if asked is None or asked == own:
        return own
    if not folder.shortens:
        raise UsageError(
            f"Vectors of `{name}` have {own} numbers and cannot be cut to {asked}: it was not trained for that.",
            hint="Leave `dimensions` out.",
            param="dimensions",
        )
    allowed = folder.dimensions_allowed
    if not 1 <= asked <= own or (allowed and asked not in allowed):
        may = ", ".join(str(each) for each in allowed) if allowed else f"1 to {own}"
        raise UsageError(f"`{name}` has no vectors of {asked} numbers.", hint=f"It has {may}.", param="dimensions")
    return asked


def _sigmoid(logit: float) -> float:
    """Without overflow, whatever comes."""
    return float(1 / (1 + np.exp(-logit))) if logit >= 0 else float(np.exp(logit) / (1 + np.exp(logit)))
