"""Properties 1 to 6, 21 and 22 of the library: what it answers, remembers, reports and refuses. The numbers are the
specification's. The real classes on a real database; only the clock and the disk's state are drawn."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.catalog.known import built_in_models
from paddock.db.engine import Database
from paddock.errors import PaddockError
from paddock.hub.progress import PullProgress
from paddock.library.adopt.walking import found_file
from paddock.library.judging import Judge
from paddock.library.library import Library
from paddock.library.machine import Machine
from paddock.library.records import Records
from paddock.library.shelf import Seen, Shelf
from paddock.vocabulary import Capabilities, ModelInfo, ModelStatus, Origin, ProgressEvent, PullStatus, SourceKind
from tests.fakes.huggingface import HuggingFaceHub
from tests.library import models
from tests.library.rooms import Clock, Site, no_bundle

EXAMPLES = 100
# Names that people and hubs give models; none means a place on this disk or another source.
names = st.from_regex(r"[a-z][a-z0-9]{0,8}(/[a-z][a-z0-9-]{0,12}[a-z0-9])?", fullmatch=True)
some_names = st.lists(names, unique=True, max_size=4)


class Disk:
    """The models on a made-up disk, and how often somebody looked. The files are real."""

    def __init__(self, folder: Path) -> None:
        self.names: list[str] = []
        self.looks = 0
        self._folder = folder
        folder.mkdir(exist_ok=True)
        for name, content in models.mlx().items():
            (folder / name).write_bytes(content)

    def look(self) -> Iterable[Seen]:
        self.looks += 1
        return [self._seen(name) for name in self.names]

    def _seen(self, name: str) -> Seen:
        paths = sorted(self._folder.iterdir())
        return Seen(
            name=name,
            reference=name,
            source=SourceKind.HUGGINGFACE,
            origin=Origin.ADOPTED,
            path=self._folder / name,
            root=self._folder,
            revision=None,
            files=tuple(found_file(path.name, str(path), path.stat()) for path in paths),
        )


class Room:
    """A shelf over `Disk`, with a clock that a test moves."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.clock = Clock()
        self.disk = Disk(folder / "models")
        self.records = Records(database)
        self.shelf = Shelf(
            records=self.records,
            look=self.disk.look,
            known=built_in_models(),
            judge=Judge(Machine("cpu", 1 << 36, 1 << 36), 1 << 35),
            lifetime_s=60.0,
            clock=self.clock,
            now=self.clock.now,
        )

    async def names(self) -> list[str]:
        return list(await self.shelf.models())

    async def empty(self) -> None:
        """As new: no rows, nothing remembered, nobody looked."""
        stored, _ = await self.records.all()
        await self.records.delete(*stored)
        self.shelf.invalidate()
        self.disk.looks = 0


@pytest.fixture
async def room(tmp_path: Path) -> AsyncGenerator["Room"]:
    async with await Database.open(tmp_path / "paddock.db") as database:
        yield Room(tmp_path, database)


@pytest.fixture
def site(tmp_path: Path) -> Generator[Site]:
    """A machine and a hub with a model of each kind that matters here."""
    with HuggingFaceHub() as hub:
        hub.add_repo("org/tiny", models.mlx(kib=1))
        hub.add_repo("org/other", models.mlx(kib=1, seed=1))
        hub.add_repo("org/onnx", models.onnx())
        hub.add_repo("org/gated", models.mlx(kib=1), gated="manual")
        hub.add_repo("org/quants", models.quantizations("Q4_K_M", "Q8_0", kib=1))
        yield Site(tmp_path, hub, no_bundle(tmp_path / "builtin"))


@pytest.fixture
async def library(site: Site) -> AsyncGenerator[Library]:
    async with site.open() as library:
        yield library


async def for_many(
    attempt: Callable[..., Coroutine[Any, Any, None]], *, examples: int = EXAMPLES, **drawn: st.SearchStrategy[Any]
) -> None:
    """`attempt` with many drawn arguments. Hypothesis drives from a thread; what is tested stays in its event loop."""
    loop = asyncio.get_running_loop()

    @settings(max_examples=examples, deadline=None, database=None)
    @given(**drawn)
    def run(**arguments: Any) -> None:
        asyncio.run_coroutine_threadsafe(attempt(**arguments), loop).result(30)

    await asyncio.to_thread(run)


