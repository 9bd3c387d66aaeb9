import json
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.catalog.facts import MODEL_TYPES, ORIGINS, Facts
from paddock.errors import Corrupt
from paddock.vocabulary import Capabilities, ModelFormat

texts = st.none() | st.text(min_size=1, max_size=30)
numbers = st.integers(1, 1 << 50)
facts = st.builds(
    Facts,
    architecture=texts,
    family=st.text(min_size=1, max_size=20),
    parameters=st.none() | numbers,
    quantization=texts,
    context_window=numbers,
    max_output_tokens=numbers,
    capabilities=st.builds(Capabilities, *[st.booleans()] * 6),
    format=st.sampled_from(ModelFormat),
    model_type=st.sampled_from(MODEL_TYPES),
    origins=st.dictionaries(st.text(max_size=20), st.sampled_from(ORIGINS), max_size=5).map(MappingProxyType),
)


@given(facts)
def test_facts_survive_being_stored(value: Facts) -> None:
    """They live in the database as JSON."""
    assert Facts.from_json(json.loads(json.dumps(value.to_json()))) == value


def test_rows_of_other_versions_are_read() -> None:
    """Unknown keys are newer, missing ones older."""
    assert Facts.from_json({"family": "llama", "invented_later": 1}).family == "llama"
    assert Facts.from_json({}) == Facts()


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "facts",
        {"family": 3},
        {"parameters": -1},
        {"parameters": True},
        {"parameters": "8b"},
        {"context_window": 1.5},
        {"context_window": 1 << 70},
        {"format": "floppy"},
        {"format": []},
        {"model_type": "smell"},
        {"capabilities": []},
        {"capabilities": {"text": "yes"}},
        {"origins": {"family": "hearsay"}},
        {"origins": 1},
        {"architecture": "x" * 2000},
    ],
)
def test_garbage_is_corrupt(payload: Any) -> None:
    """A damaged row is told from a model without facts."""
    with pytest.raises(Corrupt) as caught:
        Facts.from_json(payload)
    assert caught.value.hint


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_json_is_facts_or_corrupt(payload: Any) -> None:
    """No third way."""
    try:
        Facts.from_json(payload)
    except Corrupt:
        return
