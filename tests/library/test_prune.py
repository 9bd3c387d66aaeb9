"""A clean-up frees what it says, and never touches what is not ours, not free or not idle."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.library.prune import Leftover, LeftoverKind, PrunePlan, StoredFile, StoredModel, choose, usage
from paddock.vocabulary import ModelFormat, Origin

NOW = datetime(2026, 11, 21, tzinfo=UTC)
GB = 10**9


def model(
    name: str,
    *files: tuple[int, int],
    idle_days: float = 0,
    origin: Origin = Origin.PULLED,
    pinned: bool = False,
    in_use_by: str | None = None,
    used: bool = True,
) -> StoredModel:
    """`files` are (number of the inode, bytes)."""
    then = NOW - timedelta(days=idle_days)
    return StoredModel(
        name=name,
        format=ModelFormat.MLX,
        origin=origin,
        files=tuple(StoredFile((1, inode), size) for inode, size in files),
        added_at=then,
        last_used_at=then if used else None,
        pinned=pinned,
        in_use_by=in_use_by,
    )


def removed(plan: PrunePlan) -> list[tuple[str, int]]:
    return [(removal.name, removal.freed_bytes) for removal in plan.removals]


def test_old_models_go_and_the_reason_says_how_old():
    models = [
        model("new", (1, GB)),
        model("old", (2, GB), idle_days=40),
        model("unused", (3, 2), idle_days=31, used=False),
    ]
    plan = choose(models, now=NOW, older_than=timedelta(days=30))
    assert removed(plan) == [("old", GB), ("unused", 2)]
    assert [removal.reason for removal in plan.removals] == ["last used 40 days ago", "never used, added 31 days ago"]
    assert plan.freed_bytes == GB + 2
    assert choose(models, now=NOW).is_empty, "without a limit nothing but leftovers goes"


def test_room_is_made_least_recently_used_first_and_no_further_than_needed():
    models = [model(f"idle-{days}", (days, GB), idle_days=days) for days in (1, 5, 3)]
    plan = choose(models, now=NOW, max_bytes=2 * GB)
    assert removed(plan) == [("idle-5", GB)]
    assert (plan.used_bytes, plan.missing_bytes) == (3 * GB, 0)


@pytest.mark.parametrize(
    ("reason", "protected"),
    [
        ("pinned", model("m", (1, GB), idle_days=99, pinned=True)),
        ("in use by the server", model("m", (1, GB), idle_days=99, in_use_by="the server")),
        ("belongs to another tool", model("m", (1, GB), idle_days=99, origin=Origin.ADOPTED)),
        ("registered by its owner", model("m", (1, GB), idle_days=99, origin=Origin.REGISTERED)),
        ("built in", model("m", (1, GB), idle_days=99, origin=Origin.BUILTIN)),
    ],
)
def test_what_is_protected_stays_and_the_plan_says_why(reason: str, protected: StoredModel):
    """An automatic clean-up that takes another tool's files would be the last one anybody switches on."""
    plan = choose([protected], now=NOW, older_than=timedelta(days=1), max_bytes=0)
    assert removed(plan) == []
    assert [(kept.name, kept.reason) for kept in plan.kept] == [("m", reason)]
    assert plan.missing_bytes == GB


def test_shared_bytes_are_freed_when_the_last_holder_goes():
    """Two tags of the same weights: removing one frees its own small files only."""
    models = [model("one", (1, GB), (2, 10), idle_days=50), model("two", (1, GB), (3, 20), idle_days=40)]
    assert removed(choose(models, now=NOW, older_than=timedelta(days=45))) == [("one", 10)]
    assert removed(choose(models, now=NOW, older_than=timedelta(days=30))) == [("one", 10), ("two", GB + 20)]


def test_a_model_whose_bytes_others_hold_stays():
    """Removing it would cost its name and free nothing."""
    models = [model("tag", (1, GB), idle_days=50), model("base", (1, GB), pinned=True)]
    plan = choose(models, now=NOW, older_than=timedelta(days=30))
    assert removed(plan) == []
    assert [kept.reason for kept in plan.kept] == ["would free nothing: models that stay hold all its bytes"]


