"""Paddock's runner without its server."""

import itertools
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import psutil

from benchmarks.asking import Answer, Ask, Incomplete, checked
from paddock.fleet.fleet import Runner, RunnerSpec
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.vocabulary import GenerateRequest, ModelFormat, Sampling, Usage


class EngineServing:
    """One runner, asked over its own wire."""

    def __init__(self, runner: Runner, process: psutil.Process) -> None:
        self.runner = runner
        self._process = process
        self._numbers = itertools.count()

    @property
    def process(self) -> psutil.Process:
        return self._process

    async def answer(self, ask: Ask) -> Answer:
        request = GenerateRequest(
            id=f"ask {next(self._numbers)}",
            prompt=ask.prompt,
            sampling=Sampling(temperature=0, max_tokens=ask.tokens),
        )
        times: list[float] = []
        texts: list[str] = []
        usage: Usage | None = None
        asked_at = time.perf_counter()
        async with aclosing(self.runner.generate(request)) as events:
            async for event in events:
                if event.error is not None:
                    raise RuntimeError(event.error)
                if event.text:
                    times.append(time.perf_counter())
                    texts.append(event.text)
                usage = event.usage or usage
        if not times:  # an end, or half a character: nothing to show, but an answer
            times = [time.perf_counter()]
        if usage is None:
            raise Incomplete("the answer ended without its usage")
        return checked(
            ask,
            Answer(
                asked_at=asked_at,
                times=tuple(times),
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                text="".join(texts),
            ),
        )

    async def held_tokens(self) -> int:
        """For how many tokens sequences hold keys and values, the unused ends of their blocks included."""
        return (await self.runner.stats()).blocks_used * self.runner.model.block_tokens


@asynccontextmanager
async def engine_serving(model: Path) -> AsyncGenerator[EngineServing]:
    """A fresh runner with `model`, a folder or a GGUF file."""
    fleet = SubprocessFleet()
    try:
        model_format = ModelFormat.GGUF if model.suffix == ".gguf" else ModelFormat.MLX
        runner = await fleet.start(RunnerSpec(name=model.name, path=str(model), format=model_format))
        pid = (await runner.stats()).pid
        assert pid is not None, "a runner that has loaded its model runs"
        yield EngineServing(runner, psutil.Process(pid))
    finally:
        await fleet.close()
