"""Verify reads every byte; repair fetches what is bad and nothing else."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from paddock.errors import Corrupt
from paddock.library.library import Library
from paddock.library.verification import FileCheck, FileOutcome, Verification
from tests.fakes.files import FileServer
from tests.fakes.huggingface import HuggingFaceHub
from tests.library import models
from tests.library.caches import huggingface_repository
from tests.library.rooms import Site

SHARD = "model-00002-of-00003.safetensors"


@pytest.fixture
def files() -> Iterator[FileServer]:
    with FileServer() as server:
        yield server


def flip(path: Path, at: int) -> None:
    """One bit of one byte, as a bad disk would."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def outcomes(result: Verification) -> dict[str, FileOutcome]:
    return {file.path: file.outcome for file in result.files if file.outcome is not FileOutcome.OK}


async def pulled(library: Library, reference: str) -> Path:
    model = await library.pull(reference)
    assert model.path is not None
    return Path(model.path)


async def test_a_flipped_byte_is_found_and_only_its_file_is_fetched_again(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/tiny", models.sharded(kib=512))
    async with site.open() as library:
        folder = await pulled(library, "org/tiny")
        flip(folder / SHARD, -5)
        (found,) = await library.verify(["org/tiny"])
        assert outcomes(found) == {SHARD: FileOutcome.CORRUPT}
        assert not found.ok
        assert "hashes to" in (next(file.problem for file in found.files if file.path == SHARD) or "")
        hub.forget()
        (repaired,) = await library.verify(["org/tiny"], repair=True)
        assert repaired.ok
        assert (await library.get("org/tiny")).verified_at is not None
    size = len(models.sharded(kib=512)[SHARD])
    assert size <= hub.bytes_sent(SHARD) < size + 100_000  # and the header, which a plan reads
    for other in (1, 3):
        assert hub.bytes_sent(f"model-{other:05}-of-00003.safetensors") < 100_000


@pytest.mark.parametrize("what", ["link", "content", "small file"])
async def test_a_missing_file_is_damage_and_not_the_end_of_the_model(
    site: Site, hub: HuggingFaceHub, what: str
) -> None:
    """A model that silently left the list would be pulled whole again."""
    hub.add_repo("org/tiny", models.sharded())
    gone = "tokenizer.json" if what == "small file" else SHARD
    async with site.open() as library:
        folder = await pulled(library, "org/tiny")
        if what == "content":
            (folder / gone).resolve().unlink()
        else:
            (folder / gone).unlink()
        assert [model.name for model in await library.list(refresh=True)] == ["org/tiny"]
        (found,) = await library.verify(["org/tiny"])
        assert outcomes(found) == {gone: FileOutcome.MISSING}
        hub.forget()
        (repaired,) = await library.verify(["org/tiny"], repair=True)
        assert repaired.ok
        assert (folder / gone).read_bytes() == models.sharded()[gone]
    assert hub.bytes_sent("model-00001-of-00003.safetensors") < 10_000


async def test_a_model_that_was_deleted_altogether_leaves_the_list(site: Site, hub: HuggingFaceHub) -> None:
    """Somebody used the hub's own tool to delete it. That is no damage."""
    hub.add_repo("org/tiny", models.sharded())
    async with site.open() as library:
        folder = await pulled(library, "org/tiny")
        for path in folder.glob("*.safetensors"):
            path.unlink()
        assert await library.list(refresh=True) == []


async def test_a_repair_takes_the_revision_that_was_here(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/tiny", models.sharded())
    async with site.open() as library:
        folder = await pulled(library, "org/tiny")
        hub.commit("org/tiny", {SHARD: models.weights("model.layers.2.weight", seed=77)})
        flip(folder / SHARD, -5)
        (repaired,) = await library.verify(["org/tiny"], repair=True)
        assert repaired.ok
        assert (await library.get("org/tiny")).path == str(folder)
        assert (folder / SHARD).read_bytes() == models.sharded()[SHARD]


async def test_our_own_store_is_repaired_the_same_way(site: Site, files: FileServer) -> None:
    content = models.gguf(kib=256)
    url = files.add("models/tiny.gguf", content, etag='"one"')
    async with site.open() as library:
        model = await library.pull(f"{url}#sha256={hashlib.sha256(content).hexdigest()}")
        assert model.path is not None
        path = Path(model.path)
        assert path.is_relative_to(site.store)
        flip(path, -1)
        (found,) = await library.verify([model.name])
        assert outcomes(found) == {path.name: FileOutcome.CORRUPT}
        files.forget()
        (repaired,) = await library.verify([model.name], repair=True)
        assert repaired.ok
        assert path.read_bytes() == content
        assert len(content) <= files.bytes_sent() < len(content) + 200_000


async def test_a_file_without_a_hash_is_checked_by_its_size(site: Site, files: FileServer) -> None:
    url = files.add("models/tiny.gguf", models.gguf())
    async with site.open() as library:
        model = await library.pull(url)
        (result,) = await library.verify([model.name])
        assert result.ok
        assert outcomes(result) == {"tiny.gguf": FileOutcome.SIZE_ONLY}
        assert model.path is not None
        with Path(model.path).open("ab") as file:
            file.write(b"more")
        (result,) = await library.verify([model.name])
    assert outcomes(result) == {"tiny.gguf": FileOutcome.CORRUPT}


async def test_a_source_that_has_other_bytes_now_cannot_repair(site: Site, files: FileServer) -> None:
    """Half of the old file and half of the new one would be worse than damage that is known."""
    url = files.add("models/tiny.gguf", models.gguf(), etag='"one"')
    async with site.open() as library:
        model = await library.pull(url)
        assert model.path is not None
        with Path(model.path).open("ab") as file:
            file.write(b"more")
        files.add("models/tiny.gguf", models.gguf(seed=3, kib=16), etag='"two"')
        with pytest.raises(Corrupt, match="was wanted") as refusal:
            await library.verify([model.name], repair=True)
    assert "replaced" in refusal.value.hint


async def test_what_another_tool_keeps_is_checked_and_not_repaired(site: Site, hub: HuggingFaceHub) -> None:
    folder = huggingface_repository(site.hub_cache, "org/theirs", {**models.mlx(), "notes.txt": b"git would know"})
    flip((folder / "model.safetensors").resolve(), -1)
    async with site.open() as library:
        told: list[tuple[str, FileCheck]] = []
        (found,) = await library.verify(
            ["org/theirs"], repair=True, on_file=lambda name, check: told.append((name, check))
        )
    assert not found.repairable
    assert "model.safetensors" in found.bad_files
    assert {name for name, _ in told} == {"org/theirs"}
    assert [check for _, check in told] == list(found.files)
    assert hub.requests() == []


async def test_all_models_are_verified_when_none_is_named(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/one", models.mlx(seed=1))
    hub.add_repo("org/two", models.mlx(seed=2))
    async with site.open() as library:
        await library.pull("org/one")
        await library.pull("org/two")
        site.clock.advance(10)
        assert [(one.name, one.ok) for one in await library.verify()] == [("org/one", True), ("org/two", True)]
        assert (await library.get("org/two")).verified_at == site.clock.now()


async def test_verify_stops_when_its_asker_goes(site: Site, hub: HuggingFaceHub) -> None:
    """Ctrl-C must not wait until 200 GB are read."""
    hub.add_repo("org/many", models.sharded(shards=40))
    async with site.open() as library:
        await library.pull("org/many")
        seen: list[str] = []
        loop = asyncio.get_running_loop()

        def on_file(name: str, check: FileCheck) -> None:
            seen.append(check.path)
            loop.call_soon_threadsafe(waiting.cancel)
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0.01), loop).result()

        waiting = asyncio.create_task(library.verify(["org/many"], on_file=on_file))
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(0.05)
    assert len(seen) < 10
