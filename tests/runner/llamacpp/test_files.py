"""Files that are whole, in parts, cut short, or written to do harm."""

import random
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from paddock.app import BUILTIN_MODELS
from paddock.errors import Corrupt, Incompatible, PaddockError
from paddock.fleet.fleet import RunnerSpec, RunnerState
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.runner.llamacpp.files import read_files
from paddock.vocabulary import GenerateRequest, ModelFormat, Sampling
from tests.runner.llamacpp.writing import F32, Q8_0, as_gguf, random_model

PONY = BUILTIN_MODELS / "pony"


@pytest.fixture
async def fleet() -> AsyncIterator[SubprocessFleet]:
    fleet = SubprocessFleet()
    yield fleet
    await fleet.close()


def spec(path: Path) -> RunnerSpec:
    return RunnerSpec(name="model", path=str(path), format=ModelFormat.GGUF)


async def test_a_model_in_parts_is_one_model(fleet: SubprocessFleet, tmp_path: Path) -> None:
    """Large models are split; the first part is what is opened."""
    as_gguf(PONY, tmp_path / "pony.gguf", Q8_0, split_tensors_max=40)
    parts = sorted(tmp_path.glob("*.gguf"))
    assert len(parts) == 3
    runner = await fleet.start(spec(parts[0]))
    request = GenerateRequest(id="r", prompt="Hello", sampling=Sampling(temperature=0, max_tokens=3, ignore_end=True))
    assert sum([len(event.token_ids) async for event in runner.generate(request)]) == 3
    assert runner.model.architecture == "qwen3"


def test_a_part_that_is_missing_or_another_model_s_is_named(tmp_path: Path) -> None:
    """llama.cpp would say no more than that it cannot load."""
    as_gguf(PONY, tmp_path / "pony.gguf", Q8_0, split_tensors_max=40)
    first, second, third = sorted(tmp_path.glob("*.gguf"))
    kept = second.read_bytes()
    second.unlink()
    with pytest.raises(Corrupt, match=f"lacks 1 of its files, `{second.name}`"):
        read_files(first, "pony")
    second.write_bytes(third.read_bytes())
    with pytest.raises(Corrupt, match="File 2 of `pony` belongs to another model"):
        read_files(first, "pony")
    second.write_bytes(kept)
    assert read_files(first, "pony").architecture == "qwen3"


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (lambda whole: whole[: len(whole) // 2], Corrupt, "cut short"),
        (lambda whole: whole[:100], Corrupt, "header of `broken.gguf`"),
        (lambda whole: b"", Corrupt, "header of `broken.gguf`"),
        (lambda whole: b"GGML" + whole[4:], Corrupt, "does not begin with"),
    ],
    ids=["half", "a hundred bytes", "nothing", "another mark"],
)
async def test_a_broken_file_is_refused_before_llama_cpp_sees_it(
    fleet: SubprocessFleet, pony_gguf: Path, tmp_path: Path, content: Any, error: type[PaddockError], message: str
) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(content(pony_gguf.read_bytes()))
    with pytest.raises(error, match=message):
        await fleet.start(spec(path))


HOSTILE: Mapping[str, Mapping[str, Any]] = {
    "no heads": {"num_attention_heads": 0},
    "more heads than width": {"num_attention_heads": 4096, "num_key_value_heads": 4096},
    "a billion layers": {"num_hidden_layers": 1_000_000_000},
    "another width": {"hidden_size": 4096},
    "no context": {"max_position_embeddings": 0},
    "endless context": {"max_position_embeddings": 2**31 - 1},
    "wider heads": {"head_dim": 2**20},
    "an unknown architecture": {"model_type": "no-such-thing"},
}


@pytest.mark.parametrize("claim", HOSTILE)
async def test_a_hostile_header_costs_a_runner_at_most(fleet: SubprocessFleet, tmp_path: Path, claim: str) -> None:
    """It may end llama.cpp, whose asserts end the process; whoever asked hears of it, and other models run on."""
    path = random_model(tmp_path / "hostile.gguf", "qwen2", F32, tokenizer=PONY, **HOSTILE[claim])
    told: PaddockError | None = None
    try:
        runner = await fleet.start(spec(path))
    except PaddockError as error:
        told = error
    else:  # harmless after all: then it works
        request = GenerateRequest(id="r", prompt="Hello", sampling=Sampling(max_tokens=2, ignore_end=True))
        assert sum([len(event.token_ids) async for event in runner.generate(request)]) == 2
        assert runner.state is RunnerState.READY
    if told is not None:
        assert told.hint
        assert str(tmp_path) not in told.message


def test_mutated_headers_are_read_or_refused(tmp_path: Path) -> None:
    """Nothing but an error of ours comes of any byte that is changed."""
    whole = random_model(tmp_path / "whole.gguf", "qwen2", Q8_0, tokenizer=PONY).read_bytes()
    dice = random.Random(5)
    path, refused = tmp_path / "mutated.gguf", 0
    for _ in range(150):
        changed = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            changed[dice.randrange(2000)] = dice.randrange(256)
        path.write_bytes(changed)
        try:
            read_files(path, "mutated")
        except (Corrupt, Incompatible):
            refused += 1
    assert refused > 30
