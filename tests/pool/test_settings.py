"""From what people set to what the pool does."""

from dataclasses import replace
from pathlib import Path

import pytest

from paddock.app import World, open_fleet, open_library, open_pool
from paddock.config.schema import Config
from paddock.config.sources import load_config
from paddock.errors import InvalidConfig
from paddock.pool.observer import Nobody
from paddock.pool.planning import Policy
from paddock.pool.settings import PoolSettings, pool_settings
from paddock.pool.specs import specs
from paddock.vocabulary import GenerateRequest, Message, ModelFormat, Sampling
from tests.pool.simulated import record_of

GB = 1_000_000_000


def config(home: Path, **variables: str) -> Config:
    environment = {"PADDOCK_HOME": str(home), "HOME": str(home)} | variables
    return load_config(environment=environment, workspace=home)


def test_presets_are_what_they_say(tmp_path: Path) -> None:
    default = pool_settings(config(tmp_path), usable_bytes=16 * GB)
    assert (default.max_models, default.budget_bytes, default.policy) == (4, 12 * GB, Policy.LRU)
    low = pool_settings(config(tmp_path, PADDOCK_POOL__PRESET="low-memory"), usable_bytes=16 * GB)
    assert (low.max_models, low.budget_bytes) == (1, 4 * GB)


def test_models_have_settings_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    text = (
        "models: {a: {keep_alive: forever, pin: true}, b: {keep_alive: 30s}}\npool: {keep_alive: 1m, preload: 'a, b'}\n"
    )
    chosen = config(tmp_path).paths.config_file
    chosen.parent.mkdir(parents=True, exist_ok=True)
    chosen.write_text(text)
    settings = pool_settings(config(tmp_path), usable_bytes=GB)
    assert settings.pinned == {"a"}
    assert settings.preload == ("a", "b")
    assert [settings.keep_alive_of(record_of(name)) for name in "abc"] == [None, 30.0, 60.0]


def test_a_damaged_keep_alive_of_a_model_counts_as_none() -> None:
    """One bad row must not keep everybody's requests from being settled."""
    settings = PoolSettings(budget_bytes=1, keep_alive_s=7.0)
    assert settings.keep_alive_of(record_of("a", keep_alive="soon")) == 7.0


def test_a_gguf_model_is_run_with_the_threads_and_layers_that_were_set(tmp_path: Path) -> None:
    """By the names of the library that runs it; what is not set is left to that. Other formats have neither."""
    chosen = config(tmp_path).paths.config_file
    chosen.parent.mkdir(parents=True, exist_ok=True)
    chosen.write_text("options: {threads: 2}\nmodels: {a: {options: {gpuLayers: 0}}, b: {options: {threads: 3}}}\n")
    spec = specs(lambda: config(tmp_path))
    gguf = [replace(record_of(name), format=ModelFormat.GGUF) for name in "abc"]
    assert [dict(spec(record).options) for record in gguf] == [
        {"threads": 2, "n_gpu_layers": 0},
        {"threads": 3},
        {"threads": 2},
    ]
    assert spec(record_of("a")).options == {}


@pytest.mark.parametrize(
    ("key", "value"), [("THREADS", "0"), ("THREADS", "many"), ("GPU_LAYERS", "-1"), ("GPU_LAYERS", "1.5")]
)
def test_threads_and_layers_have_bounds(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(InvalidConfig, match=f"options.{key.lower()}"):
        config(tmp_path, **{f"PADDOCK_OPTIONS__{key}": value})


@pytest.mark.parametrize(
    ("key", "value"),
    [("QUEUE_MAX", "0"), ("TURN_S", "-1"), ("PRESSURE_MIN", "2"), ("PRELOAD", "../etc"), ("WAIT_MAX_S", "inf")],
)
def test_limits_have_limits(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(InvalidConfig, match=f"pool.{key.lower()}"):
        config(tmp_path, **{f"PADDOCK_POOL__{key}": value})


async def test_a_pool_from_the_configuration_answers_and_the_library_learns_from_it(tmp_path: Path) -> None:
    """The pieces as `app.py` puts them together, with the built-in model."""
    settings, world = config(tmp_path), World()
    async with (
        open_library(settings, world) as library,
        open_fleet() as fleet,
        open_pool(settings, world, library=library, fleet=fleet, observer=Nobody()) as pool,
    ):
        asked = GenerateRequest(
            id="1",
            messages=(Message(role="user", content="What is 3 plus 4?"),),
            sampling=Sampling(temperature=0, max_tokens=20),
        )
        async with pool.lease("builtin://pony", user="me") as lease:
            assert "7" in "".join([event.text async for event in lease.runner.generate(asked)])
        model = pool.status().models["pony"]
        assert model.measured_bytes is not None
        assert model.measured_bytes <= model.predicted_bytes <= model.granted_bytes <= pool.status().budget_bytes
        assert (await pool.unload("pony")).freed_bytes == model.measured_bytes
        record = await library.get("pony")
        assert (await library.memory_need(record)).basis == "measured"  # pyright: ignore[reportOptionalMemberAccess]
