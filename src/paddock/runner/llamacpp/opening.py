"""From a GGUF file to a model that answers."""

import time
from pathlib import Path

import psutil

from paddock.engine.limits import DRAFT_TOKENS_MAX, STEP_TOKENS_MAX
from paddock.errors import Incompatible
from paddock.runner.executor import LoadedModel
from paddock.runner.features import FeatureStore, feature_room
from paddock.runner.llamacpp.bounds import MEMORY_SHARE, bytes_per_token, slot_bounds
from paddock.runner.llamacpp.cache import Cache
from paddock.runner.llamacpp.device import find_device
from paddock.runner.llamacpp.executor import LlamaExecutor
from paddock.runner.llamacpp.files import read_files
from paddock.runner.llamacpp.pictures import Pictures
from paddock.runner.llamacpp.projector import Features, Projector, open_projector
from paddock.runner.llamacpp.seeing import SeeingTokenizer
from paddock.runner.llamacpp.sight import LlamaSight
from paddock.runner.llamacpp.tokenizer import LlamaTokenizer
from paddock.runner.llamacpp.weights import Weights, load_weights
from paddock.runner.llamacpp.words import Words
from paddock.runner.opening import LoadOptions, OpenedModel


def open_model(options: LoadOptions) -> OpenedModel:
    """Open a GGUF model in the thread that will own the device. Raises what loading raises."""
    started = time.perf_counter()
    if options.draft_path is not None:
        raise Incompatible(
            f"`{options.name}` is a GGUF model; no draft model can guess for it.",
            hint="Load it without one. Guesses from the text itself (`--ngrams`) work.",
        )
    files = read_files(Path(options.path), options.name)
    device = find_device()
    weights = load_weights(files, options.options)
    projector = _projector(options, weights)
    loaded_bytes = device.active_bytes()
    words = Words(weights.vocabulary)
    limit_bytes = options.memory_bytes_max or int(device.total_bytes * MEMORY_SHARE)
    window = min(weights.context_window, options.context_window or weights.context_window)
    bounds = slot_bounds(
        weights,
        window=window,
        limit_bytes=limit_bytes - (projector.bytes if projector is not None else 0),
        batch_max=options.batch_max,
    )
    outputs_max = 1 + (DRAFT_TOKENS_MAX if options.ngram_speculation and bounds.trims else 0)
    cache = Cache(
        weights,
        slots=bounds.count,
        window=bounds.window,
        step_tokens_max=STEP_TOKENS_MAX + bounds.slots_max * outputs_max,
        outputs_max=outputs_max,
    )
    context_window = min(window, bounds.tokens_max)
    if projector is None:
        tokenizer, sight, pictures = LlamaTokenizer(files, words), None, None
    else:
        tokenizer = SeeingTokenizer(files, words, projector, whole_max=cache.whole_max)
        store = FeatureStore[Features](feature_room(limit_bytes))
        sight = LlamaSight(projector, tokenizer, store, context_window=context_window)
        pictures = Pictures(store, projector)
    model = LoadedModel(
        architecture=files.architecture,
        vocabulary=words.count,
        context_window=context_window,
        end_token_ids=tokenizer.end_token_ids,
        pages=False,
        block_tokens=bounds.window,
        block_count=bounds.slots_max,
        bytes_per_token=bytes_per_token(files),
        memory_bytes=loaded_bytes if not device.is_cpu else int(psutil.Process().memory_info().rss),
        load_seconds=time.perf_counter() - started,
        device=device.name,
        slots=bounds,
    )
    executor = LlamaExecutor(weights, cache, device, model, pictures)
    return OpenedModel(executor=executor, tokenizer=tokenizer, sight=sight)


def _projector(options: LoadOptions, weights: Weights) -> Projector | None:
    """What it sees with, if anything; on the device that has its layers."""
    if options.projector_path is None:
        return None
    on_device = options.options.get("n_gpu_layers") != 0
    return open_projector(Path(options.projector_path), weights, on_device=on_device)
