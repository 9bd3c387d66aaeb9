"""Kept responses: within their bounds, each to whom it belongs, on both databases."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paddock.db.engine import Database
from paddock.library.kept_responses import Bounds, KeptResponse, KeptResponses

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def kept(tmp_path: Path, clock: Clock) -> AsyncGenerator[KeptResponses]:
    bounds = Bounds(count=3, size_bytes=10_000, age=timedelta(days=2))
    async with await Database.open(tmp_path / "paddock.db") as database:
        yield KeptResponses(database, bounds=bounds, now=clock)


def response(name: str, *, text: str = "") -> KeptResponse:
    return KeptResponse(id=name, document={"id": name, "text": text}, context=[{"id": "msg_1", "type": "message"}])


async def _names(kept: KeptResponses, *names: str) -> list[str]:
    return [name for name in names if await kept.get(name, tenant="") is not None]


async def test_what_is_kept_comes_back_as_it_was(kept: KeptResponses) -> None:
    assert await kept.keep(response("a"), tenant="")
    assert await kept.get("a", tenant="") == response("a")


async def test_nobody_is_shown_what_is_somebody_else_s(kept: KeptResponses) -> None:
    """Conversations of one user must not be read, continued or deleted by another."""
    await kept.keep(response("a"), tenant="ann")
    assert await kept.get("a", tenant="bob") is None
    assert not await kept.delete("a", tenant="bob")
    assert await kept.delete("a", tenant="ann")
    assert await kept.get("a", tenant="ann") is None


async def test_the_oldest_make_room_when_there_are_too_many(kept: KeptResponses) -> None:
    for name in "abcde":
        await kept.keep(response(name), tenant="")
    assert await _names(kept, *"abcde") == ["c", "d", "e"]


async def test_the_oldest_make_room_when_all_are_too_large(kept: KeptResponses) -> None:
    """A disk must not fill with conversations."""
    for name in "abc":
        await kept.keep(response(name, text="x" * 4000), tenant="")
    assert await _names(kept, *"abc") == ["b", "c"]


async def test_one_that_is_larger_than_all_may_be_is_not_kept(kept: KeptResponses) -> None:
    """It would push out every other, and then itself."""
    await kept.keep(response("a"), tenant="")
    assert not await kept.keep(response("b", text="x" * 20_000), tenant="")
    assert await _names(kept, "a", "b") == ["a"]


async def test_what_is_too_old_is_forgotten(kept: KeptResponses, clock: Clock) -> None:
    """At once for whoever asks, and from the disk with the next that is kept."""
    await kept.keep(response("a"), tenant="")
    clock.now = NOON + timedelta(days=2)
    assert await _names(kept, "a") == []
    await kept.keep(response("b"), tenant="")
    clock.now = NOON
    assert await _names(kept, "a", "b") == ["b"]


async def test_a_database_that_cannot_be_written_costs_nobody_an_answer(kept: KeptResponses, tmp_path: Path) -> None:
    """The answer is there; that it cannot be gone on from is told when somebody tries."""
    (tmp_path / "paddock.db").unlink()
    (tmp_path / "paddock.db").mkdir()
    assert not await kept.keep(response("a"), tenant="")
