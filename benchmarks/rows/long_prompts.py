"""Long prompts among others: what they cost those who run beside them, in tokens a second, in memory and in pauses."""

import asyncio
import time
from typing import Final

from benchmarks.asking import Answer, Ask, asks, tokens_per_second
from benchmarks.rows.row import Compared, Finding, Numbers, Options, Played, Row, Turns, answers_of
from benchmarks.serving.contenders import ENGINE, MLX_LM_SAME_BLAS, PADDOCK, VLLM
from benchmarks.serving.engine_alone import EngineServing
from benchmarks.serving.serving import Serving

_SPEED: Final = "tokens/s"
_HELD: Final = "KV tokens held over live ones"
_GAP: Final = "longest gap, s"
_WAIT: Final = "first token of the 8k, s"
_SAMPLE_S: Final = 0.02
_HEAD_START_S: Final = 0.4  # of the running streams before the long prompt
_QUICK_HEAD_START_S: Final = 0.1


def rows() -> list[Row]:
    return [
        Turns(
            name="16k",
            title="one prompt of 16k tokens beside fifteen of 256",
            contenders=(PADDOCK, MLX_LM_SAME_BLAS),
            play=_beside,
            conclude=_faster,
            shape="narrow",
        ),
        Turns(
            name="kv",
            title="what the cache holds while they are answered; the engine alone tells",
            contenders=(ENGINE,),
            play=_held_over_live,
            conclude=_held,
            shape="narrow",
            rounds_max=1,
        ),
        Turns(
            name="gap",
            title="four streams while a prompt of 8k tokens arrives",
            contenders=(PADDOCK, MLX_LM_SAME_BLAS, VLLM),
            play=_gap,
            conclude=_smoother,
            shape="narrow",
            row_limit_s=70,
        ),
    ]


def _faster(played: Played) -> list[Finding]:
    what = f"16k beside 15 × 256 over {MLX_LM_SAME_BLAS.name}"
    return [played.compare(what, "tokens/s", _SPEED, PADDOCK, MLX_LM_SAME_BLAS, goal=3.0, at_least=True)]


def _held(played: Played) -> list[Finding]:
    what = "16k beside 15 × 256: KV bytes over live tokens'"
    return [played.compare(what, "×", _HELD, ENGINE, goal=1.15, compared=Compared.ALONE)]


def _smoother(played: Played) -> list[Finding]:
    gaps = [
        played.compare(f"longest gap while 8k arrive over {peer.name}", "s", _GAP, PADDOCK, peer, goal=0.25)
        for peer in (MLX_LM_SAME_BLAS, VLLM)
    ]
    waits = [
        played.compare(f"first token of the 8k over {peer.name}", "s", _WAIT, PADDOCK, peer, goal=None)
        for peer in (MLX_LM_SAME_BLAS, VLLM)
    ]
    return [*gaps, *waits]


async def _beside(serving: Serving, number: int, options: Options) -> Numbers:
    return {_SPEED: tokens_per_second(await answers_of(serving, _one_long(number, options)))}


def _one_long(number: int, options: Options) -> list[Ask]:
    size, short, answer = (300, 24, 24) if options.quick else (16_000, 256, 64)
    return [
        *asks(6000 + number, 1, prompt_tokens=size, answers=(answer, answer)),
        *asks(6500 + number, 15, prompt_tokens=short, answers=(answer, answer)),
    ]


async def _held_over_live(serving: Serving, number: int, options: Options) -> Numbers:
    """The most that it held at any moment at which all of them were being answered; nothing when none was seen.

    The same is asked twice: prompts that are known already are all answered together, so there are such moments.
    """
    assert isinstance(serving, EngineServing), "only the engine alone tells what it holds"
    asked = _one_long(number, options)
    await answers_of(serving, asked)
    samples: list[tuple[float, int]] = []
    async with asyncio.TaskGroup() as group:
        answering = group.create_task(answers_of(serving, asked))
        while not answering.done():
            samples.append((time.perf_counter(), await serving.held_tokens()))
            await asyncio.wait([answering], timeout=_SAMPLE_S)
    answers = answering.result()
    together, parted = max(each.times[0] for each in answers), min(each.ended_at for each in answers)
    ratios = [held / _live(answers, at) for at, held in samples if together <= at < parted]
    return {_HELD: max(ratios)} if ratios else {}


def _live(answers: list[Answer], at: float) -> int:
    return sum(each.prompt_tokens + sum(came <= at for came in each.times) for each in answers)


async def _gap(serving: Serving, number: int, options: Options) -> Numbers:
    size, answer = (300, 40) if options.quick else (8_000, 800)
    (arriving,) = asks(7500 + number, 1, prompt_tokens=size, answers=(1, 1))
    async with asyncio.TaskGroup() as group:
        running = [
            group.create_task(serving.answer(ask))
            for ask in asks(7000 + number, 4, prompt_tokens=32, answers=(answer, answer))
        ]
        await asyncio.sleep(_QUICK_HEAD_START_S if options.quick else _HEAD_START_S)
        late = await serving.answer(arriving)
    if not options.quick and all(each.result().ended_at < late.times[0] for each in running):
        raise RuntimeError("the streams had ended before the long prompt was read")
    gaps = [each.result().longest_gap_s(late.asked_at, late.times[0]) for each in running]
    return {_GAP: max(gaps), _WAIT: late.first_token_s}
