"""The Hugging Face cache is shared: what the hub's own library fetched is ours at once, and what we pull is its."""

import asyncio
from pathlib import Path

import pytest
from huggingface_hub import scan_cache_dir, snapshot_download, try_to_load_from_cache

from paddock.vocabulary import ModelStatus, Origin
from tests.fakes.huggingface import HuggingFaceHub
from tests.library import models
from tests.library.rooms import Site


def fetched_by_the_library(site: Site, name: str, **options: object) -> Path:
    """The real `snapshot_download`, into this machine's cache."""
    arguments = {"cache_dir": site.hub_cache, "endpoint": site.hub.url, "token": False, **options}
    return Path(snapshot_download(name, **arguments))  # type: ignore[arg-type]


async def test_what_the_library_fetched_is_listed_without_a_second_copy(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/tiny", models.sharded())
    folder = await asyncio.to_thread(fetched_by_the_library, site, "org/tiny")
    hub.forget()
    async with site.open() as library:
        (model,) = await library.list()
        assert (model.name, model.origin, model.path) == ("org/tiny", Origin.ADOPTED, str(folder))
        assert model.size == models.total(models.sharded())
        assert model.revision == hub.repositories["org/tiny"].sha
        assert hub.requests() == []
        assert (await library.verify())[0].ok
        plan = await library.plan("org/tiny")
        assert plan.fetch_bytes == 0
        assert await library.status("org/tiny") is ModelStatus.AVAILABLE


async def test_what_we_pulled_the_library_finds_offline(site: Site, hub: HuggingFaceHub) -> None:
    """Transformers, mlx-lm, vLLM and the rest ask the library; they must not fetch it a second time."""
    hub.add_repo("org/tiny", models.sharded())
    async with site.open() as library:
        model = await library.pull("org/tiny")
    hub.forget()
    found = await asyncio.to_thread(fetched_by_the_library, site, "org/tiny", local_files_only=True)
    assert str(found) == model.path
    cached = try_to_load_from_cache("org/tiny", "config.json", cache_dir=site.hub_cache)
    assert cached == str(found / "config.json")
    online = await asyncio.to_thread(fetched_by_the_library, site, "org/tiny")
    assert online == found
    assert hub.bytes_sent("*.safetensors") == 0
    info = scan_cache_dir(site.hub_cache)
    assert info.warnings == []
    assert info.size_on_disk == models.total(models.sharded())


async def test_pulling_an_adopted_model_makes_it_ours_and_moves_nothing(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/tiny", models.mlx(kib=512))
    await asyncio.to_thread(fetched_by_the_library, site, "org/tiny")
    async with site.open() as library:
        assert (await library.get("org/tiny")).origin is Origin.ADOPTED
        hub.forget()
        model = await library.pull("org/tiny")
        assert model.origin is Origin.PULLED
        assert hub.bytes_sent("*.safetensors") < 100_000
        await library.remove("org/tiny")
    assert scan_cache_dir(site.hub_cache).repos == frozenset()


async def test_a_pull_completes_what_the_library_began(site: Site, hub: HuggingFaceHub) -> None:
    """It fetched only the configuration; the pull adds the weights to the same revision."""
    hub.add_repo("org/tiny", models.mlx(kib=64))
    folder = await asyncio.to_thread(fetched_by_the_library, site, "org/tiny", allow_patterns=["*.json"])
    async with site.open() as library:
        assert await library.list() == []
        plan = await library.plan("org/tiny")
        assert {file.path for file in plan.files if file.here} == {
            *("config.json", "tokenizer.json", "tokenizer_config.json")
        }
        model = await library.pull("org/tiny")
        assert model.path == str(folder)
        assert (await library.verify())[0].ok


@pytest.mark.parametrize("by", ["us", "the library"])
async def test_what_the_librarys_own_plan_deletes_is_gone_from_the_list(
    site: Site, hub: HuggingFaceHub, by: str
) -> None:
    hub.add_repo("org/tiny", models.mlx())
    async with site.open() as library:
        if by == "us":
            await library.pull("org/tiny")
        else:
            await asyncio.to_thread(fetched_by_the_library, site, "org/tiny")
        assert len(await library.list()) == 1
        scan_cache_dir(site.hub_cache).delete_revisions(hub.repositories["org/tiny"].sha).execute()
        assert len(await library.list()) == 1  # for a minute
        site.clock.advance(60)
        assert await library.list() == []
        assert await library.status("org/tiny") is ModelStatus.NOT_FOUND
