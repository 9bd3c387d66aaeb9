"""The same models on another machine: from their sources, or from a folder that somebody carried over."""

import shutil
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from paddock.errors import Corrupt, InvalidFile, ModelNotFound, PaddockError, UsageError
from paddock.library.carry.carrying import SyncReport
from paddock.library.carry.lockfile import LOCK_NAME, LockedModel
from paddock.library.library import Library
from paddock.library.pulling.plan import PullOptions
from paddock.vocabulary import Origin, SourceKind
from tests.fakes.files import FileServer
from tests.fakes.huggingface import HuggingFaceHub
from tests.fakes.kaggle import KaggleApi
from tests.fakes.ollama import OllamaRegistry
from tests.library import models
from tests.library.rooms import Site, no_bundle
from tests.library.test_sources_through_library import tarred

TINY = "org/tiny"
ALL_THE_SAME = PullOptions(skip_check=True)


@pytest.fixture
def ollama() -> Generator[OllamaRegistry]:
    with OllamaRegistry() as registry:
        yield registry


@pytest.fixture
def kaggle() -> Generator[KaggleApi]:
    with KaggleApi() as api:
        yield api


@pytest.fixture
def web() -> Generator[FileServer]:
    with FileServer() as server:
        yield server


@pytest.fixture
def other(site: Site, tmp_path: Path) -> Site:
    """Another machine, with the same hubs and nothing on its disk."""
    return Site(tmp_path / "other", site.hub, no_bundle(tmp_path / "other" / "builtin"), environment=site.environment)


@asynccontextmanager
async def opened(site: Site) -> AsyncGenerator[Library]:
    async with site.open() as library:
        yield library


async def sync(library: Library, lock: Path, *, frozen: bool = False, folder: Path | None = None) -> SyncReport:
    """As `paddock sync` does it."""

    async def pull(model: LockedModel) -> None:
        await library.pull_exactly(model.reference, model.revision, name=model.name)

    return await library.carrying.sync(lock, frozen=frozen, folder=folder, pull=pull)


async def names(library: Library) -> list[str]:
    return [model.name for model in await library.list()]


async def contents(library: Library) -> dict[str, dict[str, bytes]]:
    """Every byte of every model."""
    found: dict[str, dict[str, bytes]] = {}
    for name in await names(library):
        record = await library.get(name)
        found[name] = {file.path: (Path(record.root) / file.path).read_bytes() for file in record.files}
    return found


async def test_a_lock_gives_another_machine_the_same_bytes(
    hub: HuggingFaceHub, library: Library, other: Site, tmp_path: Path
) -> None:
    """The hub has moved on meanwhile; the locked revision is what counts."""
    hub.add_repo(TINY, models.mlx())
    await library.pull(TINY)
    lock = tmp_path / LOCK_NAME
    await library.carrying.lock(lock)
    hub.commit(TINY, models.mlx(seed=9))
    async with opened(other) as there:
        report = await sync(there, lock, frozen=True)
        assert report.pulled == (TINY,)
        assert report.is_same
        assert await contents(there) == await contents(library)
        assert (await there.get(TINY)).revision == (await library.get(TINY)).revision
        again = await sync(there, lock, frozen=True)
        assert (again.pulled, again.copied) == ((), ())


async def test_the_same_models_give_the_same_lock(
    hub: HuggingFaceHub, library: Library, other: Site, tmp_path: Path
) -> None:
    """Version control shows no difference where there is none, whichever way the models came."""
    hub.add_repo(TINY, models.mlx())
    hub.add_repo("org/quants", models.quantizations("Q4_K_M", "Q8_0"))
    for reference in (TINY, "org/quants:Q8_0", "org/quants"):
        await library.pull(reference)
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    await library.carrying.lock(first)
    await library.carrying.export((), tmp_path / "carried")
    async with opened(other) as there:
        await there.carrying.import_folder(tmp_path / "carried")
        await there.carrying.lock(second)
        assert second.read_text() == first.read_text()
        for name in await names(there):
            await there.remove(name)
        for reference in ("org/quants", "org/quants:Q8_0", TINY):
            await there.pull(reference)
        await there.carrying.lock(third)
    assert third.read_text() == first.read_text()


