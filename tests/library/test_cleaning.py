"""What the disk holds, and a clean-up that frees what it said, touches nothing else, and says why the rest stays."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from paddock.config.schema import Disk
from paddock.library.cleaning import Pruned
from paddock.library.library import Library
from paddock.library.prune import LeftoverKind, PrunePlan
from paddock.library.pulling.plan import PullOptions
from paddock.vocabulary import PullStatus
from tests.catalog.building import BUILT_IN_MODELS
from tests.fakes.content import Generated
from tests.fakes.faults import Slow
from tests.fakes.files import FileServer
from tests.fakes.huggingface import HuggingFaceHub
from tests.fakes.ollama import OllamaRegistry
from tests.library import models
from tests.library.caches import lmstudio_model
from tests.library.rooms import Site

DAY_S = 86_400
SLOW = Slow(bytes_per_s=2 << 20)
NOTES = 4096  # manifests and the like, which are no model's bytes


@pytest.fixture
def ollama(site: Site) -> Generator[OllamaRegistry]:
    with OllamaRegistry() as registry:
        site.environment["PADDOCK_HUB__OLLAMA_REGISTRY"] = registry.url
        yield registry


@pytest.fixture
def web() -> Generator[FileServer]:
    with FileServer() as server:
        yield server


def used(*folders: Path) -> int:
    """The bytes that files take, however many names they have."""
    stats = [
        path.stat() for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()
    ]
    return sum({(stat.st_dev, stat.st_ino): stat.st_size for stat in stats}.values())


def make_old(site: Site) -> None:
    """Whatever lies on this machine's disk was written two days ago, by its clock."""
    when = site.clock.now().timestamp() - 2 * DAY_S
    for root in (site.hub_cache, site.store):
        for path in root.rglob("*"):
            if not path.is_symlink():
                os.utime(path, (when, when))


async def prune(library: Library, plan: PrunePlan) -> Pruned:
    async def remove(name: str) -> int:
        return (await library.remove(name)).freed_bytes

    return await library.cleaning.prune(plan, remove)


async def names(library: Library) -> list[str]:
    return [model.name for model in await library.list()]


# What is on the disk


async def test_usage_tells_frameworks_and_counts_shared_bytes_once(
    hub: HuggingFaceHub, ollama: OllamaRegistry, site: Site
) -> None:
    weights = models.gguf(kib=64)
    ollama.add_model("tiny:one", {"model": weights, "template": b"one"})
    ollama.add_model("tiny:two", {"model": weights, "template": b"another"})
    hub.add_repo("org/tiny", models.mlx())
    async with site.open() as library:
        for reference in ("ollama://tiny:one", "ollama://tiny:two", "org/tiny"):
            await library.pull(reference)
        report = await library.cleaning.usage()
    assert report.frameworks == {"llama.cpp": len(weights) + 10, "MLX": models.total(models.mlx())}
    assert report.total_bytes == len(weights) + 10 + models.total(models.mlx())
    assert (report.shared_bytes, report.saved_bytes) == (len(weights), len(weights))
    one = next(model for model in report.models if model.name == "tiny:one")
    assert (one.own_bytes, one.shared_bytes, one.shared_with) == (3, len(weights), ("tiny:two",))
    assert abs(report.total_bytes - used(site.hub_cache, site.store)) < NOTES


async def test_two_revisions_of_one_repository_share_what_did_not_change(
    hub: HuggingFaceHub, library: Library, site: Site
) -> None:
    hub.add_repo("org/tiny", models.mlx(kib=64))
    await library.pull("org/tiny")
    hub.commit("org/tiny", {"README.md": b"# Changed\n"})
    library.clear_cache()
    await library.pull("org/tiny")
    report = await library.cleaning.usage()
    assert len(report.models) == 2
    assert report.saved_bytes > 64 * 1024
    assert abs(report.total_bytes - used(site.hub_cache)) < NOTES


