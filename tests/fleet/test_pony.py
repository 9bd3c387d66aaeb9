"""The fleet with a real model: what the toy shows holds for MLX, too."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from paddock.app import BUILTIN_MODELS
from paddock.errors import RunnerCrashed, UsageError
from paddock.fleet.fleet import Runner, RunnerSpec, RunnerState
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.fleet.timing import FleetTiming
from paddock.vocabulary import GenerateRequest, Message, ModelFormat, Sampling
from tests.fleet.contract import answer

QUESTIONS = ("What is 3 plus 4?", "Hello!", "Who are you?", "What is 2 plus 2?")


@pytest.fixture
async def pony() -> AsyncIterator[Runner]:
    fleet = SubprocessFleet(timing=FleetTiming(restart_pause_s=0.05))
    yield await fleet.start(RunnerSpec(name="pony", path=str(BUILTIN_MODELS / "pony"), format=ModelFormat.MLX))
    await fleet.close()


def ask(question: str, *, max_tokens: int = 40) -> GenerateRequest:
    return GenerateRequest(
        id=question,
        messages=(Message(role="user", content=question),),
        sampling=Sampling(temperature=0, max_tokens=max_tokens),
    )


async def test_several_at_once_are_answered_as_each_alone_and_again_after_a_crash(pony: Runner) -> None:
    alone = [await answer(pony, ask(question)) for question in QUESTIONS]
    assert "7" in alone[0]
    together = await asyncio.gather(*(answer(pony, ask(question)) for question in QUESTIONS * 2))
    assert together == alone * 2

    pid = (await pony.stats()).pid or 0
    story = pony.generate(ask("Tell me a story about a horse.", max_tokens=1500))
    await anext(story)  # from the first token on nobody tries it again
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(RunnerCrashed, match="SIGKILL"):
        _ = [event async for event in story]
    assert [await answer(pony, ask(question)) for question in QUESTIONS] == alone
    assert (pony.state, (await pony.stats()).restarts) == (RunnerState.READY, 1)


async def test_a_prompt_beyond_the_context_is_refused_with_both_numbers(pony: Runner) -> None:
    """Prompts are never cut silently."""
    with pytest.raises(UsageError, match=r"\d{4,} tokens; the context holds 2048"):
        await answer(pony, ask("horse " * 3000))
    await pony.warm(prefill_tokens=32, tokens=2)
    assert (await pony.stats()).memory is not None
