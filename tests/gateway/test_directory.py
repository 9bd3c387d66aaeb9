"""The directory sees what is here as it is now: trials, speeds, short names, rules that do not exist yet."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paddock.app import BUILTIN_MODELS, World, open_routing
from paddock.config.sources import load_config
from paddock.errors import ModelNotFound
from paddock.gateway.rooms import GatewayRooms
from paddock.gateway.routing import Traits
from paddock.gateway.rules import RuleSet
from paddock.gateway.speeds import Speeds
from paddock.library.measurements import revision_of
from paddock.library.trials.results import TrialResult

from .building import rule, targets


@pytest.fixture
async def rooms(tmp_path: Path) -> AsyncIterator[GatewayRooms]:
    """The built-in models, and nothing else."""
    environment = {"HOME": str(tmp_path), "PADDOCK_HOME": str(tmp_path / "paddock"), "HF_HOME": str(tmp_path / "hf")}
    config = load_config(environment=environment, workspace=tmp_path, home=tmp_path)
    async with open_routing(config, World(builtin_models=BUILTIN_MODELS)) as rooms:
        yield rooms


async def test_the_built_in_models_are_toys_and_say_what_they_can(rooms: GatewayRooms) -> None:
    here = (await rooms.directory.models()).names()
    assert here["pony"].builtin
    assert here["pony"].can("tools")
    assert here["pony-vision"].can("vision")
    assert not here["pony-embed"].capabilities.text


async def test_names_lead_as_they_always_did_while_there_are_no_rules(rooms: GatewayRooms) -> None:
    found = await rooms.directory.route(Traits(model="pony"))
    assert (targets(found), found.targets[0].route) == (["pony"], "exact")
    assert (await rooms.directory.route(Traits(model=""))).targets[0].route == "default"
    assert targets(await rooms.directory.route(Traits(model="PONY"))) == ["pony"]
    lost = await rooms.directory.route(Traits(model="ponny"))
    assert isinstance(lost.failure, ModelNotFound)
    assert "`pony`" in lost.failure.hint


async def test_a_name_of_a_megabyte_is_not_repeated(rooms: GatewayRooms) -> None:
    lost = await rooms.directory.route(Traits(model="a" * 1_000_000))
    assert isinstance(lost.failure, ModelNotFound)
    assert len(lost.failure.message) < 200


async def test_a_draft_of_rules_can_be_looked_at_without_being_saved(rooms: GatewayRooms) -> None:
    draft = RuleSet([rule("r", "prefix", "gpt-", "/foal")])
    assert targets(await rooms.directory.route(Traits(model="gpt-5"), rules=draft)) == ["foal"]
    assert (await rooms.directory.route(Traits(model="gpt-5"))).targets == ()


async def test_a_picture_finds_the_model_that_sees(rooms: GatewayRooms) -> None:
    found = await rooms.directory.route(Traits(model="auto", needs=("vision",)))
    assert (targets(found), found.targets[0].route) == (["pony-vision"], "builtin")


def test_speeds_are_of_late_and_short_answers_say_nothing() -> None:
    speeds = Speeds()
    speeds.note(("local", "a"), tokens=100, seconds=1.0)
    speeds.note(("local", "a"), tokens=2, seconds=10.0)
    assert speeds.of(("local", "a")) == 100
    for _ in range(20):
        speeds.note(("local", "a"), tokens=100, seconds=4.0)
    assert speeds.of(("local", "a")) == pytest.approx(25, rel=0.01)


async def test_what_a_trial_measured_is_what_routing_goes_by(rooms: GatewayRooms) -> None:
    """A model that was tried is known to be able; another one only says so."""
    library = rooms.directory._library
    record = await library.get("pony")
    result = TrialResult(
        model="pony",
        revision=revision_of(record),
        device="cpu",
        tried_at=datetime(2026, 1, 1, tzinfo=UTC),
        loads=True,
        sane=True,
        tokens_per_second=77.0,
        can={"tools": True, "thinking": False},
    )
    await library.remember_trial(result)  # type: ignore[attr-defined]
    pony = (await rooms.directory.models()).names()["pony"]
    assert pony.tokens_per_second == 77.0
    assert "tools" in pony.measured
    assert not pony.can("thinking")
    assert replace(pony, builtin=False).can("tools")