# A clean-up


async def test_a_clean_up_frees_exactly_what_it_said(hub: HuggingFaceHub, ollama: OllamaRegistry, site: Site) -> None:
    """People decide by that number, so it is measured at the disk: shared blobs, and both places that we keep models in."""
    weights = models.gguf(kib=64)
    ollama.add_model("tiny:one", {"model": weights, "template": b"one"})
    ollama.add_model("tiny:two", {"model": weights, "template": b"another"})
    hub.add_repo("org/old", models.mlx(seed=1, kib=32))
    hub.add_repo("org/quants", models.quantizations("Q4_K_M", "Q8_0"))
    hub.add_repo("org/new", models.mlx(seed=2))
    async with site.open() as library:
        for reference in ("ollama://tiny:one", "org/old", "org/quants:Q4_K_M", "org/quants:Q8_0"):
            await library.pull(reference)
        site.clock.advance(60 * DAY_S)
        await library.pull("ollama://tiny:two")
        await library.pull("org/new")
        plan = await library.cleaning.plan(older_than_days=30)
        assert [removal.name for removal in plan.removals] == [
            "org/old",
            "org/quants:Q4_K_M",
            "org/quants:Q8_0",
            "tiny:one",
        ]
        before = used(site.hub_cache, site.store)
        done = await prune(library, plan)
        freed = before - used(site.hub_cache, site.store)
        assert done.failures == ()
        assert abs(freed - plan.freed_bytes) < NOTES
        assert abs(done.freed_bytes - freed) < NOTES
        assert await names(library) == ["org/new", "tiny:two"]
        assert all(result.ok for result in await library.verify())
        assert (await library.cleaning.plan(older_than_days=30)).is_empty


async def test_room_is_made_by_taking_the_least_recently_used(
    hub: HuggingFaceHub, library: Library, site: Site
) -> None:
    for number in (1, 2, 3):
        hub.add_repo(f"org/m{number}", models.mlx(seed=number, kib=32))
        await library.pull(f"org/m{number}")
        site.clock.advance(DAY_S)
    size = (await library.get("org/m1")).size_bytes
    plan = await library.cleaning.plan(max_bytes=2 * size)
    assert [removal.name for removal in plan.removals] == ["org/m1"]
    assert plan.used_bytes == 3 * size
    await prune(library, plan)
    assert (await library.cleaning.usage()).total_bytes == 2 * size


async def test_what_must_stay_stays_and_says_why(
    hub: HuggingFaceHub, web: FileServer, site: Site, tmp_path: Path
) -> None:
    site.builtin_models = Path(BUILT_IN_MODELS)
    hub.add_repo("org/pinned", models.mlx(seed=1))
    hub.add_repo("org/configured", models.mlx(seed=2))
    hub.add_repo("org/busy", models.mlx(seed=3))
    lmstudio_model(site.folder / "home" / ".lmstudio" / "models", "pub/other", models.mlx(seed=4))
    (tmp_path / "Mine.gguf").write_bytes(models.gguf())
    site.users["org/busy"] = ("a chat",)
    (site.home / "config").mkdir(parents=True)
    (site.home / "config" / "config.yaml").write_text("models: {org/configured: {pin: true}}\n")
    async with site.open() as library:
        await library.pull("org/pinned", PullOptions(pin=True))
        for reference in ("org/configured", "org/busy", f"file://{tmp_path}/Mine.gguf"):
            await library.pull(reference)
        site.clock.advance(400 * DAY_S)
        plan = await library.cleaning.plan(older_than_days=30, max_bytes=0)
    assert plan.removals == ()
    kept = {line.name: line.reason for line in plan.kept}
    assert kept["org/pinned"] == kept["org/configured"] == "pinned"
    assert kept["org/busy"] == "in use by a chat"
    assert kept["Mine"] == "registered by its owner"
    assert kept["pony"] == "built in"
    assert kept["pub/other"] == "belongs to another tool"
    assert plan.missing_bytes > 0, "how far the disk stays from what was wanted is told"


