"""Properties 11, 12, 13 and 20 of document D."""

import fnmatch

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from paddock.catalog.families import family_of_name
from paddock.catalog.known import KnownModel, KnownModels, built_in_models
from paddock.catalog.matching import compile_glob, matches_pattern
from paddock.catalog.spelling import spellings

NAME_CHARACTERS = "abcxyz0189.:-_/"
names = st.text(NAME_CHARACTERS, max_size=24)
sets = st.builds(
    lambda negated, members: f"[{'!' if negated else ''}{members}]",
    st.booleans(),
    st.text("abcxyz0189.:_", min_size=1, max_size=4) | st.sampled_from(["a-c", "0-9", "x-z1-8"]),
)
patterns = st.lists(
    st.text(NAME_CHARACTERS, min_size=1, max_size=4) | st.sampled_from(["*", "?"]) | sets, min_size=1, max_size=8
).map("".join)


@settings(max_examples=500, deadline=None)
@given(names, patterns)
def test_property_11_glob_pattern_matching(name: str, pattern: str) -> None:
    """Standard glob syntax, as the standard library understands it."""
    assert matches_pattern(name, pattern, ignore_case=False) == fnmatch.fnmatchcase(name, pattern)
    assert matches_pattern(name.upper(), pattern.upper()) == matches_pattern(name, pattern)


@settings(max_examples=200, deadline=None)
@given(names, st.data())
def test_property_11_a_name_fits_itself_with_parts_made_wild(name: str, data: st.DataObject) -> None:
    """What a person means by a wildcard."""
    assume(name)
    start = data.draw(st.integers(0, len(name)))
    end = data.draw(st.integers(start, len(name)))
    assert matches_pattern(name, f"{name[:start]}*{name[end:]}")
    assert matches_pattern(name, f"{name[:start]}{'?' * (end - start)}{name[end:]}")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(built_in_models().entries), st.text("abc018-.", max_size=10))
def test_property_12_model_database_lookup_fields(entry: KnownModel, filling: str) -> None:
    """Every lookup gives both limits, whether the entry tells them or not."""
    name = entry.pattern.replace("*", filling).replace("?", "1")
    assert built_in_models().lookup(name) is not None
    limits = built_in_models().limits(name)
    assert limits.context_window > 0
    assert 0 < limits.max_output_tokens <= limits.context_window


@settings(max_examples=150, deadline=None)
@given(st.lists(patterns, min_size=1, max_size=8, unique=True), names.filter(bool))
def test_property_13_most_specific_pattern_wins(candidates: list[str], name: str) -> None:
    """The longest pattern that fits decides, wherever it stands in the list."""
    tag = name if ":" in name else f"{name}:tag"
    known = KnownModels(KnownModel(pattern=pattern, family=pattern) for pattern in [*candidates, "*"])
    fitting = [p for p in candidates if any(compile_glob(p).matches(spelling) for spelling in spellings(tag))]
    entry = known.lookup(tag)
    assert entry
    assert len(entry.pattern) == max((len(p) for p in fitting), default=1)
    assert entry.pattern in fitting or entry.pattern == "*"


FAMILIES = [
    "llama",
    "mistral",
    "codellama",
    "deepseek-coder",
    "starcoder",
    "phi",
    "gemma",
    "tinyllama",
    "qwen",
    "deepseek",
]
edges = st.text("0123456789.-:_", max_size=8)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(FAMILIES), edges, edges, st.data())
def test_property_20_family_detection_pattern_matching(
    family: str, before: str, after: str, data: st.DataObject
) -> None:
    """A name that holds a family's word is of that family, in whatever case; codellama is never llama."""
    cased = "".join(data.draw(st.sampled_from([letter.upper(), letter])) for letter in family)
    assert family_of_name(f"{before}{cased}{after}") == family
    assert family_of_name(f"some-org/{before}{cased}{after}") == family


@settings(max_examples=100, deadline=None)
@given(st.text("bcdghjknw 0123456789-", max_size=20))
def test_property_20_no_family_word_is_unknown(name: str) -> None:
    """Nothing is guessed."""
    assume("bge" not in name)
    assert family_of_name(name) == "unknown"
