"""The executor around real tiny models: memory, poison, mixed company, warm-up."""

from dataclasses import replace
from pathlib import Path

import mlx.core as mx
import pytest

from paddock.engine.step import Row, StepPlan
from paddock.errors import UsageError
from paddock.runner.mlx.executor import MlxExecutor
from paddock.runner.mlx.making import make_executor
from paddock.runner.mlx.slabs import SLAB_BYTES, Shape, Slabs
from paddock.vocabulary import Priority, Sampling
from tests.exactness.architectures import VOCABULARY, load, make_folder
from tests.exactness.driving import GREEDY, Driver

PROMPT = [5, 9, 200, 31, 77, 12] * 7
POISON = VOCABULARY - 1
SEEDED = Sampling(temperature=1.3, top_p=0.95, seed=11, max_tokens=20, ignore_end=True, repetition_penalty=1.1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder("llama", tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture(scope="module")
def executor(folder: Path) -> MlxExecutor:
    return make_executor(load(folder), blocks=64)


def test_writing_keys_never_copies_a_pool() -> None:
    """One array of 134 MB was copied whole by every write while a step was in flight: 65 ms instead of 0.1."""
    shape = Shape(4, 64, mx.float32)
    slabs = Slabs(shape, block_tokens=32, slab_blocks=SLAB_BYTES // shape.bytes(32))
    value = mx.ones((1, 4, 64))
    for slab in range(32):
        slabs.write(slab, mx.array([0]), mx.array([0]), value)
    mx.eval(slabs.take_touched())
    assert slabs.bytes == 32 * SLAB_BYTES
    in_flight = [slabs.read(slab, slice(0, 2)).sum() for slab in range(4)]  # somebody still holds the old arrays
    mx.clear_cache()
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    for place in range(20):
        slabs.write(place % 4, mx.array([place % slabs.slab_blocks]), mx.array([place % 32]), value)
        mx.eval(slabs.take_touched())
    assert mx.get_peak_memory() - before < 5 * SLAB_BYTES
    mx.eval(in_flight)


def test_a_long_answer_takes_no_more_memory_than_its_blocks(executor: MlxExecutor) -> None:
    """Keys and values are written in place, step after step."""
    driver = Driver(executor)
    driver.submit(PROMPT, replace(GREEDY, max_tokens=200))
    for _ in range(20):
        driver.step()
    mx.clear_cache()
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    driver.finish()
    assert mx.get_peak_memory() - before < 4 * 1024 * 1024
    assert mx.get_active_memory() - before < 512 * 1024


def test_seeded_answers_are_the_same_alone_and_in_a_crowd(executor: MlxExecutor) -> None:
    """Through penalties and filters, beside greedy and hot requests, with the prompt cached or not."""
    alone = Driver(executor).ask(PROMPT, SEEDED).tokens
    driver = Driver(executor)
    crowd = [replace(GREEDY, max_tokens=30), Sampling(temperature=1.5, max_tokens=30), replace(SEEDED, seed=12)]
    for index, sampling in enumerate(crowd):
        driver.submit([index + 3, *PROMPT], sampling)
        driver.step()
    name = driver.submit(PROMPT, SEEDED)
    driver.submit(PROMPT, replace(GREEDY, max_tokens=8))
    driver.finish()
    assert driver.answers[name].tokens == alone
    assert Driver(executor).ask(PROMPT, replace(SEEDED, seed=12)).tokens != alone


def test_logprobs_come_with_every_token(executor: MlxExecutor) -> None:
    """The first from the prompt's last step, the others one by one."""
    answer = Driver(executor).ask(PROMPT, replace(GREEDY, max_tokens=6, top_logprobs=2))
    assert [entries[0].token_id for entries in answer.logprobs] == answer.tokens
    assert all(len(entries) == 3 and entries[0] == entries[1] for entries in answer.logprobs)


def test_a_poisoned_request_fails_alone_and_leaves_nothing_behind(folder: Path, tmp_path: Path) -> None:
    """Zero times NaN is NaN: a block that held one would poison whoever gets it next."""
    poisoned = tmp_path / "poisoned"
    poisoned.mkdir()
    weights = dict(mx.load(str(folder / "model.safetensors")))
    embedding = weights["model.embed_tokens.weight"]
    embedding[POISON] = mx.array(float("nan"))
    mx.save_safetensors(str(poisoned / "model.safetensors"), weights)
    (poisoned / "config.json").write_text((folder / "config.json").read_text())
    executor = make_executor(load(poisoned), blocks=16)
    sampling = replace(GREEDY, max_tokens=12)
    expected = Driver(executor).ask(PROMPT, sampling).tokens

    driver = Driver(executor, blocks=6)
    good = driver.submit(PROMPT, sampling)
    driver.step()
    bad = driver.submit([*PROMPT, POISON, 4, 5], sampling)
    driver.finish()
    assert driver.answers[good].tokens == expected
    assert "NaN" in str(driver.answers[bad].error)

    def told(name: str, prompt: list[int], block: int) -> tuple[int, ...]:
        executor.begin(name, prompt, sampling)
        row = Row(sequence_id=name, tokens=tuple(prompt), start=0, blocks=(block,), samples=True)
        return executor.step(StepPlan(number=1, rows=(row,))).rows[0].tokens

    # Whoever comes next on the same block sees places that it has not written itself.
    clean = told("clean", PROMPT[:5], 9)
    assert told("bad", [*PROMPT[:9], POISON, 7], 10) == ()
    assert told("next", PROMPT[:5], 10) == clean


def test_tokens_that_the_model_does_not_have_are_refused(executor: MlxExecutor) -> None:
    """`logit_bias` for token 999999999 takes the peers down: MLX does not check its indices."""
    for tokens, sampling in (
        ([1, VOCABULARY], GREEDY),
        ([-1], GREEDY),
        ([1], replace(GREEDY, logit_bias={10**9: 1.0})),
    ):
        with pytest.raises(UsageError, match=f"0 to {VOCABULARY - 1}"):
            executor.begin("a", tokens, sampling)


def test_penalties_do_not_change_through_preemption(executor: MlxExecutor) -> None:
    """What was written before counts on, and the prompt does not begin to count."""
    sampling = replace(GREEDY, frequency_penalty=1.5, presence_penalty=0.5, max_tokens=24)
    expected = Driver(executor).ask(PROMPT, sampling).tokens
    driver = Driver(executor, blocks=4)
    name = driver.submit(PROMPT, sampling, priority=Priority.LOW)
    while len(driver.answers[name].tokens) < 12:
        driver.step()
    driver.submit([8] * 80, replace(GREEDY, max_tokens=20), priority=Priority.HIGH)
    driver.finish()
    assert driver.scheduler.stats().preemptions == 1
    assert driver.answers[name].tokens == expected


@pytest.mark.parametrize("paged", [True, False])
def test_warming_up_leaves_nothing_behind(folder: Path, paged: bool) -> None:
    """The first request after it must not see what it wrote."""
    executor = make_executor(load(folder), paged=paged, blocks=64)
    expected = Driver(executor).ask(PROMPT, replace(GREEDY, max_tokens=10)).tokens
    executor.warm(100, 3)
    executor.warm(10_000, 1)
    assert Driver(executor).ask(PROMPT, replace(GREEDY, max_tokens=10)).tokens == expected
    assert executor.memory().active_bytes > 0
    executor.close()
    executor.close()


def test_a_model_that_pages_answers_the_same_in_the_solo_lane(folder: Path, executor: MlxExecutor) -> None:
    """Both lanes share one model's code in one process: replacing its attention must not show."""
    solo = make_executor(load(folder), paged=False)
    sampling = replace(GREEDY, max_tokens=20)
    assert not solo.model.pages
    assert Driver(solo).ask(PROMPT, sampling).tokens == Driver(executor).ask(PROMPT, sampling).tokens


def test_whole_blocks_are_copied_before_anything_is_written(executor: MlxExecutor) -> None:
    """Copy on write: the copy holds what the block held, and writing on leaves the first as it was."""
    prompt = tuple(PROMPT[:40])
    for name in ("a", "b"):
        executor.begin(name, prompt, GREEDY)
    first = Row(sequence_id="a", tokens=prompt, start=0, blocks=(10, 11), samples=True)
    (told,) = executor.step(StepPlan(number=1, rows=(first,))).rows
    on = Row(sequence_id="a", tokens=told.tokens, start=40, blocks=(10, 11), samples=True)
    copied = Row(sequence_id="b", tokens=(3,), start=40, blocks=(10, 12), samples=True)
    ours, _ = executor.step(StepPlan(number=2, rows=(on, copied), copies=((11, 12),))).rows
    again = Row(sequence_id="b", tokens=told.tokens, start=40, blocks=(10, 12), samples=True)
    (theirs,) = executor.step(StepPlan(number=3, rows=(again,))).rows
    assert ours.tokens == theirs.tokens
    executor.end("a")
    executor.end("b")
