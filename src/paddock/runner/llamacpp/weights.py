"""A model in memory, as llama.cpp loads it: mapped from its file, or on the device, all layers unless told otherwise."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import psutil

from paddock.errors import Corrupt, Incompatible, PaddockError
from paddock.runner.llamacpp.files import ModelFiles
from paddock.runner.llamacpp.seam import LINES, library

_PULL_AGAIN: Final = "`paddock verify` checks its file; pull the model again if it is broken."


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """`model` and `vocabulary` are llama.cpp's handles; they live until `free`."""

    files: ModelFiles
    model: int
    vocabulary: int
    bytes: int
    context_window: int
    trims: bool  # whether the end of a sequence can be dropped from its cache
    moves: bool  # whether what lies in a cache can go to another that is cut otherwise
    threads: int

    def free(self) -> None:
        library().llama_model_free(self.model)


def load_weights(files: ModelFiles, options: Mapping[str, Any]) -> Weights:
    """Raises Incompatible for what llama.cpp does not run, Corrupt for what it cannot load.

    `options`: `n_gpu_layers` (all by default; 0 is none), `threads`.
    """
    c = library()
    parameters = c.llama_model_default_params()
    layers = options.get("n_gpu_layers")
    if isinstance(layers, int) and not isinstance(layers, bool):
        parameters.n_gpu_layers = layers
    LINES.last.clear()
    model: int | None = c.llama_model_load_from_file(os.fsencode(files.path), parameters)
    if not model:
        raise _refused(files)
    try:
        _check(c, model, files)
    except PaddockError:
        c.llama_model_free(model)
        raise
    recurrent = bool(c.llama_model_is_recurrent(model) or c.llama_model_is_hybrid(model))
    return Weights(
        files=files,
        model=model,
        vocabulary=c.llama_model_get_vocab(model),
        bytes=int(c.llama_model_size(model)),
        context_window=int(c.llama_model_n_ctx_train(model)),
        trims=not recurrent,
        moves=not recurrent and c.llama_model_n_swa(model) <= 0,
        threads=_threads(options),
    )


def _check(c: Any, model: int, files: ModelFiles) -> None:
    if c.llama_model_has_encoder(model) or c.llama_model_is_diffusion(model):
        raise Incompatible(
            f"`{files.name}` ({files.architecture}) does not write one token after the other, which is what runs here.",
            hint="Take a model that generates text from left to right.",
        )
    if c.llama_model_n_ctx_train(model) < 2:
        raise Corrupt(f"The header of `{files.name}` leaves no context for a text.", hint=_PULL_AGAIN)
    if c.llama_vocab_n_tokens(c.llama_model_get_vocab(model)) < 1:
        raise Incompatible(
            f"`{files.name}` has no tokenizer in its file.", hint="Take a conversion that brings its vocabulary along."
        )


def _refused(files: ModelFiles) -> Corrupt | Incompatible:
    """What llama.cpp said last, without this machine's paths."""
    said = next((line for line in LINES.last if "error loading model" in line), LINES.last[0] if LINES.last else "")
    said = said.replace(f"{files.path.parent}/", "").rpartition("error loading model: ")[2][:300].rstrip(".")
    if "unknown model architecture" in said or "unsupported" in said or "unknown pre-tokenizer" in said:
        return Incompatible(
            f"`{files.name}` is of architecture `{files.architecture}`, which cannot run here: {said}.",
            hint="Look for another model, or a newer Paddock.",
        )
    return Corrupt(f"llama.cpp cannot load `{files.name}`: {said or 'it does not say why'}.", hint=_PULL_AGAIN)


def _threads(options: Mapping[str, Any]) -> int:
    """One for each core, not for each of its two halves: products keep a whole core busy."""
    wanted = options.get("threads")
    if isinstance(wanted, int) and wanted > 0:
        return wanted
    ours = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(psutil.cpu_count(logical=False) or ours, ours))