async def test_one_model_that_cannot_go_does_not_stop_the_others(
    hub: HuggingFaceHub, library: Library, site: Site
) -> None:
    for number in (1, 2):
        hub.add_repo(f"org/m{number}", models.mlx(seed=number))
        await library.pull(f"org/m{number}")
    site.clock.advance(60 * DAY_S)
    plan = await library.cleaning.plan(older_than_days=30)
    site.users["org/m1"] = ("a chat that has just begun",)
    done = await prune(library, plan)
    assert await names(library) == ["org/m1"]
    assert len(done.failures) == 1
    assert "org/m1" in done.failures[0]
    assert done.freed_bytes < plan.freed_bytes


# By itself


async def test_nothing_is_cleaned_up_by_itself_unless_asked(hub: HuggingFaceHub, library: Library, site: Site) -> None:
    hub.add_repo("org/old", models.mlx())
    await library.pull("org/old")
    site.clock.advance(1000 * DAY_S)
    assert await library.auto_prune() is None
    assert await names(library) == ["org/old"]


async def test_automatic_clean_up_takes_what_is_old_after_a_pull(hub: HuggingFaceHub, site: Site) -> None:
    site.environment |= {"PADDOCK_DISK__AUTO_PRUNE": "on", "PADDOCK_DISK__AUTO_PRUNE_DAYS": "30"}
    hub.add_repo("org/old", models.mlx(seed=1))
    hub.add_repo("org/new", models.mlx(seed=2))
    async with site.open() as library:
        await library.pull("org/old")
        site.clock.advance(31 * DAY_S)
        await library.pull("org/new")
        assert await names(library) == ["org/new"]


async def test_automatic_clean_up_never_takes_what_was_just_pulled(hub: HuggingFaceHub, site: Site) -> None:
    """A limit below one model's size would otherwise turn each pull into a download for nothing."""
    site.environment |= {"PADDOCK_DISK__AUTO_PRUNE": "on", "PADDOCK_DISK__AUTO_PRUNE_MAX_BYTES": "1KB"}
    hub.add_repo("org/m1", models.mlx(seed=1))
    hub.add_repo("org/m2", models.mlx(seed=2))
    async with site.open() as library:
        await library.pull("org/m1")
        assert await names(library) == ["org/m1"]
        await library.pull("org/m2")
        assert await names(library) == ["org/m2"]


async def test_automatic_clean_up_follows_its_settings(hub: HuggingFaceHub, library: Library, site: Site) -> None:
    hub.add_repo("org/old", models.mlx())
    await library.pull("org/old")
    site.clock.advance(50 * DAY_S)

    async def remove(name: str) -> int:
        return (await library.remove(name)).freed_bytes

    cleaning = library.cleaning
    assert await cleaning.auto_prune(Disk(auto_prune=False), remove) is None
    assert await cleaning.auto_prune(Disk(auto_prune=True, auto_prune_days=90), remove) is None
    done = await cleaning.auto_prune(Disk(auto_prune=True, auto_prune_days=30), remove)
    assert done is not None
    assert done.freed_bytes > 0


# Leftovers


async def interrupted(library: Library, reference: str) -> None:
    """A pull that somebody stopped when it had some of its bytes."""
    job_id = await library.start_pull(reference)
    assert job_id is not None
    async for event in library.pulls.events(job_id):
        if event.downloaded_bytes > 100_000:  # more than the small files
            break
    assert (await library.pulls.pause(job_id)).status is PullStatus.PAUSED


def forget_jobs(site: Site) -> None:
    """The database is lost, and with it what was known of unfinished pulls."""
    file = site.config.paths.database_file
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink()