async def test_two_quantizations_of_one_repository_are_two_models_of_a_lock(
    hub: HuggingFaceHub, library: Library, other: Site, tmp_path: Path
) -> None:
    hub.add_repo("org/quants", models.quantizations("Q4_K_M", "Q6_K", "Q8_0"))
    await library.pull("org/quants:Q4_K_M")
    await library.pull("org/quants:Q8_0")
    lock = await library.carrying.lock(tmp_path / LOCK_NAME)
    assert [model.name for model in lock.models] == ["org/quants:Q4_K_M", "org/quants:Q8_0"]
    async with opened(other) as there:
        assert (await sync(there, tmp_path / LOCK_NAME, frozen=True)).is_same
        assert await contents(there) == await contents(library)
        assert not list(other.hub_cache.rglob("*Q6_K*"))


async def test_a_lock_of_some_models_holds_only_these(hub: HuggingFaceHub, library: Library, tmp_path: Path) -> None:
    hub.add_repo(TINY, models.mlx())
    hub.add_repo("org/second", models.mlx(seed=2))
    await library.pull(TINY)
    await library.pull("org/second")
    lock = await library.carrying.lock(tmp_path / LOCK_NAME, ["second"])
    assert [model.name for model in lock.models] == ["org/second"], "a short name will do, as everywhere"
    with pytest.raises(ModelNotFound, match="secnd"):
        await library.carrying.lock(tmp_path / LOCK_NAME, ["secnd"])


async def test_models_of_other_tools_are_locked_and_fetched_on_the_other_machine(
    site: Site, hub: HuggingFaceHub, other: Site, tmp_path: Path
) -> None:
    hub.add_repo(TINY, models.mlx())
    async with opened(site) as library:
        await library.pull(TINY)
        await library.carrying.lock(tmp_path / "pulled")
    shutil.rmtree(site.home)  # what is left is a cache that any tool may have filled
    async with opened(site) as library:
        assert (await library.get(TINY)).origin is Origin.ADOPTED
        await library.carrying.lock(tmp_path / LOCK_NAME)
        here = await contents(library)
    assert (tmp_path / LOCK_NAME).read_text() == (tmp_path / "pulled").read_text()
    async with opened(other) as there:
        assert (await sync(there, tmp_path / LOCK_NAME, frozen=True)).is_same
        assert await contents(there) == here


# Frozen


async def test_frozen_fails_when_the_source_has_another_revision(
    site: Site, ollama: OllamaRegistry, other: Site, tmp_path: Path
) -> None:
    """Only the newest manifest of a tag can be had from Ollama: a lock that wants an older one cannot be kept."""
    site.environment["PADDOCK_HUB__OLLAMA_REGISTRY"] = ollama.url
    ollama.add_model("tiny:latest", {"model": models.gguf()})
    async with opened(site) as library:
        await library.pull("ollama://tiny")
        await library.carrying.lock(tmp_path / LOCK_NAME)
    ollama.add_model("tiny:latest", {"model": models.gguf(seed=3)})
    async with opened(other) as there:
        with pytest.raises(Corrupt, match="tiny:latest") as failed:
            await sync(there, tmp_path / LOCK_NAME, frozen=True)
        assert "was wanted" in failed.value.message
        report = await sync(there, tmp_path / LOCK_NAME)
        assert not report.is_same
        assert [name for name, _ in report.failures] == ["tiny:latest"]
        assert await names(there) == []


async def test_frozen_fails_when_one_byte_on_the_disk_is_another(
    hub: HuggingFaceHub, library: Library, tmp_path: Path
) -> None:
    """Sizes and notes all agree; only reading tells. The model and the file are named."""
    hub.add_repo(TINY, models.mlx())
    await library.pull(TINY)
    await library.carrying.lock(tmp_path / LOCK_NAME)
    weights = (Path((await library.get(TINY)).root) / "model.safetensors").resolve()
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(Corrupt, match=r"org/tiny.*model\.safetensors"):
        await sync(library, tmp_path / LOCK_NAME, frozen=True)
    await library.verify(repair=True)
    assert (await sync(library, tmp_path / LOCK_NAME, frozen=True)).is_same