# 1, 2, 21: the list


async def test_property_01_a_list_holds_only_complete_model_infos(room: Room) -> None:
    async def check(present: list[str]) -> None:
        await room.empty()
        room.disk.names = present
        listed = [record.info() for record in (await room.shelf.models()).values()]
        assert [model.name for model in listed] == sorted(present)
        for model in listed:
            assert type(model) is ModelInfo
            assert model.size == models.total(models.mlx())
            assert model.family == "qwen"
            assert model.modified_at.tzinfo is not None
            assert model.context_window > 0
            assert model.max_output_tokens > 0
            assert type(model.capabilities) is Capabilities
            assert model.status is ModelStatus.AVAILABLE

    await for_many(check, present=some_names)


async def test_property_02_a_list_is_remembered_for_sixty_seconds(room: Room) -> None:
    async def check(before: list[str], after: list[str], waits: list[float]) -> None:
        await room.empty()
        room.disk.names = before
        first = await room.names()
        began = room.clock.seconds
        room.disk.names = after
        for wait in sorted(waits):
            room.clock.seconds = began + wait
            assert await room.names() == first == sorted(before)
        assert room.disk.looks == 1

    await for_many(check, before=some_names, after=some_names, waits=st.lists(st.floats(0, 59.9), max_size=5))


async def test_property_21_past_its_time_a_list_is_fetched_anew(room: Room) -> None:
    async def check(before: list[str], after: list[str], wait: float) -> None:
        await room.empty()
        room.disk.names = before
        await room.names()
        room.disk.names = after
        room.clock.advance(wait)
        assert set(after) <= set(await room.names())
        assert room.disk.looks == 2

    await for_many(check, before=some_names, after=some_names, wait=st.floats(60.0, 1e6))


# 3: errors


def operations(library: Library, name: str) -> dict[str, Callable[[], Coroutine[Any, Any, object]]]:
    """Everything that can be asked for with a name."""
    return {
        "show": lambda: library.show(name),
        "get": lambda: library.get(name),
        "plan": lambda: library.plan(name),
        "pull": lambda: library.pull(name),
        "remove": lambda: library.remove(name),
        "verify": lambda: library.verify([name]),
        "copy": lambda: library.copy(name, "alias"),
        "copy to": lambda: library.copy("org/tiny", name),
        "pin": lambda: library.pin(name, pinned=True),
        "keep alive": lambda: library.set_keep_alive("org/tiny", name),
        "compare": lambda: library.compare([name, "org/tiny"]),
        "pause": lambda: library.pulls.pause(name),
        "resume": lambda: library.pulls.resume(name),
        "cancel": lambda: library.pulls.cancel(name),
    }


bad_names = st.one_of(
    st.text(min_size=1, max_size=30),
    names,
    names.map(lambda name: f"{name}@v1"),
    names.map(lambda name: f"org/tiny:{name}"),
    names.map(lambda name: f"builtin://{name}"),
    names.map(lambda name: f"file:///nowhere/{name}"),
    st.sampled_from(
        [
            *("org/onnx", "org/gated", "org/quants:Q3", "tin", "https://", "hf://", "kaggle://x", "ollama://nothing"),
            *("../../etc/passwd", "org/../tiny", "a/b/c/d", "org/tiny@", "org/tiny:", "-", "\0", "ftp://example.org/x"),
        ]
    ),
)


async def failure_of(operation: Callable[[], Coroutine[Any, Any, object]]) -> PaddockError | None:
    """How it fails; None when it does not. Anything but a PaddockError is a defect and ends the test."""
    try:
        await operation()
    except PaddockError as error:
        return error
    return None


async def test_property_03_every_failure_says_what_failed_and_what_to_do(library: Library) -> None:
    await library.pull("org/tiny")
    failures = 0

    async def check(name: str, operation: str) -> None:
        nonlocal failures
        error = await failure_of(operations(library, name)[operation])
        if error is None:
            return
        failures += 1
        assert error.message.strip()
        assert error.hint.strip()
        assert error.hint != error.message
        assert error.exit_code in (1, 2, 3, 4, 5, 6, 130)
        assert "`" in error.message or name.strip() in error.message  # it names the thing
        assert "Traceback" not in error.message
        assert "object at 0x" not in error.message

    await for_many(
        check, examples=4 * EXAMPLES, name=bad_names, operation=st.sampled_from(sorted(operations(library, "")))
    )
    assert failures > EXAMPLES


