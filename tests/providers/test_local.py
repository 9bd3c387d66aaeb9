"""The models in memory here, as a provider: what names and seeds mean. `tests/server` shows how it answers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.engine.checks import SEED_MAX, SEED_MIN
from paddock.errors import ModelNotFound
from paddock.library.records import ModelRecord
from paddock.providers.local import choice_seed
from paddock.providers.naming import resolve


async def nothing_here(name: str) -> ModelRecord:
    raise ModelNotFound(f"There is no model `{name}`.", hint="Pull it.")


@settings(deadline=None)
@given(st.integers(SEED_MIN, SEED_MAX))
def test_choices_have_seeds_of_their_own_and_the_first_the_request_s(seed: int) -> None:
    """Asking for more answers changes nothing about the first, and the same request gives the same ones."""
    seeds = [choice_seed(seed, choice) for choice in range(8)]
    assert seeds[0] == seed
    assert len(set(seeds)) == 8
    assert all(each is not None and SEED_MIN <= each <= SEED_MAX for each in seeds)
    assert [choice_seed(seed, choice) for choice in range(8)] == seeds
    assert choice_seed(None, 3) is None


async def test_a_name_longer_than_any_is_not_looked_up() -> None:
    """Nor is it said back: an error is no place for a megabyte."""
    with pytest.raises(ModelNotFound) as caught:
        await resolve("a" * 1_000_000, find=nothing_here, default="pony")
    assert len(caught.value.message) < 200


async def test_no_name_is_the_default_s() -> None:
    with pytest.raises(ModelNotFound, match="`pony`"):
        await resolve("", find=nothing_here, default="pony")
