"""What a GGUF model says here is what it says in llama.cpp's own server."""

import asyncio
import json
import sys
from contextlib import aclosing
from pathlib import Path

import gguf
import pytest

from paddock.app import BUILTIN_MODELS
from paddock.fleet.fleet import Runner, RunnerSpec
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.vocabulary import GenerateRequest, ModelFormat, Sampling
from tests.runner.llamacpp.writing import F32, Q4_0, Q8_0, random_model

PROMPTS = [[100 + 7 * number + step for step in range(12 + 9 * number)] for number in range(4)]
TOKENS = 24


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
@pytest.mark.parametrize("kind", [F32, Q8_0, Q4_0], ids=lambda kind: kind.name)
async def test_greedy_answers_are_those_of_llama_cpp_s_own_server(
    tmp_path: Path, architecture: str, kind: gguf.GGMLQuantizationType
) -> None:
    """Four at once there, four at once here, and each alone: not one token differs."""
    path = random_model(tmp_path / "model.gguf", architecture, kind, tokenizer=BUILTIN_MODELS / "pony")
    theirs = await own_server(path, PROMPTS)
    fleet = SubprocessFleet()
    try:
        options = {"threads": 1}
        runner = await fleet.start(RunnerSpec(name="random", path=str(path), format=ModelFormat.GGUF, options=options))
        together = await asyncio.gather(*(tokens_of(runner, prompt) for prompt in PROMPTS))
        alone = [await tokens_of(runner, prompt) for prompt in PROMPTS]
    finally:
        await fleet.close()
    assert together == theirs
    assert alone == theirs
    assert len({tuple(each) for each in theirs}) == len(PROMPTS), "a model that says the same to all proves nothing"


async def own_server(path: Path, prompts: list[list[int]]) -> list[list[int]]:
    script = Path(__file__).with_name("own_server.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, path, str(TOKENS), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate(json.dumps(prompts).encode())
    return json.loads(said.splitlines()[-1])


async def tokens_of(runner: Runner, prompt: list[int]) -> list[int]:
    request = GenerateRequest(
        id=f"{len(prompt)}",
        tokens=tuple(prompt),
        sampling=Sampling(temperature=0, max_tokens=TOKENS, ignore_end=True),
    )
    async with aclosing(runner.generate(request)) as events:
        return [token async for event in events for token in event.token_ids]
