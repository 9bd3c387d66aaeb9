"""From the vectors of a text's tokens to its own, in NumPy."""

from paddock.runner.embedding.encoder import Floats
from paddock.runner.embedding.folder import Pooling


def pooled_row(hidden: Floats, pooling: Pooling) -> Floats:
    """[tokens, hidden] to [hidden]. No padding is there."""
    match pooling:
        case Pooling.CLS:
            return hidden[0]
        case Pooling.LAST:
            return hidden[-1]
        case Pooling.MAX:
            return hidden.max(axis=0)
        case Pooling.MEAN:
            return hidden.mean(axis=0)
