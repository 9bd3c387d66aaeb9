"""A long prompt that arrives beside running streams: how long does the slowest of them wait for its next token?

A real model computes every step, and the scheduler is told how long it took; but what it is told is the work that the
step held, counted in multiplications, and not a clock: on a machine that does other things, too, a clock tells of these.
All is told in parts of what the same prompt is at once. How long it takes in seconds is for the benchmarks to say.
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
from paddock.engine.step import StepPlan
from paddock.runner.mlx.executor import MlxExecutor
from paddock.runner.mlx.loading import load_weights
from paddock.runner.mlx.making import make_executor
from tests.exactness.driving import GREEDY
from tests.runner.tiny_llama import VOCABULARY, make_llama

STREAMS = 8
PROMPT = 5000
CONTEXT = 16_384
SLICE = 1 / 20  # of what the whole prompt takes at once: the time slice of a step
FACTOR = 3  # a step is planned from those before; attention to what was read by then makes it longer
LAYERS, KV_HEADS, HEAD = 2, 4, 16
WIDTH, INNER_WIDTH = 64, 96
SECONDS_A_PRODUCT = 1e-9


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[MlxExecutor]:
    folder = make_llama(tmp_path / "long", context=CONTEXT, layers=LAYERS, kv_heads=KV_HEADS, head_size=HEAD)
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

    def longest_gap(self) -> tuple[float, int, int]:
        """Work between two tokens of a stream while the prompt is read, in how many steps it was, and what it led to."""
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
        return longest, steps, told["long"]

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

    def _step(self) -> tuple[float, dict[str, int]]:
        plan = self._scheduler.schedule()
        assert plan is not None
        for name in plan.ends:
            self._executor.end(name)
        for name in plan.begins:
            self._executor.begin(name, self._sequences[name].tokens, self._sequences[name].sampling)
        result = replace(self._executor.step(plan), elapsed_s=work_of(plan) * SECONDS_A_PRODUCT)
        outcomes = self._scheduler.update(result)
        return result.elapsed_s, {outcome.sequence_id: outcome.tokens[0] for outcome in outcomes if outcome.tokens}


def work_of(plan: StepPlan) -> int:
    """Multiplications of a step: each token meets every weight of a layer, and every position before it."""
    weights = 4 * WIDTH * WIDTH + 3 * WIDTH * INNER_WIDTH
    return LAYERS * sum(len(row.tokens) * (weights + 2 * WIDTH * row.end) for row in plan.rows)


def limits(executor: MlxExecutor, **changes: float) -> Limits:
    common = Limits(vocabulary=executor.model.vocabulary, context_window=executor.model.context_window)
    return replace(common, **changes)


def test_a_long_prompt_holds_no_stream_up_for_longer_than_a_slice(executor: MlxExecutor) -> None:
    """Engines that read a prompt in one go stop everybody else for as long as that takes."""
    at_once = limits(executor, step_seconds_max=3600.0, step_tokens_max=CONTEXT, prefill_tokens_first=CONTEXT)
    whole, steps, first_token = Streams(executor, at_once).longest_gap()
    assert steps == 1

    sliced = limits(executor, step_seconds_max=whole * SLICE)
    gap, steps, same_token = Streams(executor, sliced).longest_gap()
    assert gap < sliced.step_seconds_max * FACTOR
    assert steps > 1 / SLICE / FACTOR
    assert same_token == first_token
