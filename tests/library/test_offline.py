"""Without a hub, what is known still answers, and says how old it is. Damaged rows cost an answer, never the library."""

import hashlib
import sqlite3

import pytest

from paddock.errors import HubUnreachable
from paddock.vocabulary import ModelStatus
from tests.fakes.files import FileServer
from tests.fakes.huggingface import HuggingFaceHub
from tests.library import models
from tests.library.rooms import Site


@pytest.fixture
async def known(site: Site, hub: HuggingFaceHub) -> Site:
    """`org/here` was pulled and `org/seen` was looked at, by a process that ended."""
    site.environment["PADDOCK_HUB__RETRIES"] = "0"  # a hub that is down is down
    hub.add_repo("org/here", models.mlx(), license="mit")
    hub.add_repo("org/seen", models.mlx(seed=1), license="mit")
    async with site.open() as library:
        await library.pull("org/here")
        await library.plan("org/seen")
    return site


def write(site: Site, statement: str) -> None:
    """Straight into the database file, as a bad disk or a curious person would."""
    with sqlite3.connect(site.config.paths.database_file) as database:
        database.execute(statement)
        database.commit()
    database.close()


@pytest.mark.parametrize("how", ["by choice", "the hub is down"])
async def test_everything_known_still_answers(known: Site, hub: HuggingFaceHub, how: str) -> None:
    """On a train, list, show and plan are what people use; an error page helps nobody."""
    if how == "by choice":
        known.environment["HF_HUB_OFFLINE"] = "1"
    hub.forget()
    hub.stop()
    async with known.open() as library:
        assert [model.name for model in await library.list()] == ["org/here"]
        here = await library.show("org/here")
        seen = await library.show("org/seen")
        plan = await library.plan("org/seen")
        again = await library.plan("org/here")
        assert (here.info.status, here.info.stale) == (ModelStatus.AVAILABLE, False)
        assert (seen.info.status, seen.info.stale) == (ModelStatus.NOT_FOUND, True)
        assert plan.stale
        assert plan.told_at == known.clock.now()
        assert any("2026-03-01 12:00" in warning for warning in plan.warnings)
        assert plan.total_bytes == models.total(models.mlx())
        assert (again.fetch_bytes, again.stale) == (0, True)
        assert (await library.verify())[0].ok
        with pytest.raises(HubUnreachable) as refusal:
            await library.plan("org/never-seen")
        assert refusal.value.exit_code == 5
        with pytest.raises(HubUnreachable):
            await library.pull("org/seen")
    if how == "by choice":
        assert "offline by choice" in refusal.value.message
    assert hub.requests() == []


async def test_fresh_answers_return_with_the_hub(known: Site, hub: HuggingFaceHub) -> None:
    async with known.open() as library:
        with hub.down():
            assert (await library.plan("org/seen")).stale
        assert not (await library.plan("org/seen")).stale


async def test_an_old_answer_serves_while_the_hub_is_away(known: Site, hub: HuggingFaceHub) -> None:
    """Within one process: the five minutes are over and nobody answers."""
    async with known.open() as library:
        await library.plan("org/seen")
        known.clock.advance(301)
        with hub.down():
            plan = await library.plan("org/seen")
    assert plan.stale
    assert (known.clock.now() - plan.told_at).total_seconds() == 301


@pytest.mark.parametrize(
    "damage",
    ["payload = 'no json'", "payload = '[]'", "payload = '{\"name\": 3}'", "payload = 'null'", "fetched_at = 'never'"],
)
async def test_a_damaged_answer_of_a_hub_is_asked_for_again(known: Site, hub: HuggingFaceHub, damage: str) -> None:
    write(known, f"UPDATE hub_cache SET {damage}")
    async with known.open() as library:
        with hub.down(), pytest.raises(HubUnreachable):
            await library.plan("org/seen")
        assert not (await library.plan("org/seen")).stale
        library.clear_cache()
        with hub.down():
            assert (await library.plan("org/seen")).stale


@pytest.mark.parametrize(
    "damage",
    [
        "facts = 'no json'",
        "facts = '{\"format\": 7}'",
        'files = \'[{"size": "many"}]\'',
        "files = 'null'",
        "origin = 'stolen'",
        "options = '['",
        "added_at = 'yesterday'",
    ],
)
async def test_a_damaged_record_is_read_anew_from_the_files(known: Site, hub: HuggingFaceHub, damage: str) -> None:
    """The files are the truth, the row a note about them. The model stays, and the library works."""
    write(known, f"UPDATE models SET {damage}")
    async with known.open() as library:
        (model,) = await library.list()
        assert model.name == "org/here"
        assert model.size == models.total(models.mlx())
        assert (await library.verify())[0].ok
        await library.pull("org/here")
        assert [one.name for one in await library.list()] == ["org/here"]


@pytest.mark.parametrize("damage", ["files = 'no json'", 'options = \'{"force": "perhaps"}\'', "status = 'lost'"])
async def test_a_damaged_job_does_not_stop_others(known: Site, hub: HuggingFaceHub, damage: str) -> None:
    write(known, f"UPDATE pulls SET {damage}")
    async with known.open() as library:
        assert await library.pulls.list() == []
        assert await library.pulls.resume_interrupted() == []
        await library.pull("org/seen")
        assert [job.name for job in await library.pulls.list()] == ["org/seen"]


async def test_a_database_that_is_no_database_is_moved_aside(known: Site) -> None:
    """Models are found again by what is on the disk, also those that only our own store has."""
    content = models.gguf(kib=64)
    with FileServer() as server:
        url = server.add("small.gguf", content)
        async with known.open() as library:
            before = await library.pull(f"{url}#sha256={hashlib.sha256(content).hexdigest()}")
    known.config.paths.database_file.write_bytes(b"\0" * 8192)
    async with known.open() as library:
        found = {model.name: model for model in await library.list()}
        assert set(found) == {"org/here", before.name}
        assert found[before.name].path == before.path
        assert [result.ok for result in await library.verify()] == [True, True]
        assert (await library.remove(before.name)).freed_bytes >= len(content)
        assert [model.name for model in await library.list()] == ["org/here"]
