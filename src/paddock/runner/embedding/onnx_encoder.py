"""Vectors through ONNX Runtime, on the CPU."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil

from paddock.errors import Corrupt, Incompatible, NotEnoughMemory
from paddock.runner.embedding.encoder import Floats, Tokens, padded
from paddock.runner.embedding.folder import EmbeddingFolder, read_embedding_folder, read_object
from paddock.runner.embedding.pooling import pooled_row
from paddock.runner.executor import LoadedModel, Memory
from paddock.runner.mlx.blas import physical_cores
from paddock.runner.opening import LoadOptions
from paddock.runner.usage import WorkNotes, process_peak_bytes

_INSTALL: Final = "Install it: `pip install paddock[onnx]`."
_PULL_AGAIN: Final = "Pull the model again: `paddock pull`."
_PLACES: Final = ("model.onnx", "onnx/model.onnx", "model_optimized.onnx", "model_quantized.onnx")
_CONTEXT_DEFAULT: Final = 512
_POOLED: Final = ("sentence_embedding", "text_embeds", "sentence_embeddings")
_PARTS: Final[Mapping[str, str]] = {"input_ids": "ids", "attention_mask": "mask", "token_type_ids": "types"}


class OnnxEncoder:
    """Implements Encoder."""

    scores = False

    def __init__(self, session: Any, folder: EmbeddingFolder, model: LoadedModel, *, name: str, pad_id: int) -> None:
        self._session = session
        self._folder = folder
        self._pad_id = pad_id
        self._inputs = _inputs(session, name)
        outputs = [output.name for output in session.get_outputs()]
        self._output = next((each for each in _POOLED if each in outputs), outputs[0])
        self._notes = WorkNotes()
        self.model = model
        self.dimensions = int(self.encode([Tokens([pad_id, pad_id])]).shape[1])

    def encode(self, rows: Sequence[Tokens]) -> Floats:
        """See Encoder. Raises NotEnoughMemory."""
        rectangle = padded(rows, self._pad_id)
        feed = {name: getattr(rectangle, part).astype(kind) for name, (part, kind) in self._inputs.items()}
        try:
            result = np.asarray(self._session.run([self._output], feed)[0], dtype=np.float32)
        except Exception as error:  # the library raises classes of its own, which derive from nothing else
            if "alloc" not in str(error).lower():
                raise
            raise NotEnoughMemory(
                f"Memory ran out over inputs of {rectangle.ids.shape[1]} tokens.",
                hint="Send shorter inputs, or unload a model.",
            ) from error
        self._notes.batch(tokens=rectangle.ids.size, longest=rectangle.ids.shape[1])
        if result.ndim == 2:
            return result
        lengths = rectangle.lengths.tolist()
        real = (hidden[:length] for hidden, length in zip(result, lengths, strict=True))  # padding is behind
        return np.stack([pooled_row(each, self._folder.pooling) for each in real])

    def memory(self) -> Memory:
        resident = psutil.Process().memory_info().rss
        return self._notes.told(active_bytes=resident, peak_bytes=process_peak_bytes())

    def close(self) -> None:
        """Nothing to let go of but memory, which goes with the process."""


def open_encoder(options: LoadOptions) -> tuple[OnnxEncoder, EmbeddingFolder, int]:
    """The graph in the folder of `options`. Raises Incompatible, Corrupt."""
    started = time.perf_counter()
    path = Path(options.path)
    config = read_object(path / "config.json", options.name) or {}
    folder = read_embedding_folder(path, options.name, config)
    session = _session(path, options)
    positions = config.get("max_position_embeddings")
    limits = (positions if isinstance(positions, int) else _CONTEXT_DEFAULT, folder.tokens_max, options.context_window)
    tokens_max = min(limit for limit in limits if limit is not None)
    vocabulary = config.get("vocab_size")
    model = LoadedModel(
        architecture=str(config.get("model_type", "onnx")),
        vocabulary=vocabulary if isinstance(vocabulary, int) else 1 << 31,
        context_window=tokens_max,
        end_token_ids=frozenset(),
        pages=False,
        block_tokens=1,
        block_count=0,
        bytes_per_token=0,
        memory_bytes=psutil.Process().memory_info().rss,
        load_seconds=time.perf_counter() - started,
        device="cpu",
    )
    pad_id = config.get("pad_token_id")
    encoder = OnnxEncoder(session, folder, model, name=options.name, pad_id=pad_id if isinstance(pad_id, int) else 0)
    return encoder, folder, tokens_max


def _session(path: Path, options: LoadOptions) -> Any:
    try:
        import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise Incompatible(f"ONNX Runtime, which runs `{options.name}`, is not installed.", hint=_INSTALL) from error
    settings: Any = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = physical_cores()
    # Threads that wait for work would otherwise spin, and take the cores from everybody else.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    settings.log_severity_level = 3
    file = _graph(path, options.name)
    try:
        return onnxruntime.InferenceSession(str(file), settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library raises classes of its own, which derive from nothing else
        told = " ".join(str(error).split())[:200].replace(str(path), options.name)
        raise Corrupt(f"The graph of `{options.name}` cannot be loaded: {told}", hint=_PULL_AGAIN) from error


def _graph(path: Path, name: str) -> Path:
    if path.is_file():
        return path
    for place in _PLACES:
        if (path / place).is_file():
            return path / place
    found = sorted(path.rglob("*.onnx"))
    if len(found) == 1:
        return found[0]
    raise Incompatible(
        f"`{name}` has {len(found)} graphs, and none of them is called model.onnx.", hint="Pull one of its variants."
    )


def _inputs(session: Any, name: str) -> Mapping[str, tuple[str, type]]:
    """Which part of a batch each input of the graph takes, and as what. Raises Incompatible."""
    told: dict[str, tuple[str, type]] = {}
    for each in session.get_inputs():
        if each.name not in _PARTS:
            raise Incompatible(
                f"The graph of `{name}` wants `{each.name}`: it is no model that embeds texts.",
                hint="Take an embedding model, whose graph wants `input_ids` and `attention_mask`.",
            )
        told[each.name] = _PARTS[each.name], np.int32 if "int32" in each.type else np.int64
    return told
