"""Vectors of GGUF models: llama.cpp pools as the file says, and each batch is several texts side by side."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from paddock.errors import GenerationFailed, Incompatible, NotEnoughMemory
from paddock.runner.embedding.encoder import Floats, Tokens
from paddock.runner.embedding.folder import EmbeddingFolder, read_embedding_folder
from paddock.runner.embedding.reader import Reader
from paddock.runner.embedding.worker import EmbeddingWorker
from paddock.runner.executor import LoadedModel, Memory
from paddock.runner.llamacpp.device import Device, find_device
from paddock.runner.llamacpp.files import read_files
from paddock.runner.llamacpp.seam import Batch, library
from paddock.runner.llamacpp.weights import Weights, load_weights
from paddock.runner.llamacpp.words import Words
from paddock.runner.opening import LoadOptions
from paddock.runner.usage import WorkNotes
from paddock.runner.worker import Wires

_TEXTS_MAX: Final = 64  # in one batch
_BATCH_TOKENS: Final = 2048
_WINDOW_MAX: Final = 8192  # a text is pooled in one piece, and that takes memory by the square of its length
_NONE, _MEAN, _LAST, _RANK = 0, 1, 3, 4  # llama_pooling_type
_LAST_ARCHITECTURES: Final = ("qwen", "llama", "mistral")


class LlamaEncoder:
    """Implements Encoder."""

    def __init__(self, weights: Weights, device: Device, model: LoadedModel) -> None:
        self._c: Any = library()
        self._weights = weights
        self._device = device
        self._notes = WorkNotes()
        self._room = max(_BATCH_TOKENS, model.context_window)
        self._batch: Batch = self._c.llama_batch_init(self._room, 0, 1)
        self._context: int | None = self._open()
        self.model = model
        self.dimensions = int(self._c.llama_model_n_embd_out(weights.model))

    def encode(self, rows: Sequence[Tokens]) -> Floats:
        """See Encoder. Raises GenerationFailed when llama.cpp cannot go on with these."""
        vectors = np.empty((len(rows), self.dimensions), np.float32)
        start = 0
        while start < len(rows):
            end, tokens = start, 0
            while end < len(rows) and end - start < _TEXTS_MAX and tokens + len(rows[end]) <= self._room:
                tokens += len(rows[end])
                end += 1
            assert end > start, "the reader lets no text through that is longer than a batch"
            vectors[start:end] = self._together(rows[start:end])
            self._notes.batch(tokens=tokens, longest=max(len(row) for row in rows[start:end]))
            start = end
        return vectors

    def memory(self) -> Memory:
        return self._notes.told(active_bytes=self._device.active_bytes(), peak_bytes=self._device.peak_bytes())

    def close(self) -> None:
        """Idempotent."""
        if self._context is not None:
            self._c.llama_free(self._context)
            self._c.llama_batch_free(self._batch)
            self._context = None
            self._weights.free()

    def _together(self, rows: Sequence[Tokens]) -> Floats:
        if memory := self._c.llama_get_memory(self._context):  # of models that also write
            for number in range(_TEXTS_MAX):
                self._c.llama_memory_seq_rm(memory, number, -1, -1)
        batch, at = self._batch, 0
        for number, row in enumerate(rows):
            for position, token in enumerate(row.ids):
                batch.token[at], batch.pos[at] = token, position
                batch.n_seq_id[at], batch.seq_id[at][0] = 1, number
                batch.logits[at] = 1
                at += 1
        batch.n_tokens = at
        failed: int = self._c.llama_decode(self._context, batch)
        if failed:
            raise GenerationFailed(
                f"llama.cpp gave up on texts for `{self._weights.files.name}` ({failed}).",
                hint="Ask again; report it with the server's log if it happens again.",
            )
        found = [self._c.llama_get_embeddings_seq(self._context, number) for number in range(len(rows))]
        return np.stack([np.ctypeslib.as_array(each, (self.dimensions,)) for each in found])

    def _open(self) -> int:
        """Raises Incompatible for a reranker, NotEnoughMemory."""
        files = self._weights.files
        parameters = self._c.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = self._room
        parameters.n_seq_max, parameters.kv_unified = _TEXTS_MAX, True
        parameters.n_threads = parameters.n_threads_batch = self._weights.threads
        parameters.embeddings = True
        pooling = files.header.setting("pooling_type")
        if pooling == _RANK:
            raise Incompatible(
                f"`{files.name}` is a reranker in GGUF, which does not run here.", hint="Take one in MLX format."
            )
        if pooling in (None, _NONE):  # the file does not say, so it is what its kind is trained with
            last = files.architecture.startswith(_LAST_ARCHITECTURES)
            parameters.pooling_type = _LAST if last else _MEAN
        context: int | None = self._c.llama_init_from_model(self._weights.model, parameters)
        if not context:
            raise NotEnoughMemory(
                f"There is no memory for texts of {self._room} tokens with `{files.name}`.",
                hint="Unload another model, or lower the context window.",
            )
        return context


@dataclass(frozen=True, slots=True)
class _Split:
    """One text, in the words of those tokenizers."""

    ids: list[int]
    type_ids: tuple[int, ...] = ()


class _Splitter:
    """llama.cpp's tokenizer in the words of those that embedding models usually bring."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._ends = {words.named[name] for name in ("sep", "eos") if name in words.named}
        self._most: int | None = None

    def encode_batch(self, texts: Sequence[str]) -> list[_Split]:
        return [self._cut(self._words.split(text, whole=True)) for text in texts]

    def enable_truncation(self, most: int, *, strategy: str) -> None:
        self._most = most

    def no_truncation(self) -> None:
        self._most = None

    def _cut(self, tokens: list[int]) -> _Split:
        """What ends a text still ends it."""
        if self._most is None or len(tokens) <= self._most:
            return _Split(tokens)
        end = tokens[-1:] if tokens[-1] in self._ends else []
        return _Split([*tokens[: self._most - len(end)], *end])


@dataclass(frozen=True, slots=True)
class OpenedGgufEmbedder:
    """Implements OpenedWorker."""

    encoder: LlamaEncoder
    folder: EmbeddingFolder
    reader: Reader
    options: LoadOptions

    @property
    def model(self) -> LoadedModel:
        return self.encoder.model

    def worker(self, wires: Wires) -> EmbeddingWorker:
        return EmbeddingWorker(
            wires, self.options, encoder=self.encoder, reader=self.reader, folder=self.folder, scores=False
        )


def open_model(options: LoadOptions) -> OpenedGgufEmbedder:
    """Open a GGUF model in the thread that will own the device. Raises what loading raises."""
    started = time.perf_counter()
    files = read_files(Path(options.path), options.name)
    folder = read_embedding_folder(files.path.parent, options.name, {"model_type": files.architecture})
    device = find_device()
    weights = load_weights(files, options.options)
    words = Words(weights.vocabulary)
    limits = (weights.context_window, folder.tokens_max, options.context_window, _WINDOW_MAX)
    tokens_max = min(limit for limit in limits if limit is not None)
    model = LoadedModel(
        architecture=files.architecture,
        vocabulary=words.count,
        context_window=tokens_max,
        end_token_ids=frozenset(),
        pages=False,
        block_tokens=1,
        block_count=0,
        bytes_per_token=0,
        memory_bytes=device.active_bytes(),
        load_seconds=time.perf_counter() - started,
        device=device.name,
    )
    reader = Reader(_Splitter(words), folder, name=options.name, tokens_max=tokens_max, vocabulary=model.vocabulary)
    return OpenedGgufEmbedder(LlamaEncoder(weights, device, model), folder, reader, options)