async def test_one_model_that_cannot_be_had_does_not_stop_the_others(
    hub: HuggingFaceHub, library: Library, other: Site, tmp_path: Path
) -> None:
    hub.add_repo(TINY, models.mlx())
    hub.add_repo("org/second", models.mlx(seed=2))
    await library.pull(TINY)
    await library.pull("org/second")
    await library.carrying.lock(tmp_path / LOCK_NAME)
    del hub.repositories[TINY]
    async with opened(other) as there:
        report = await sync(there, tmp_path / LOCK_NAME)
        assert report.pulled == ("org/second",)
        assert [name for name, _ in report.failures] == [TINY]
        with pytest.raises(Corrupt, match=TINY):
            await sync(there, tmp_path / LOCK_NAME, frozen=True)


async def test_a_dry_run_only_tells(hub: HuggingFaceHub, library: Library, other: Site, tmp_path: Path) -> None:
    hub.add_repo(TINY, models.mlx())
    await library.pull(TINY)
    await library.carrying.lock(tmp_path / LOCK_NAME)
    async with opened(other) as there:

        async def never(model: LockedModel) -> None:
            raise AssertionError(model.name)

        report = await there.carrying.sync(tmp_path / LOCK_NAME, frozen=True, folder=None, pull=never, dry_run=True)
        assert [model.name for model in report.differences.missing] == [TINY]
        assert await names(there) == []


# Carried by hand


async def test_a_folder_carried_by_hand_serves_while_the_hub_is_down(
    hub: HuggingFaceHub, library: Library, other: Site, tmp_path: Path
) -> None:
    """A memory stick, files under any names: content decides, and no network is asked."""
    hub.add_repo(TINY, models.mlx())
    await library.pull(TINY)
    await library.carrying.lock(tmp_path / LOCK_NAME)
    stick = tmp_path / "stick" / "some folder"
    stick.mkdir(parents=True)
    record = await library.get(TINY)
    for number, file in enumerate(record.files):
        shutil.copyfile(Path(record.root) / file.path, stick / f"file {number}")
    async with opened(other) as there:
        with hub.down():
            report = await sync(there, tmp_path / LOCK_NAME, frozen=True, folder=tmp_path / "stick")
        assert report.copied == (TINY,)
        assert await contents(there) == await contents(library)
        assert [result.ok for result in await there.verify()] == [True]
        hub.forget()
        assert (await there.plan(TINY)).fetch_bytes == 0
        await there.pull(TINY)
        assert hub.bytes_sent("storage") == 0
        assert not other.leftovers()


async def test_what_the_folder_lacks_comes_from_the_source(
    hub: HuggingFaceHub, library: Library, other: Site, tmp_path: Path
) -> None:
    hub.add_repo(TINY, models.mlx())
    hub.add_repo("org/second", models.mlx(seed=2))
    await library.pull(TINY)
    await library.pull("org/second")
    await library.carrying.lock(tmp_path / LOCK_NAME)
    await library.carrying.export([TINY], tmp_path / "carried")
    async with opened(other) as there:
        report = await sync(there, tmp_path / LOCK_NAME, frozen=True, folder=tmp_path / "carried")
        assert (report.copied, report.pulled) == ((TINY,), ("org/second",))


async def test_models_of_every_source_travel_in_a_folder(
    site: Site,
    hub: HuggingFaceHub,
    ollama: OllamaRegistry,
    kaggle: KaggleApi,
    web: FileServer,
    other: Site,
    tmp_path: Path,
) -> None:
    """What arrives verifies, and pulling it again fetches nothing: the content has the names that a pull gives it."""
    site.environment |= {
        "PADDOCK_HUB__OLLAMA_REGISTRY": ollama.url,
        "PADDOCK_HUB__KAGGLE_ENDPOINT": kaggle.url,
    }
    weights = models.gguf(kib=2048)
    hub.add_repo(TINY, models.mlx())
    hub.add_repo("org/quants", models.quantizations("Q4_K_M", "Q8_0"))
    ollama.add_model("tiny:latest", {"model": weights, "template": b"{{ .Prompt }}"})
    kaggle.add_model("o/graph/tfLite/v", {"model.bin": b"graph" * 1000})
    kaggle.add_model("o/packed/transformers/v", {"model.tar.gz": tarred(models.mlx(seed=4))})
    references = [
        TINY,
        "org/quants:Q8_0",
        "ollama://tiny:latest",
        "kaggle://o/graph/tfLite/v",
        "kaggle://o/packed/transformers/v",
        web.add("loose.gguf", models.gguf(seed=6)),
    ]
    async with opened(site) as library:
        for reference in references:
            await library.pull(reference, ALL_THE_SAME)
        here = await contents(library)
        await library.carrying.export((), tmp_path / "carried")
        formats = {model.name: model.format for model in await library.list()}
    async with opened(other) as there:
        imported = await there.carrying.import_folder(tmp_path / "carried")
        assert len(imported) == len(references)
        assert await contents(there) == here
        assert {model.name: model.format for model in await there.list(refresh=True)} == formats
        assert all(result.ok for result in await there.verify())
        for reference in references:
            assert (await there.plan(reference)).fetch_bytes == 0, reference
            assert (await there.pull(reference, ALL_THE_SAME)).name in here
        assert await contents(there) == here
        assert not other.leftovers()


