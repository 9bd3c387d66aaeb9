"""From a folder to a model that answers."""

import time
from pathlib import Path

from paddock.runner.mlx.blas import load_blas
from paddock.runner.opening import LoadOptions, OpenedModel


def open_model(options: LoadOptions) -> OpenedModel:
    """Open an MLX model in the thread that will own the device. Raises what loading raises."""
    started = time.perf_counter()
    blas = load_blas(threads=_threads(options))
    # Imported only now: MLX takes the products of the BLAS that it finds loaded, once, when it is imported.
    from paddock.runner.mlx.drafting import open_draft
    from paddock.runner.mlx.loading import load_weights
    from paddock.runner.mlx.making import make_executor
    from paddock.runner.mlx.tokenizer import load_tokenizer

    path = Path(options.path)
    weights = load_weights(path, options.name, memory_bytes_max=options.memory_bytes_max)
    tokenizer = load_tokenizer(path, options.name, weights.folder.end_token_ids)
    drafter, reserved_bytes = None, 0
    if options.draft_path is not None:
        draft_path = Path(options.draft_path)
        draft_name = options.draft_name or draft_path.name
        drafter, reserved_bytes = open_draft(draft_path, draft_name, target=weights, tokenizer=tokenizer)
    executor = make_executor(
        weights,
        end_token_ids=tokenizer.end_token_ids,
        context_window=options.context_window,
        started=started,
        blas=str(blas) if blas is not None else None,
        reserved_bytes=reserved_bytes,
    )
    return OpenedModel(executor=executor, tokenizer=tokenizer, drafter=drafter)


def _threads(options: LoadOptions) -> int | None:
    threads = options.options.get("threads")
    return threads if isinstance(threads, int) and threads > 0 else None
