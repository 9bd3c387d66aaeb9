"""A long prompt that arrives beside running streams: how long does the slowest of them wait for its next token?

Counted in the scheduler's own steps and in processor time, which other programs on the machine do not lengthen; the scheduler
learns from the same. Nothing is asserted in seconds: all is told in parts of what the same prompt takes at once here.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from paddock.engine.blocks import BlockPool
from paddock.engine.limits import Limits
from paddock.engine.prefix import PrefixIndex
from paddock.engine.scheduler import Scheduler
from paddock.engine.sequence import Sequence, new_sequence
from paddock.runner.mlx.executor import MlxExecutor
from paddock.runner.mlx.loading import load_weights
from paddock.runner.mlx.making import make_executor
from tests.exactness.driving import GREEDY
from tests.runner.tiny_llama import VOCABULARY, make_llama

STREAMS = 8
PROMPT = 5000
CONTEXT = 16_384
SLICE = 1 / 20  # of what the whole prompt takes at once: the time slice of a step
FACTOR = 4  # a step is planned from the times of those before; it may miss by so much
TRIES = 2  # threads that wait for each other take processor time, too


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[MlxExecutor]:
    folder = make_llama(tmp_path / "long", context=CONTEXT, layers=2, kv_heads=4, head_size=16)
    executor = make_executor(load_weights(folder, "long"), blocks=1024)
    yield executor
    executor.close()


def prompt(length: int, seed: int) -> list[int]:
    return [2 + (seed * 37 + position * 11 + position // 97) % (VOCABULARY - 2) for position in range(length)]


class Streams:
    """Eight answers under way, and a scheduler that learns from real step times."""

    def __init__(self, executor: MlxExecutor, limits: Limits) -> None:
        pool = BlockPool(executor.model.block_count, executor.model.block_tokens)
        self._executor = executor
        self._limits = limits
        self._scheduler = Scheduler(limits, pool, PrefixIndex(pool), time.monotonic)
        self._sequences: dict[str, Sequence] = {}
        for number in range(STREAMS):
            self._submit(f"stream {number}", prompt(40, number))
        for _ in range(20):
            self._step()

    def longest_gap(self) -> tuple[float, int]:
        """Seconds of the steps between two tokens of a stream while the prompt is read, and in how many steps it was."""
        self._submit("long", prompt(PROMPT, 99))
        waits, longest, steps = dict.fromkeys(self._sequences, 0.0), 0.0, 0
        del waits["long"]
        while True:
            elapsed_s, told = self._step()
            steps += 1
            for name in waits:
                waits[name] += elapsed_s
                longest = max(longest, waits[name])
                if name in told:
                    waits[name] = 0.0
            if "long" in told:
                break
        for name in list(self._sequences):
            self._scheduler.cancel(name)
            self._executor.end(name)
        return longest, steps

    def _submit(self, name: str, tokens: list[int]) -> None:
        sequence = new_sequence(
            name,
            tokens,
            replace(GREEDY, max_tokens=5000),
            limits=self._limits,
            arrival=time.monotonic(),
            draw_seed=lambda: 1,
        )
        assert self._scheduler.submit(sequence)
        self._sequences[name] = sequence

    def _step(self) -> tuple[float, set[str]]:
        plan = self._scheduler.schedule()
        assert plan is not None
        for name in plan.ends:
            self._executor.end(name)
        for name in plan.begins:
            self._executor.begin(name, self._sequences[name].tokens, self._sequences[name].sampling)
        began = time.process_time()
        result = self._executor.step(plan)
        result = replace(result, elapsed_s=time.process_time() - began)
        return result.elapsed_s, {outcome.sequence_id for outcome in self._scheduler.update(result) if outcome.tokens}


def limits(executor: MlxExecutor, **changes: float) -> Limits:
    common = Limits(vocabulary=executor.model.vocabulary, context_window=executor.model.context_window)
    return replace(common, **changes)


def test_a_long_prompt_holds_no_stream_up_for_longer_than_a_slice(executor: MlxExecutor) -> None:
    """Engines that read a prompt in one go stop everybody else for as long as that takes."""
    at_once = limits(
        executor,
        step_seconds_min=3600.0,
        step_seconds_max=3600.0,
        step_tokens_max=CONTEXT,
        prefill_tokens_first=CONTEXT,
    )
    whole, steps = min(Streams(executor, at_once).longest_gap() for _ in range(TRIES))
    assert steps == 1

    sliced = limits(executor, step_seconds_max=whole * SLICE)
    gap, steps = min(Streams(executor, sliced).longest_gap() for _ in range(TRIES))
    assert steps > 1 / SLICE / FACTOR
    assert gap < sliced.step_seconds_max * FACTOR
    assert gap < whole / 4
