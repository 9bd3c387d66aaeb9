"""Properties 16 to 19 of the model-management design: options per model, clear errors, precedence, bounds."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.config.environment import own_variables, variable_of
from paddock.config.keys import split_key
from paddock.config.layers import Layer, Origin, Setting, read_layer
from paddock.config.paths import find_paths
from paddock.config.schema import Config, model_options
from paddock.config.sources import Outcome, invalid, resolve
from paddock.errors import InvalidConfig

PATHS = find_paths({}, workspace=Path("/work"), home=Path("/home/me"), platform="linux")

NAMES = st.from_regex(r"[a-z][a-z0-9.-]{0,12}[a-z0-9](:[a-z0-9]{1,4})?", fullmatch=True).filter(
    lambda name: ".." not in name
)
VALID = {
    "temperature": st.floats(0.0, 2.0),
    "max_tokens": st.integers(1, 10**9),
    "top_p": st.floats(0.0, 1.0),
}
OPTIONS = st.fixed_dictionaries({}, optional=VALID)
WRONG: dict[str, st.SearchStrategy[Any]] = {
    "options.temperature": st.floats(allow_nan=True).filter(lambda value: not 0.0 <= value <= 2.0),
    "options.max_tokens": st.integers(max_value=0) | st.just(True),
    "options.top_p": st.floats(allow_nan=True).filter(lambda value: not 0.0 <= value <= 1.0),
    "model.default": st.text(max_size=20).filter(lambda text: not text[:1].isalnum() or " " in text),
    "model.routing.default_profile": st.text("abcdefghij", min_size=1, max_size=8),
    "disk.factor": st.floats(max_value=0.99, allow_nan=False) | st.lists(st.integers(), max_size=2),
    "pool.policy": st.integers() | st.text("xyz", max_size=5),
    "pool.keep_alive": st.text("abc -", max_size=5),
    "server.port": st.integers(min_value=65536) | st.integers(max_value=-1),
    "hub.endpoint": st.text(max_size=15).map(lambda text: "ftp://" + text),
}


def file(data: Mapping[str, Any], place: str = "config.yaml") -> Layer:
    return read_layer(data, lambda _: Origin(place, 1), file=True)


def flags(values: Mapping[str, Any]) -> Layer:
    return Layer([Setting(split_key(key) or (), value, Origin(f"flag {key}")) for key, value in values.items()])


def outcome(*layers: Layer) -> Outcome:
    return resolve(list(layers), PATHS, {})


def config(*layers: Layer) -> Config:
    found = outcome(*layers)
    assert found.config is not None, found.problems
    return found.config


@settings(max_examples=200, deadline=None)
@given(base=OPTIONS, own=st.dictionaries(NAMES, OPTIONS, max_size=3), other=NAMES)
def test_property_16_options_of_a_model_apply_to_that_model_only(
    base: dict[str, Any], own: dict[str, dict[str, Any]], other: str
) -> None:
    """For any per-model options, they are only applied when that very model is in use."""
    plain = config(file({"options": base})).options
    merged = config(file({"options": base, "models": {name: {"options": said} for name, said in own.items()}}))
    for name, said in own.items():
        effective = model_options(merged, name)
        for option in VALID:
            expected = said.get(option, getattr(plain, option))
            assert getattr(effective, option) == expected
    if other not in own:
        assert model_options(merged, other) == plain
    assert merged.options == plain


@settings(max_examples=300, deadline=None)
@given(data=st.data(), key=st.sampled_from(sorted(WRONG)), source=st.sampled_from(["file", "flag"]))
def test_property_17_an_invalid_value_is_refused_naming_field_and_reason(
    data: st.DataObject, key: str, source: str
) -> None:
    """For any invalid configuration, the error says which field is wrong, where it stands, why, and what to do."""
    value = data.draw(WRONG[key].filter(lambda value: value not in ("fast", "general", "code", "creative")))
    nested: Any = value
    for name in reversed(key.split(".")):
        nested = {name: nested}
    found = outcome(file(nested) if source == "file" else flags({key: value}))
    assert found.config is None
    (problem,) = found.problems
    assert problem.key == key
    assert problem.origin == ("config.yaml, line 1" if source == "file" else f"flag {key}")
    assert problem.rule
    assert problem.remedy.endswith((".", ")"))
    with pytest.raises(InvalidConfig, match=key.replace(".", r"\.")):
        raise invalid(found.problems)


LEVELS = ("user", "workspace", "environment", "flags")


@settings(max_examples=300, deadline=None)
@given(said=st.fixed_dictionaries(dict.fromkeys(LEVELS, OPTIONS)))
def test_property_18_flags_stand_above_environment_above_files(said: dict[str, dict[str, Any]]) -> None:
    """For any value given in several sources, the strongest source's holds, and the result names that source."""
    environment = {variable_of(("options", name)): repr(value) for name, value in said["environment"].items()}
    merged = config(
        file({"options": said["user"]}, "user"),
        file({"options": said["workspace"]}, "workspace"),
        own_variables(environment),
        flags({f"options.{name}": value for name, value in said["flags"].items()}),
    )
    defaults = config().options
    for name in VALID:
        strongest = next((level for level in reversed(LEVELS) if name in said[level]), None)
        expected = said[strongest][name] if strongest else getattr(defaults, name)
        assert getattr(merged.options, name) == expected
        source = merged.source_of(f"options.{name}")
        assert source.startswith({"flags": "flag", None: "default"}.get(strongest, strongest))


@settings(max_examples=300, deadline=None)
@given(
    temperature=st.floats(-5, 5) | st.sampled_from([0.0, 2.0, math.nan, math.inf, -math.inf, 2.0000001, -1e-300]),
    max_tokens=st.integers(-10, 10**6),
    top_p=st.floats(-1, 2) | st.sampled_from([0.0, 1.0, math.nan]),
    of_model=st.booleans(),
)
def test_property_19_values_outside_the_bounds_are_refused_and_no_others(
    temperature: float, max_tokens: int, top_p: float, *, of_model: bool
) -> None:
    """For any parameter: temperature in [0, 2], max_tokens > 0, top_p in [0, 1]; inside is accepted, outside is not."""
    given_options = {"temperature": temperature, "max_tokens": max_tokens, "top_p": top_p}
    data = {"models": {"pony": {"options": given_options}}} if of_model else {"options": given_options}
    allowed = {"temperature": 0.0 <= temperature <= 2.0, "max_tokens": max_tokens > 0, "top_p": 0.0 <= top_p <= 1.0}
    found = outcome(file(data))
    assert {problem.key.rpartition(".")[2] for problem in found.problems} == {
        name for name, fine in allowed.items() if not fine
    }
    assert (found.config is not None) == all(allowed.values())