async def test_parts_of_an_unfinished_pull_stay_however_old(hub: HuggingFaceHub, web: FileServer, site: Site) -> None:
    """Gigabytes that the next `pull` would go on with."""
    hub.add_repo("org/tiny", models.mlx(kib=4096))
    url = web.add("Tiny.gguf", models.gguf(kib=4096), etag='"1"')
    hub.fail("model.safetensors", SLOW, at="storage", times=None)
    web.fail("Tiny.gguf", SLOW, times=None)
    async with site.open() as library:
        await interrupted(library, "org/tiny")
        await interrupted(library, url)
        make_old(site)
        assert len(site.leftovers()) == 2
        assert (await library.cleaning.plan()).is_empty
        hub.heal()
        web.heal()
        await library.pull("org/tiny")
        await library.pull(url)
        assert not site.leftovers()


async def test_parts_that_no_pull_goes_on_with_are_offered_and_freed(
    hub: HuggingFaceHub, web: FileServer, site: Site
) -> None:
    hub.add_repo("org/tiny", models.mlx(kib=4096))
    url = web.add("Tiny.gguf", models.gguf(kib=4096), etag='"1"')
    hub.fail("model.safetensors", SLOW, at="storage", times=None)
    web.fail("Tiny.gguf", SLOW, times=None)
    async with site.open() as library:
        await interrupted(library, "org/tiny")
        await interrupted(library, url)
    forget_jobs(site)
    async with site.open() as library:
        assert (await library.cleaning.plan()).is_empty, "young parts may be another process's"
        make_old(site)
        plan = await library.cleaning.plan()
        assert {left.kind for left in plan.leftovers} == {LeftoverKind.PARTIAL}
        assert plan.freed_bytes > 100_000
        before = used(site.hub_cache, site.store)
        done = await prune(library, plan)
        assert done.failures == ()
        assert abs(before - used(site.hub_cache, site.store) - plan.freed_bytes) < NOTES
        assert done.freed_bytes == plan.freed_bytes
        assert not site.leftovers()
        assert (await library.cleaning.plan()).is_empty
        hub.heal()
        assert (await library.pull("org/tiny")).name == "org/tiny"


async def test_a_cancelled_pull_leaves_nothing_to_offer(hub: HuggingFaceHub, library: Library, site: Site) -> None:
    hub.add_repo("org/tiny", models.mlx(kib=4096))
    hub.fail("model.safetensors", SLOW, at="storage", times=None)
    await interrupted(library, "org/tiny")
    (job,) = await library.pulls.list()
    await library.pulls.cancel(job.id)
    make_old(site)
    assert not site.leftovers()
    assert (await library.cleaning.plan()).is_empty


async def test_parts_of_other_tools_are_never_touched(hub: HuggingFaceHub, library: Library, site: Site) -> None:
    """`.incomplete` is how huggingface_hub calls its own; what looks like ours elsewhere is not ours either."""
    hub.add_repo("org/tiny", models.mlx())
    await library.pull("org/tiny")
    blobs = site.hub_cache / "models--org--tiny" / "blobs"
    theirs = [blobs / f"{'a' * 64}.incomplete", blobs / f"{'b' * 40}.12345678.incomplete", blobs / "notes.paddock-x"]
    for path in theirs:
        path.write_bytes(b"theirs")
    make_old(site)
    assert (await library.cleaning.plan()).is_empty
    assert all(path.exists() for path in theirs)


async def test_parts_of_one_pull_go_while_another_of_the_same_repository_stays(hub: HuggingFaceHub, site: Site) -> None:
    hub.add_repo("org/quants", models.quantizations("Q4_K_M", "Q8_0", kib=4096))
    hub.fail("*.gguf", SLOW, at="storage", times=None)
    async with site.open() as library:
        await interrupted(library, "org/quants:Q4_K_M")
    forget_jobs(site)
    async with site.open() as library:
        await interrupted(library, "org/quants:Q8_0")
        make_old(site)
        plan = await library.cleaning.plan()
        assert len(plan.leftovers) == 1
        await prune(library, plan)
        assert len(site.leftovers()) == 1
        hub.heal()
        assert (await library.pull("org/quants:Q8_0")).name == "org/quants:Q8_0"


