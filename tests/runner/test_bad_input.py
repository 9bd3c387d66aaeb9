"""What nobody should send, sent to a real runner: each its own clear error, and the next request is answered as ever."""

import json
import math
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from paddock.app import BUILTIN_MODELS
from paddock.errors import Corrupt, Incompatible, NotEnoughMemory, PaddockError, RunnerCrashed, UsageError
from paddock.fleet.fleet import Runner, RunnerSpec, RunnerState
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.vocabulary import GenerateRequest, Message, ModelFormat, Sampling
from tests.fleet.contract import answer

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOWHERE = 999_999_999
BEYOND_64_BITS = 2**70


def spec(path: Path, **changes: Any) -> RunnerSpec:
    return RunnerSpec(name=path.name, path=str(path), format=ModelFormat.MLX, **changes)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet() -> AsyncIterator[SubprocessFleet]:
    fleet = SubprocessFleet()
    yield fleet
    await fleet.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pony(fleet: SubprocessFleet) -> Runner:
    return await fleet.start(spec(BUILTIN_MODELS / "pony"))


async def answers_as_ever(runner: Runner) -> None:
    """It lives, in the same process as before."""
    sampling = Sampling(temperature=0, max_tokens=12)
    messages = (Message(role="user", content="What is 3 plus 4?"),)
    assert "7" in await answer(runner, GenerateRequest(id="alive", messages=messages, sampling=sampling))
    stats = await runner.stats()
    assert (stats.state, stats.restarts, stats.running) == (RunnerState.READY, 0, 0)


# Requests


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ({"prompt": ""}, "empty"),
        ({"tokens": ()}, "empty"),
        ({"tokens": (NOWHERE,)}, str(NOWHERE)),
        ({"tokens": (5, -1)}, "-1"),
        ({"tokens": (5, BEYOND_64_BITS)}, None),
        ({"tokens": (7,) * 2048}, "2048 tokens; the context holds 2048"),
        ({"prompt": "horse " * 5000}, r"\d{4,} tokens; the context holds 2048"),
        ({"prompt": "half a pair: \ud83d"}, None),
        ({"messages": ()}, "no messages"),
        ({"messages": (Message(role="user", content="half \udc00"),)}, None),
        ({}, "none"),
        ({"prompt": "a", "tokens": (5,)}, "one of"),
    ],
)
async def test_a_prompt_that_is_none_is_refused(pony: Runner, prompt: dict[str, Any], says: str | None) -> None:
    request = GenerateRequest(id="bad", sampling=Sampling(temperature=0, max_tokens=4), **prompt)
    with pytest.raises(UsageError, match=says) as refused:
        await answer(pony, request)
    assert refused.value.message
    assert refused.value.hint
    await answers_as_ever(pony)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tokens", 0),
        ("max_tokens", -1),
        ("max_tokens", BEYOND_64_BITS),
        *(
            (field, value)
            for field in (
                "temperature",
                "top_p",
                "min_p",
                "repetition_penalty",
                "presence_penalty",
                "frequency_penalty",
            )
            for value in (math.nan, math.inf, -math.inf, -100.0, 100.0)
        ),
        ("top_k", -1),
        ("top_k", NOWHERE),
        ("seed", BEYOND_64_BITS),
        ("top_logprobs", 10_000),
        ("stop", ("",)),
        ("stop", ("x" * 100_000,)),
        ("stop", ("half \ud83d",)),
        ("stop_token_ids", (NOWHERE,)),
        ("stop_token_ids", (-1,)),
        ("logit_bias", {NOWHERE: 1.0}),
        ("logit_bias", {BEYOND_64_BITS: 1.0}),
        ("logit_bias", {5: math.nan}),
    ],
)
async def test_settings_out_of_range_are_refused(pony: Runner, field: str, value: Any) -> None:
    """A NaN spoils a whole batch, and a token that is none reads outside of an array."""
    request = GenerateRequest(id="bad", prompt="Hello", sampling=Sampling(**{"max_tokens": 4, field: value}))
    with pytest.raises(UsageError) as refused:
        await answer(pony, request)
    assert refused.value.hint
    await answers_as_ever(pony)


async def test_messages_to_a_tokenizer_without_template_are_refused_and_prompts_are_not(
    fleet: SubprocessFleet, tmp_path: Path
) -> None:
    """Guessing a format would give worse answers, silently."""
    bare = copy_of_pony(tmp_path / "bare")
    (bare / "chat_template.jinja").unlink()
    runner = await fleet.start(spec(bare))
    sampling = Sampling(temperature=0, max_tokens=4)
    messages = (Message(role="user", content="Hello!"),)
    with pytest.raises(UsageError, match="`bare` has no chat template"):
        await answer(runner, GenerateRequest(id="a", messages=messages, sampling=sampling))
    assert await answer(runner, GenerateRequest(id="b", prompt="Hello", sampling=sampling))
    await runner.stop()


# Models


def copy_of_pony(folder: Path) -> Path:
    shutil.copytree(BUILTIN_MODELS / "pony", folder)
    return folder


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def with_half_the_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])


def with_noise_for_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\xff" * 100_000)


def without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def configured(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = folder / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))

    return change


def with_a_config_that_is_none(folder: Path) -> None:
    (folder / "config.json").write_text("[1, 2")


def without_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def with_noise_for_a_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (without_weights, PaddockError),
        (with_half_the_weights, Corrupt),
        (with_noise_for_weights, Corrupt),
        (without_config, PaddockError),
        (with_a_config_that_is_none, Corrupt),
        (configured(hidden_size=128), Corrupt),
        (configured(num_hidden_layers=9), Corrupt),
        (configured(num_attention_heads=0), Corrupt),
        (configured(vocab_size="many"), Corrupt),
        (configured(max_position_embeddings=-5), Corrupt),
        (configured(rope_theta=math.nan), Corrupt),
        (without_tokenizer, PaddockError),
        (with_noise_for_a_tokenizer, PaddockError),
    ],
)
async def test_a_damaged_model_does_not_load_and_says_what_is_wrong(
    fleet: SubprocessFleet, tmp_path: Path, damage: Callable[[Path], None], kind: type[PaddockError]
) -> None:
    folder = copy_of_pony(tmp_path / "lame")
    damage(folder)
    with pytest.raises(kind) as refused:
        await fleet.start(spec(folder))
    assert "`lame`" in refused.value.message
    assert refused.value.hint
    assert str(tmp_path) not in refused.value.message
    assert not isinstance(refused.value, RunnerCrashed)


async def test_an_architecture_that_nobody_knows_is_named(fleet: SubprocessFleet, tmp_path: Path) -> None:
    folder = copy_of_pony(tmp_path / "unicorn")
    configured(model_type="unicorn_9", architectures=["UnicornForCausalLM"])(folder)
    with pytest.raises(Incompatible, match="unicorn_9"):
        await fleet.start(spec(folder))


async def test_too_little_memory_is_told_with_need_and_room(fleet: SubprocessFleet) -> None:
    with pytest.raises(NotEnoughMemory, match=r"`pony` needs [\d.]+ MB, [\d.]+ MB may be used"):
        await fleet.start(spec(BUILTIN_MODELS / "pony", memory_bytes_max=20_000_000))