def test_leftovers_are_lines_of_their_own_once_nobody_writes_them():
    """A partial of five minutes ago is a pull that will go on."""
    old, young = (
        Leftover(path=Path(name), kind=LeftoverKind.PARTIAL, size=5, modified_at=NOW - timedelta(hours=hours))
        for name, hours in (("old", 48), ("young", 1))
    )
    plan = choose([], now=NOW, leftovers=[old, young])
    assert plan.leftovers == (old,)
    assert plan.freed_bytes == 5


stored = st.builds(
    lambda name, files, idle_days, origin, pinned, in_use_by: model(
        name, *files.items(), idle_days=idle_days, origin=origin, pinned=pinned, in_use_by=in_use_by
    ),
    name=st.uuids().map(str),
    files=st.dictionaries(st.integers(1, 6), st.just(0), max_size=4),
    idle_days=st.integers(0, 100),
    origin=st.sampled_from([Origin.PULLED, Origin.PULLED, Origin.PULLED, *Origin]),
    pinned=st.sampled_from([False, False, False, True]),
    in_use_by=st.sampled_from([None, None, None, "someone"]),
)


@given(
    chosen=st.lists(stored, max_size=6),
    older_than=st.none() | st.integers(0, 100).map(lambda days: timedelta(days=days)),
    max_bytes=st.none() | st.integers(0, 10_000),
)
@settings(deadline=None, max_examples=150)
def test_what_the_plan_frees_is_what_disappears_from_the_disk(
    chosen: list[StoredModel],
    older_than: timedelta | None,
    max_bytes: int | None,
    tmp_path_factory: pytest.TempPathFactory,
):
    """Carried out on real folders with real hard links: no protected model is touched, and the sums are true."""
    disk = tmp_path_factory.mktemp("disk")
    models = [on_disk(disk, one) for one in chosen]
    before = bytes_in(disk)
    plan = choose(models, now=NOW, older_than=older_than, max_bytes=max_bytes)
    by_name = {one.name: one for one in models}
    for removal in plan.removals:
        going = by_name[removal.name]
        assert going.origin is Origin.PULLED
        assert not going.pinned
        assert not going.in_use_by
        shutil.rmtree(disk / removal.name)
    assert before == plan.used_bytes
    assert before - bytes_in(disk) == plan.freed_bytes
    if max_bytes is not None:
        assert bytes_in(disk) <= max_bytes + plan.missing_bytes
    assert {kept.name for kept in plan.kept}.isdisjoint(removal.name for removal in plan.removals)
    report = usage(models)
    assert report.total_bytes == before == sum(report.frameworks.values())
    assert sum(line.own_bytes for line in report.models) + report.shared_bytes == before
    shutil.rmtree(disk)


def on_disk(disk: Path, one: StoredModel) -> StoredModel:
    """The model as a folder; files of the same number are hard links to the same bytes."""
    (disk / one.name).mkdir()
    files: list[StoredFile] = []
    for file in one.files:
        number = file.identity[1]
        link = disk / one.name / str(number)
        twin = next((path for path in disk.glob(f"*/{number}") if path != link), None)
        if twin:
            link.hardlink_to(twin)
        else:
            link.write_bytes(b"x" * (number * 1000 + 7))
        status = link.stat()
        files.append(StoredFile((status.st_dev, status.st_ino), status.st_size))
    return StoredModel(
        name=one.name,
        format=one.format,
        origin=one.origin,
        files=tuple(files),
        added_at=one.added_at,
        last_used_at=one.last_used_at,
        pinned=one.pinned,
        in_use_by=one.in_use_by,
    )


def bytes_in(disk: Path) -> int:
    files = (path.stat() for path in disk.rglob("*") if path.is_file())
    return sum({status.st_ino: status.st_size for status in files}.values())


def test_the_report_tells_frameworks_models_and_sharing():
    one, two = model("one", (1, 100), (2, 10)), model("two", (1, 100), (3, 5))
    gguf = StoredModel(
        name="gguf", format=ModelFormat.GGUF, origin=Origin.PULLED, files=(StoredFile((1, 9), 500),), added_at=NOW
    )
    report = usage([one, two, gguf])
    assert report.frameworks == {"llama.cpp": 500, "MLX": 115}
    assert [(line.name, line.own_bytes, line.shared_bytes, line.shared_with) for line in report.models] == [
        ("gguf", 500, 0, ()),
        ("one", 10, 100, ("two",)),
        ("two", 5, 100, ("one",)),
    ]
    assert (report.total_bytes, report.shared_bytes, report.saved_bytes) == (615, 100, 100)
