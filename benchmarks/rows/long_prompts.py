"""Long prompts among others: what they cost those who run beside them, in tokens a second, in memory and in pauses."""

import asyncio
import time
from typing import Final

from benchmarks.asking import Answer, Ask, asks, tokens_per_second
from benchmarks.rows.row import Compared, Finding, Numbers, Options, Played, Row, Turns, answers_of
from benchmarks.serving.contenders import ENGINE, MLX_LM_SAME_BLAS, VLLM, ours
from benchmarks.serving.engine_alone import EngineServing
from benchmarks.serving.serving import Serving

_SPEED: Final = "tokens/s"
_HELD: Final = "KV tokens held over live ones"
_GAP: Final = "longest gap, s"
_SAMPLE_S: Final = 0.02


def rows() -> list[Row]:
    us = ours()

    def beside(played: Played) -> list[Finding]:
        speed = [
            played.compare(
                f"16k beside 15 × 256 over {peer.name}", "tokens/s", _SPEED, us, peer, goal=3.0, at_least=True
            )
            for peer in (MLX_LM_SAME_BLAS, VLLM)
        ]
        return [
            *speed,
            played.compare(
                "16k beside 15 × 256: KV bytes over live tokens'",
                "×",
                _HELD,
                ENGINE,
                goal=1.15,
                compared=Compared.ALONE,
            ),
        ]

    def gaps(played: Played) -> list[Finding]:
        return [
            played.compare(f"longest gap while 8k arrive over {peer.name}", "s", _GAP, us, peer, goal=0.25)
            for peer in (MLX_LM_SAME_BLAS, VLLM)
        ]

    everybody = (us,) if us is ENGINE else (us, ENGINE)  # only the engine alone tells what it holds
    return [
        Turns(
            name="16k",
            title="one prompt of 16k tokens beside fifteen of 256",
            contenders=(*everybody, MLX_LM_SAME_BLAS, VLLM),
            play=_beside,
            conclude=beside,
            long=True,
        ),
        Turns(
            name="gap",
            title="four streams while a prompt of 8k tokens arrives",
            contenders=(us, MLX_LM_SAME_BLAS, VLLM),
            play=_gap,
            conclude=gaps,
            long=True,
        ),
    ]


async def _beside(serving: Serving, number: int, options: Options) -> Numbers:
    size, short, answer = (300, 24, 6) if options.quick else (16_000, 256, 64)
    asked = [
        *asks(6000 + number, 1, prompt_tokens=size, answers=(answer, answer)),
        *asks(6500 + number, 15, prompt_tokens=short, answers=(answer, answer)),
    ]
    measured: dict[str, float] = {_SPEED: tokens_per_second(await answers_of(serving, asked))}
    if isinstance(serving, EngineServing):
        held = await _held_over_live(serving, asked)
        if held is not None:
            measured[_HELD] = held
    return measured


async def _held_over_live(serving: EngineServing, asked: list[Ask]) -> float | None:
    """The most that it held at any moment at which all of them were being answered; None when none was seen.

    The same is asked again: prompts that are known already are all answered together, so there are such moments.
    """
    answering = asyncio.ensure_future(answers_of(serving, asked))
    samples: list[tuple[float, int]] = []
    while not answering.done():
        samples.append((time.perf_counter(), await serving.held_tokens()))
        await asyncio.wait([answering], timeout=_SAMPLE_S)
    answers = await answering
    together, parted = max(each.times[0] for each in answers), min(each.ended_at for each in answers)
    ratios = [held / _live(answers, at) for at, held in samples if together <= at < parted]
    return max(ratios, default=None)


def _live(answers: list[Answer], at: float) -> int:
    return sum(each.prompt_tokens + sum(came <= at for came in each.times) for each in answers)


async def _gap(serving: Serving, number: int, options: Options) -> Numbers:
    size, answer = (300, 40) if options.quick else (8_000, 400)
    running = [
        asyncio.ensure_future(serving.answer(ask))
        for ask in asks(7000 + number, 4, prompt_tokens=32, answers=(answer, answer))
    ]
    await asyncio.sleep(0.1 if options.quick else 1.0)
    (arriving,) = asks(7500 + number, 1, prompt_tokens=size, answers=(1, 1))
    late = await serving.answer(arriving)
    gaps = [(await each).longest_gap_s(late.asked_at, late.times[0]) for each in running]
    return {_GAP: max(gaps), "first token of the 8k, s": late.first_token_s}