async def test_a_snapshot_that_was_being_put_together_is_found(
    hub: HuggingFaceHub, library: Library, site: Site
) -> None:
    hub.add_repo("org/tiny", models.mlx())
    await library.pull("org/tiny")
    staged = site.hub_cache / "models--org--tiny" / f".paddock-{'c' * 12}" / "commit"
    staged.mkdir(parents=True)
    (staged / "config.json").write_bytes(b"{}")
    make_old(site)
    plan = await library.cleaning.plan()
    assert [left.path for left in plan.leftovers] == [staged.parent]
    await prune(library, plan)
    assert not staged.parent.exists()
    assert all(result.ok for result in await library.verify())


async def test_content_that_no_model_uses_is_offered(ollama: OllamaRegistry, site: Site) -> None:
    """A removal that was cut off, a model whose folder somebody deleted by hand."""
    ollama.add_model("tiny:latest", {"model": models.gguf(kib=64)})
    async with site.open() as library:
        await library.pull("ollama://tiny")
        orphan = site.store / "blobs" / f"sha256-{'d' * 64}"
        orphan.write_bytes(Generated(5000).read())
        plan = await library.cleaning.plan()
        assert [(left.path, left.kind, left.size) for left in plan.leftovers] == [(orphan, LeftoverKind.ORPHAN, 5000)]
        done = await prune(library, plan)
        assert done.freed_bytes == 5000
        assert not orphan.exists()
        assert [result.ok for result in await library.verify()] == [True]


async def test_a_revision_that_a_newer_one_replaced_is_offered(ollama: OllamaRegistry, site: Site) -> None:
    """A tag that moved leaves the older weights on the disk, under a name that nothing lists."""
    old = models.gguf(kib=64)
    ollama.add_model("tiny:latest", {"model": old, "template": b"the same"})
    async with site.open() as library:
        await library.pull("ollama://tiny")
        ollama.add_model("tiny:latest", {"model": models.gguf(kib=64, seed=5), "template": b"the same"})
        library.clear_cache()
        await library.pull("ollama://tiny")
        plan = await library.cleaning.plan()
        (left,) = plan.leftovers
        assert left.kind is LeftoverKind.ORPHAN
        assert len(old) <= left.size < len(old) + NOTES
        before = used(site.store)
        await prune(library, plan)
        assert before - used(site.store) == left.size
        assert [result.ok for result in await library.verify()] == [True]


async def test_a_replaced_revision_stays_while_the_model_is_in_use(ollama: OllamaRegistry, site: Site) -> None:
    """A runner that loaded the older weights still reads them."""
    ollama.add_model("tiny:latest", {"model": models.gguf()})
    async with site.open() as library:
        await library.pull("ollama://tiny")
        ollama.add_model("tiny:latest", {"model": models.gguf(seed=5)})
        library.clear_cache()
        await library.pull("ollama://tiny")
        site.users["tiny:latest"] = ("a chat",)
        assert (await library.cleaning.plan()).is_empty


async def test_a_store_behind_a_link_is_not_taken_for_leftovers(ollama: OllamaRegistry, site: Site) -> None:
    """Somebody moved the data to another disk and left a link: the records still name the old place."""
    ollama.add_model("tiny:latest", {"model": models.gguf()})
    async with site.open() as library:
        await library.pull("ollama://tiny")
    site.home.rename(site.folder / "moved")
    site.home.symlink_to(site.folder / "moved")
    async with site.open() as library:
        assert (await library.cleaning.plan()).is_empty
    site.environment["PADDOCK_HOME"] = str(site.folder / "moved")
    async with site.open() as library:
        assert (await library.cleaning.plan()).is_empty
        assert [result.ok for result in await library.verify()] == [True]
