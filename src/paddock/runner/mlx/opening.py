"""From a folder to a model that answers."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from paddock.errors import NotEnoughMemory, PaddockError, RunnerCrashed
from paddock.runner.mlx.blas import load_blas
from paddock.runner.mlx.mlx_lm_parts import prefer_parts
from paddock.runner.opening import LoadOptions, OpenedModel


def open_model(options: LoadOptions) -> OpenedModel:
    """Open an MLX model in the thread that will own the device. Raises what loading raises.

    One that sees is opened with its sight where that can be; else it answers text, and says why it sees no pictures.
    """
    started = time.perf_counter()
    blas = load_blas(threads=_threads(options))
    prefer_parts()
    # Imported only now: MLX takes the products of the BLAS that it finds loaded, once, when it is imported.
    from paddock.runner.mlx.drafting import open_draft
    from paddock.runner.mlx.making import make_executor
    from paddock.runner.mlx.vision.opening import open_parts

    parts = open_parts(options)
    weights, tokenizer = parts.weights, parts.tokenizer
    drafter, reserved_bytes = None, 0
    if options.draft_path is not None:
        draft_path = Path(options.draft_path)
        draft_name = options.draft_name or draft_path.name
        with _blaming(draft_name, options.name):
            drafter, reserved_bytes = open_draft(draft_path, draft_name, target=weights, tokenizer=tokenizer)
    executor = make_executor(
        weights,
        end_token_ids=tokenizer.end_token_ids,
        context_window=options.context_window,
        started=started,
        blas=str(blas) if blas is not None else None,
        reserved_bytes=reserved_bytes,
        pictures=parts.pictures,
    )
    return OpenedModel(executor=executor, tokenizer=tokenizer, drafter=drafter, sight=parts.sight)


@contextmanager
def _blaming(draft: str, model: str) -> Generator[None]:
    """Whatever goes wrong in here is the draft's fault, and its message says so: the model itself is fine."""
    try:
        yield
    except PaddockError as error:
        if "draft" in error.message:
            raise
        raise type(error)(f"`{draft}` cannot draft for `{model}`. {error.message}", hint=error.hint) from error
    except MemoryError as error:
        raise NotEnoughMemory(
            f"Memory ran out while `{draft}`, the draft for `{model}`, was loaded.",
            hint=f"Load `{model}` without a draft, or with a smaller one.",
        ) from error
    except Exception as error:
        raise RunnerCrashed(
            f"`{draft}`, the draft for `{model}`, could not be loaded: {type(error).__name__}.",
            hint=f"`paddock verify {draft}` checks its files; `{model}` runs without it.",
        ) from error


def _threads(options: LoadOptions) -> int | None:
    threads = options.options.get("threads")
    return threads if isinstance(threads, int) and threads > 0 else None