async def test_a_model_that_came_in_a_folder_shares_its_blobs_with_later_pulls(
    site: Site, ollama: OllamaRegistry, other: Site, tmp_path: Path
) -> None:
    site.environment["PADDOCK_HUB__OLLAMA_REGISTRY"] = ollama.url
    weights = models.gguf(kib=64)
    ollama.add_model("tiny:latest", {"model": weights, "template": b"one"})
    ollama.add_model("tiny:chatty", {"model": weights, "template": b"another"})
    async with opened(site) as library:
        await library.pull("ollama://tiny")
        await library.carrying.export((), tmp_path / "carried")
    async with opened(other) as there:
        await there.carrying.import_folder(tmp_path / "carried")
        assert (await there.plan("ollama://tiny:chatty")).here_bytes == len(weights)


async def test_a_carried_model_that_is_damaged_later_is_repaired(
    site: Site, ollama: OllamaRegistry, other: Site, tmp_path: Path
) -> None:
    """The damaged blob must go with the damaged file, else the repair would find it and be content."""
    site.environment["PADDOCK_HUB__OLLAMA_REGISTRY"] = ollama.url
    ollama.add_model("tiny:latest", {"model": models.gguf()})
    async with opened(site) as library:
        await library.pull("ollama://tiny")
        await library.carrying.export((), tmp_path / "carried")
    async with opened(other) as there:
        await there.carrying.import_folder(tmp_path / "carried")
        path = Path((await there.get("tiny")).path)
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
        assert [result.ok for result in await there.verify()] == [False]
        assert [result.ok for result in await there.verify(repair=True)] == [True]
        assert path.read_bytes() == models.gguf()


async def test_a_tampered_byte_is_refused_and_nothing_of_the_model_arrives(
    hub: HuggingFaceHub, library: Library, other: Site, tmp_path: Path
) -> None:
    hub.add_repo(TINY, models.mlx())
    await library.pull(TINY)
    await library.carrying.export((), tmp_path / "carried")
    (weights,) = (tmp_path / "carried").rglob("model.safetensors")
    content = bytearray(weights.read_bytes())
    content[100] ^= 1
    weights.write_bytes(content)
    async with opened(other) as there:
        with pytest.raises(Corrupt, match=r"org/tiny.*model\.safetensors"):
            await there.carrying.import_folder(tmp_path / "carried")
        assert await names(there) == []
        assert not other.hub_cache.exists()


@pytest.mark.parametrize("path", ["../escape", "/etc/escape", "a/../../escape", "a\\\\b", "con\\u0000fig"])
async def test_a_lock_with_a_path_out_of_its_folder_is_refused(
    hub: HuggingFaceHub, library: Library, other: Site, tmp_path: Path, path: str
) -> None:
    hub.add_repo(TINY, models.mlx())
    await library.pull(TINY)
    await library.carrying.export((), tmp_path / "carried")
    lock = tmp_path / "carried" / LOCK_NAME
    lock.write_text(lock.read_text().replace('"config.json"', f'"{path}"'))
    async with opened(other) as there:
        with pytest.raises(PaddockError):
            await there.carrying.import_folder(tmp_path / "carried")
        assert await names(there) == []
    assert not list(tmp_path.rglob("escape*"))


