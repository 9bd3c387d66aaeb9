"""Vectors through MLX."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import mlx.core as mx
import numpy as np
import psutil

from paddock.errors import NotEnoughMemory
from paddock.runner.embedding.encoder import Floats, Tokens, padded
from paddock.runner.embedding.folder import EmbeddingFolder, read_embedding_folder
from paddock.runner.embedding.host_bert import HostBert
from paddock.runner.embedding.mlx_arrays import evaluate, to_device
from paddock.runner.embedding.mlx_heads import Classifier, pooled
from paddock.runner.embedding.mlx_host import host_bert
from paddock.runner.embedding.mlx_loading import EmbeddingWeights, load_embedding_weights
from paddock.runner.embedding.mlx_towers import tower
from paddock.runner.embedding.pooling import pooled_row
from paddock.runner.executor import LoadedModel, Memory
from paddock.runner.mlx.folder import ModelFolder, read_folder
from paddock.runner.mlx.host_team import Team
from paddock.runner.mlx.layout import device_kind, memory_share
from paddock.runner.mlx.usage import memory
from paddock.runner.opening import LoadOptions
from paddock.runner.usage import WorkNotes

_CACHE_BYTES_MAX: Final = 128 * 1024 * 1024  # freed arrays kept for the next batch, which has another shape
_SHARED_FROM: Final = 48  # tokens; fewer are done before another thread has begun
_ALONE: Final = Team(1)


class MlxEncoder:
    """Implements Encoder."""

    def __init__(
        self, weights: EmbeddingWeights, folder: EmbeddingFolder, model: LoadedModel, *, pad_id: int, scores: bool
    ) -> None:
        self._weights = weights
        self._folder = folder
        self._pad_id = pad_id
        self._tower = tower(weights.architecture)
        self._host = host_bert(weights)
        self._team = Team()
        self._classifier = (
            Classifier(weights.architecture, weights.head, folder.pooling, weights.model) if scores else None
        )
        self.scores = scores
        self._dense = getattr(weights.model, "dense", [])
        self._notes = WorkNotes()
        self.model = model
        mx.set_cache_limit(_CACHE_BYTES_MAX)
        self.dimensions = 1 if scores else int(self.encode([Tokens([pad_id])]).shape[1])

    def encode(self, rows: Sequence[Tokens]) -> Floats:
        """See Encoder. Raises NotEnoughMemory."""
        longest = max(len(row) for row in rows)
        try:
            result = self._by_mlx(rows) if self._host is None else self._by_host(self._host, rows)
            evaluate(result)
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "allocate" not in str(error) and "memory" not in str(error):
                raise
            raise NotEnoughMemory(
                f"Memory ran out over inputs of {longest} tokens.", hint="Send shorter inputs, or unload a model."
            ) from error
        fed = sum(len(row) for row in rows) if self._host is not None else longest * len(rows)
        self._notes.batch(tokens=fed, longest=longest)
        return np.array(result, dtype=np.float32)

    def memory(self) -> Memory:
        return memory(self._notes)

    def close(self) -> None:
        """Nothing to let go of but memory, which goes with the process."""

    def _by_mlx(self, rows: Sequence[Tokens]) -> mx.array:
        """Padded to the longest."""
        rectangle = padded(rows, self._pad_id)
        ids, mask, types = (
            to_device(part.astype(np.int32)) for part in (rectangle.ids, rectangle.mask, rectangle.types)
        )
        hidden = self._tower(self._weights.model, ids, mask, types)
        if self._classifier is not None:
            return self._classifier.logits(hidden, mask).astype(mx.float32)
        return self._narrowed(pooled(hidden, mask, self._folder.pooling))

    def _by_host(self, host: HostBert, rows: Sequence[Tokens]) -> mx.array:
        """Without padding."""
        hidden = host.hidden(rows, self._team if sum(len(row) for row in rows) >= _SHARED_FROM else _ALONE)
        if self._classifier is not None:  # of these architectures they look at the first token only
            first = to_device(np.stack([each[:1] for each in hidden]))
            return self._classifier.logits(first, mx.ones(first.shape[:2]))
        return self._narrowed(to_device(np.stack([pooled_row(each, self._folder.pooling) for each in hidden])))

    def _narrowed(self, vectors: mx.array) -> mx.array:
        for dense in self._dense:
            vectors = dense(vectors)
        return vectors.astype(mx.float32)


def open_encoder(options: LoadOptions, *, blas: str | None) -> tuple[MlxEncoder, EmbeddingFolder, int]:
    """The model in the folder of `options`, what its files say, and how long an input may be. Raises what loading raises."""
    started = time.perf_counter()
    path = Path(options.path)
    files = read_folder(path, options.name)
    folder = read_embedding_folder(path, options.name, files.config)
    scores = is_reranker(files)
    weights = load_embedding_weights(files, options.memory_bytes_max or memory_share(), scores=scores)
    tokens_max = longest_input(files, folder, options)
    on_cpu = device_kind() == "cpu"
    loaded = LoadedModel(
        architecture=weights.architecture,
        vocabulary=int(files.config["vocab_size"]),
        context_window=tokens_max,
        end_token_ids=frozenset(),
        pages=False,
        block_tokens=1,
        block_count=0,
        bytes_per_token=0,
        memory_bytes=psutil.Process().memory_info().rss if on_cpu else mx.get_active_memory(),
        load_seconds=time.perf_counter() - started,
        device=device_kind(),
        blas=blas if on_cpu else None,
    )
    encoder = MlxEncoder(weights, folder, loaded, pad_id=int(files.config.get("pad_token_id") or 0), scores=scores)
    return encoder, folder, tokens_max


def is_reranker(files: ModelFolder) -> bool:
    """A classifier of pairs, by the class that its config names."""
    names: object = files.config.get("architectures")
    return isinstance(names, list) and any(
        isinstance(name, str) and name.endswith("ForSequenceClassification") for name in names
    )


def longest_input(files: ModelFolder, folder: EmbeddingFolder, options: LoadOptions) -> int:
    """Tokens of the longest input: what positions there are, what its authors say, and what was set."""
    positions = files.context_window
    if files.architecture.replace("-", "_") in ("xlm_roberta", "roberta", "camembert"):
        positions -= int(files.config.get("pad_token_id") or 0) + 1  # they count from there
    limits = [positions, folder.tokens_max, options.context_window]
    return min(limit for limit in limits if limit is not None)
