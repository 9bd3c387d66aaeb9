"""What a trial finds out: with the built-in models, whose abilities are known, and with answers that are wrong on purpose."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paddock.app import World, open_fleet, open_library
from paddock.config.sources import load_config
from paddock.errors import RunnerCrashed
from paddock.fleet.fleet import Fleet, RunnerSpec
from paddock.library.library import Library
from paddock.library.trials.probes import Said, calls_the_tool, is_json_object
from paddock.library.trials.results import TrialResult
from paddock.library.trials.trial import did_not_load, try_model
from paddock.vocabulary import FinishReason, ModelFormat, ModelKind, ToolCallDelta


def now() -> datetime:
    return datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Library]:
    variables = {"HOME": str(tmp_path), "PADDOCK_HOME": str(tmp_path), "HF_HOME": str(tmp_path / "hf")}
    async with open_library(load_config(environment=variables, workspace=tmp_path), World()) as library:
        yield library


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    async with open_fleet() as fleet:
        yield fleet


async def tried(library: Library, fleet: Fleet, name: str) -> TrialResult:
    record = await library.get(name)
    runner = await fleet.start(
        RunnerSpec(name=name, path=record.path, format=ModelFormat.MLX, kind=ModelKind(record.facts.model_type))
    )
    return await try_model(record, runner, now=now)


async def test_pony_shows_what_it_can_and_it_is_remembered(library: Library, fleet: Fleet) -> None:
    """Capabilities that were measured come before what files say, until the files change."""
    result = await tried(library, fleet, "pony")
    assert result.passed
    assert dict(result.can) == {"tools": True, "json": True, "thinking": True}
    assert result.tokens_per_second is not None
    assert result.tokens_per_second > 0
    assert result.memory_bytes is not None
    assert result.remarks == ()
    assert await library.trial_of("pony") is None
    await library.remember_trial(result)
    assert await library.trial_of("pony") == result
    details = await library.show("pony")
    assert details.trial == result
    assert {details.facts_from[name] for name in ("tools", "thinking")} == {"measured"}
    assert details.info.capabilities.tools


async def test_what_a_model_cannot_do_is_not_claimed(library: Library) -> None:
    """A hub says that a model calls tools; shown that it does not, nobody is sent there for it."""
    record = await library.get("pony")
    result = TrialResult(
        model="pony",
        revision=record.revision or "",
        device="cpu",
        tried_at=now(),
        loads=True,
        sane=True,
        can={"tools": False, "json": True},
    )
    await library.remember_trial(result)
    assert not (await library.get("pony")).facts.capabilities.tools
    assert (await library.get("pony")).facts.capabilities.thinking == record.facts.capabilities.thinking


async def test_results_of_other_files_change_nothing(library: Library) -> None:
    """The model was pulled again while its older files were tried."""
    old = TrialResult(
        model="pony", revision="older", device="cpu", tried_at=now(), loads=True, sane=True, can={"tools": False}
    )
    await library.remember_trial(old)
    assert (await library.get("pony")).facts.capabilities.tools
    assert await library.trial_of("pony") is None


async def test_a_model_that_embeds_is_asked_for_vectors(library: Library, fleet: Fleet) -> None:
    result = await tried(library, fleet, "pony-embed")
    assert result.passed
    assert dict(result.can) == {"embeddings": True}


async def test_a_model_that_does_not_load_is_a_result(library: Library) -> None:
    """Most models that disappoint do so here; the trial is where one learns it, not the first chat."""
    record = await library.get("pony")
    result = did_not_load(record, RunnerCrashed("It ended with signal 11.", hint="Try again."), now=now)
    assert not result.passed
    assert "signal 11" in result.remarks[0]
    await library.remember_trial(result)
    assert (await library.get("pony")).facts.capabilities.tools  # nothing was shown of what it can


def call(name: str = "get_weather", arguments: str = '{"city": "Paris"}') -> Said:
    return Said(calls=(ToolCallDelta(index=0, name=name, arguments=arguments),), finish_reason=FinishReason.TOOL_CALLS)


def test_a_call_counts_when_it_is_the_right_one() -> None:
    assert calls_the_tool(call())
    assert not calls_the_tool(call(name="get_time"))
    assert not calls_the_tool(call(arguments='{"city": "Par'))
    assert not calls_the_tool(call(arguments='["Paris"]'))
    assert not calls_the_tool(call(arguments='{"city": "Rome"}'))
    assert not calls_the_tool(Said(text='get_weather({"city": "Paris"})'))


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ('{"name": "Anna", "age": 31}', True),
        ('```json\n{"name": "Anna"}\n```', True),
        ("Here you are: {}", False),
        ("[1]", False),
        ("", False),
    ],
)
def test_an_object_and_nothing_else_is_json(text: str, counts: bool) -> None:
    assert is_json_object(Said(text=text)) is counts