# 4: progress


@settings(max_examples=EXAMPLES, deadline=None, database=None)
@given(
    sizes=st.lists(st.integers(0, 1 << 40), min_size=1, max_size=6),
    steps=st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1), st.floats(0, 3)), max_size=20),
    end=st.sampled_from([PullStatus.COMPLETE, PullStatus.PAUSED, PullStatus.CANCELLED, PullStatus.ERROR]),
)
def test_property_04_progress_goes_from_nothing_to_all_with_every_field(
    sizes: list[int], steps: list[tuple[int, float, float]], end: PullStatus
) -> None:
    clock = Clock()
    files = {f"file-{number}": size for number, size in enumerate(sizes)}
    progress = PullProgress(files, clock=clock, now=clock.now)
    events: list[ProgressEvent] = [progress.event()]
    progress.set_status(PullStatus.DOWNLOADING)
    done = dict.fromkeys(files, 0)
    for which, share, wait in steps:
        path = f"file-{which % len(sizes)}"
        done[path] = max(done[path], int(files[path] * share))
        clock.advance(wait)
        progress.at(path, done[path])
        events.append(progress.event())
    if end is PullStatus.COMPLETE:
        for path in files:
            progress.finished(path)
    progress.set_status(end, "It broke." if end is PullStatus.ERROR else None)
    events.append(progress.event())

    assert events[0].percentage == 0.0
    assert (events[-1].percentage == 100.0) == (end is PullStatus.COMPLETE)
    assert [event.percentage for event in events] == sorted(event.percentage for event in events)
    for event in events:
        assert {field.name for field in fields(event)} == {
            *("percentage", "downloaded_bytes", "total_bytes", "download_speed", "eta_seconds", "current_file"),
            *("files_completed", "total_files", "status", "error", "timestamp"),
        }
        assert 0.0 <= event.percentage <= 100.0
        assert 0 <= event.downloaded_bytes <= event.total_bytes == sum(sizes)
        assert event.download_speed >= 0.0
        assert event.eta_seconds is None or event.eta_seconds >= 0.0
        assert 0 <= event.files_completed <= event.total_files == len(sizes)
        assert event.timestamp.tzinfo is not None


# 5, 6: pulls and removals


async def test_property_05_a_pull_and_a_removal_drop_the_remembered_list(site: Site, library: Library) -> None:
    """Whatever the order: the list right after is true, although its minute is not over."""
    here: set[str] = set()
    await library.list()

    async def check(name: str, wait: float) -> None:
        site.clock.advance(wait)
        if name in here:
            await library.remove(name)
            here.remove(name)
        else:
            await library.pull(name)
            here.add(name)
        assert {model.name for model in await library.list()} == here

    await for_many(check, name=st.sampled_from(["org/tiny", "org/other"]), wait=st.floats(0, 20))


async def test_property_06_a_status_is_one_of_three_words(site: Site, library: Library) -> None:
    await library.pull("org/tiny")
    site.hub.forget()

    async def check(name: str) -> None:
        status = await library.status(name)
        assert status in ("available", "downloading", "not_found")
        assert (status is ModelStatus.AVAILABLE) == (name.lower() in ("org/tiny", "tiny"))

    await for_many(check, name=st.one_of(bad_names, st.sampled_from(["org/tiny", "tiny", "Tiny", "org/other"])))
    assert site.hub.requests() == []


# 22: what is known of one model


async def test_property_22_what_a_hub_told_of_a_model_is_remembered_for_five_minutes(
    site: Site, library: Library
) -> None:
    asked_at: dict[str, float] = {}

    async def check(name: str, wait: float) -> None:
        site.clock.advance(wait)
        site.hub.forget()
        assert (await library.show(name)).info.name == name
        due = name not in asked_at or site.clock() - asked_at[name] >= 300.0
        assert bool(site.hub.requests()) == due
        if due:
            asked_at[name] = site.clock()

    await for_many(check, name=st.sampled_from(["org/tiny", "org/other"]), wait=st.floats(0, 200))
    assert len(asked_at) == 2