async def test_a_lock_that_lies_about_its_source_is_refused(
    hub: HuggingFaceHub, library: Library, other: Site, tmp_path: Path
) -> None:
    """The source decides where files go and which names they get; a reference of another kind would mix the two."""
    hub.add_repo(TINY, models.mlx())
    await library.pull(TINY)
    await library.carrying.export((), tmp_path / "carried")
    lock = tmp_path / "carried" / LOCK_NAME
    lock.write_text(lock.read_text().replace('source = "huggingface"', 'source = "ollama"'))
    async with opened(other) as there:
        with pytest.raises(InvalidFile, match="ollama"):
            await there.carrying.import_folder(tmp_path / "carried")
        assert await names(there) == []


async def test_an_import_does_not_take_the_name_of_another_model(
    site: Site, web: FileServer, other: Site, tmp_path: Path
) -> None:
    """Somebody's folder must not put other weights under a name that is in use here."""
    async with opened(site) as library:
        await library.pull(web.add("a/model.gguf", models.gguf()))
        await library.carrying.export((), tmp_path / "carried")
    async with opened(other) as there:
        mine = web.add("b/model.gguf", models.gguf(seed=8))
        await there.pull(mine)
        with pytest.raises(UsageError, match="already"):
            await there.carrying.import_folder(tmp_path / "carried")
        assert (await there.get("model")).reference == mine


async def test_settings_of_a_model_survive_its_import(
    hub: HuggingFaceHub, library: Library, other: Site, tmp_path: Path
) -> None:
    """The carried folder brings bytes; pins and the like are this machine's."""
    first = hub.add_repo(TINY, models.mlx()).sha
    async with opened(other) as there:
        await there.pull(TINY)
        await there.pin(TINY, pinned=True)
        hub.commit(TINY, models.mlx(seed=5))
        await library.pull(TINY)
        await library.carrying.export((), tmp_path / "carried")
        await there.carrying.import_folder(tmp_path / "carried")
        record = await there.get(TINY)
        assert record.pinned
        assert record.revision != first
        replaced = await there.get(f"{TINY}@{first}")
        assert (replaced.origin, replaced.pinned) == (Origin.PULLED, False), "ours to clean up, as after a pull"


async def test_only_named_models_are_exported_and_imported(
    hub: HuggingFaceHub, library: Library, other: Site, tmp_path: Path
) -> None:
    hub.add_repo(TINY, models.mlx())
    hub.add_repo("org/second", models.mlx(seed=2))
    await library.pull(TINY)
    await library.pull("org/second")
    plan = await library.carrying.export([TINY], tmp_path / "carried", dry_run=True)
    assert plan.total_bytes == models.total(models.mlx())
    assert not (tmp_path / "carried").exists()
    await library.carrying.export((), tmp_path / "carried")
    async with opened(other) as there:
        assert list(await there.carrying.import_folder(tmp_path / "carried", [TINY], dry_run=True)) == [TINY]
        assert await names(there) == []
        await there.carrying.import_folder(tmp_path / "carried", [TINY])
        assert await names(there) == [TINY]
        with pytest.raises(PaddockError, match="nosuch"):
            await there.carrying.import_folder(tmp_path / "carried", ["nosuch"])


async def test_a_registered_folder_travels_and_stays_out_of_locks(
    library: Library, other: Site, tmp_path: Path
) -> None:
    """Its source is one machine's folder: a lock would ask others for it in vain; a copy can be carried."""
    folder = tmp_path / "mine" / "Own"
    folder.mkdir(parents=True)
    for path, content in models.mlx().items():
        (folder / path).write_bytes(content)
    await library.pull(f"file://{folder}")
    assert (await library.carrying.lock(tmp_path / LOCK_NAME)).models == ()
    await library.carrying.export(["Own"], tmp_path / "carried")
    shutil.rmtree(folder)
    async with opened(other) as there:
        await there.carrying.import_folder(tmp_path / "carried")
        record = await there.get("Own")
        assert (record.origin, record.source) == (Origin.PULLED, SourceKind.LOCAL)
        assert [result.ok for result in await there.verify()] == [True]
        assert (await there.remove("Own")).freed_bytes > 0
