"""Removing takes off the disk what is ours, never more, and says what it did."""

import hashlib
import json
from pathlib import Path

import pytest

from paddock.errors import InUse, ModelNotFound, UsageError
from paddock.library.pulling.plan import PullOptions
from paddock.library.removal import RemovalKind
from paddock.vocabulary import Origin
from tests.fakes.faults import Slow
from tests.fakes.files import FileServer
from tests.fakes.huggingface import HuggingFaceHub
from tests.library import models
from tests.library.caches import huggingface_repository, ollama_model
from tests.library.rooms import Site


async def test_a_pulled_model_goes_from_disk_and_list(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/tiny", models.mlx())
    size = models.total(models.mlx())
    async with site.open() as library:
        model = await library.pull("org/tiny")
        await library.copy("org/tiny", "mine")
        told = await library.remove("org/tiny", dry_run=True)
        assert model.path is not None
        assert Path(model.path).is_dir()
        removed = await library.remove("org/tiny")
        assert removed == told
        assert (removed.name, removed.kind, removed.freed_bytes) == ("org/tiny", RemovalKind.DELETED, size)
        assert await library.list() == []
        with pytest.raises(ModelNotFound):
            await library.get("mine")
    assert not Path(model.path).exists()
    assert list(site.hub_cache.rglob("blobs/*")) == []


async def test_a_model_with_a_name_of_ones_own_goes_too(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/tiny", models.mlx())
    async with site.open() as library:
        await library.pull("org/tiny", PullOptions(name="helper"))
        assert [model.name for model in await library.list()] == ["helper"]
        removed = await library.remove("helper")
        assert removed.freed_bytes == models.total(models.mlx())
        assert await library.list() == []


async def test_who_uses_a_model_is_named_and_nothing_is_deleted(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/tiny", models.mlx())
    async with site.open() as library:
        await library.pull("org/tiny")
        site.users["org/tiny"] = ["2 chats", "a benchmark"]
        with pytest.raises(InUse, match="2 chats, a benchmark") as refusal:
            await library.remove("tiny")
        assert refusal.value.exit_code == 6
        assert "unload" in refusal.value.hint
        assert (await library.verify(["org/tiny"]))[0].ok


async def test_a_model_that_is_being_pulled_again_is_in_use(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/tiny", models.mlx())
    async with site.open() as library:
        await library.pull("org/tiny")
        hub.commit("org/tiny", {"model.safetensors": models.weights(kib=4096, seed=5)})
        hub.fail("model.safetensors", Slow(1 << 20), times=None, at="storage", skip=1)
        job_id = await library.start_pull("org/tiny")
        assert job_id is not None
        with pytest.raises(InUse, match="a running pull"):
            await library.remove("org/tiny")


async def test_removing_one_quantization_leaves_the_other_whole(site: Site, hub: HuggingFaceHub) -> None:
    """They share a repository, a revision, a card and a projector."""
    files = models.quantizations("Q4_K_M", "Q8_0", projector=True)
    hub.add_repo("org/tiny", files)
    async with site.open() as library:
        await library.pull("org/tiny:Q4_K_M")
        await library.pull("org/tiny:Q8_0")
        told = await library.remove("org/tiny:Q4_K_M", dry_run=True)
        removed = await library.remove("org/tiny:Q4_K_M")
        shared = len(files["mmproj-F16.gguf"]) + len(files["README.md"])
        assert removed == told
        assert removed.freed_bytes == len(files["Tiny-Q4_K_M.gguf"])
        assert removed.kept_bytes == shared
        assert [model.name for model in await library.list()] == ["org/tiny:Q8_0"]
        (left,) = await library.verify(["org/tiny:Q8_0"])
        assert left.ok
        assert {file.path for file in left.files} == {"Tiny-Q8_0.gguf", "mmproj-F16.gguf", "README.md"}
        last = await library.remove("org/tiny:Q8_0")
        assert last.freed_bytes == len(files["Tiny-Q8_0.gguf"]) + shared
    assert list(site.hub_cache.rglob("blobs/*")) == []


async def test_revisions_that_share_content_are_removed_one_at_a_time(site: Site, hub: HuggingFaceHub) -> None:
    """A new card does not make new weights: both revisions lead to one blob, which stays with the other."""
    hub.add_repo("org/tiny", models.mlx())
    old = hub.repositories["org/tiny"].sha
    async with site.open() as library:
        await library.pull(f"org/tiny@{old}", PullOptions(name="old"))
        hub.commit("org/tiny", {"README.md": b"# A better card\n"})
        await library.pull("org/tiny")
        assert {model.name: model.origin for model in await library.list()} == {
            "old": Origin.PULLED,
            "org/tiny": Origin.PULLED,
        }
        removed = await library.remove("old")
        assert removed.freed_bytes == len(models.mlx()["README.md"])
        (left,) = await library.verify(["org/tiny"])
        assert left.ok
        assert (await library.remove("org/tiny")).freed_bytes > 8192
    assert list(site.hub_cache.rglob("blobs/*")) == []


async def test_a_revision_that_was_replaced_stays_ours_to_remove(site: Site, hub: HuggingFaceHub) -> None:
    """After an update the old bytes are still on the disk: they are listed, and go without asking another tool."""
    hub.add_repo("org/tiny", models.mlx())
    async with site.open() as library:
        await library.pull("org/tiny", PullOptions(pin=True))
        old = hub.repositories["org/tiny"].sha
        hub.commit("org/tiny", {"model.safetensors": models.weights(seed=9)})
        await library.pull("org/tiny")
        listed = {model.name: (model.origin, model.pinned) for model in await library.list()}
        assert listed == {"org/tiny": (Origin.PULLED, True), f"org/tiny@{old}": (Origin.PULLED, False)}
        assert [result.ok for result in await library.verify()] == [True, True]
        removed = await library.remove(f"org/tiny@{old}")
        assert removed.freed_bytes == len(models.mlx()["model.safetensors"])
        assert [model.name for model in await library.list(refresh=True)] == ["org/tiny"]
        assert (await library.verify())[0].ok


async def test_revisions_in_our_own_store_go_with_their_model(site: Site) -> None:
    with FileServer() as server:
        url = server.add("tiny.gguf", models.gguf(), etag='"one"')
        async with site.open() as library:
            await library.pull(url)
            server.add("tiny.gguf", models.gguf(seed=1, kib=16), etag='"two"')
            model = await library.pull(url)
            assert model.size == len(models.gguf(seed=1, kib=16))
            assert [one.name for one in await library.list()] == ["tiny"]
            removed = await library.remove("tiny")
            assert removed.freed_bytes >= len(models.gguf()) + len(models.gguf(kib=16))
            assert await library.list() == []
    assert list(site.store.rglob("*.gguf")) == []


async def test_folders_behind_links_are_the_same_folders(site: Site, hub: HuggingFaceHub) -> None:
    """Caches live on a second disk, behind a link; `/tmp` is one on macOS. Nothing is listed twice, all can be removed."""
    for name in ("huggingface", "paddock"):
        (site.folder / "big disk" / name).mkdir(parents=True)
        (site.folder / name).symlink_to(site.folder / "big disk" / name)
    hub.add_repo("org/tiny", models.quantizations("Q4_K_M"))
    hub.add_repo("org/other", models.mlx())
    huggingface_repository(site.hub_cache, "org/theirs", models.mlx())
    content = models.gguf()
    with FileServer() as server:
        url = server.add("mine.gguf", content) + f"#sha256={hashlib.sha256(content).hexdigest()}"
        async with site.open() as library:
            await library.pull("org/tiny:Q4_K_M", PullOptions(name="helper"))
            await library.pull("org/other", PullOptions(name="chat"))
            model = await library.pull(url)
            assert [one.name for one in await library.list()] == ["chat", "helper", "mine", "org/theirs"]
            assert model.path is not None
            Path(model.path).write_bytes(content[:-1] + b"?")
            assert (await library.verify(["mine"], repair=True))[0].ok
            for name in ("chat", "helper", "mine", "org/theirs"):
                await library.remove(name, adopted=True)
            assert await library.list() == []


async def test_what_another_tool_keeps_goes_only_when_that_is_said(site: Site) -> None:
    folder = huggingface_repository(site.hub_cache, "org/theirs", models.mlx())
    async with site.open() as library:
        with pytest.raises(UsageError, match="another tool") as refusal:
            await library.remove("org/theirs")
        assert "--adopted" in refusal.value.hint
        assert folder.is_dir()
        removed = await library.remove("org/theirs", adopted=True)
        assert removed.freed_bytes == models.total(models.mlx())
        assert await library.list() == []
    assert not folder.exists()


async def test_a_store_that_we_do_not_understand_is_left_alone(site: Site) -> None:
    """Ollama counts its blobs by its own rules; deleting below its feet would break other models of it."""
    ollama_model(site.folder / "ollama", "library/tiny/latest", {"model": models.gguf()})
    async with site.open() as library:
        (model,) = await library.list()
        with pytest.raises(UsageError, match="deletes nothing"):
            await library.remove(model.name, adopted=True)
        assert [one.name for one in await library.list()] == [model.name]


async def test_a_registered_folder_is_only_forgotten(site: Site) -> None:
    folder = site.folder / "my model"
    folder.mkdir()
    for name, content in models.mlx().items():
        (folder / name).write_bytes(content)
    async with site.open() as library:
        model = await library.pull(folder.as_uri())
        assert (model.origin, model.path) == (Origin.REGISTERED, str(folder))
        removed = await library.remove(model.name)
        assert (removed.kind, removed.freed_bytes) == (RemovalKind.FORGOTTEN, 0)
        assert await library.list() == []
    assert (folder / "model.safetensors").read_bytes() == models.mlx()["model.safetensors"]


async def test_a_registered_folder_whose_disk_is_away_waits(site: Site) -> None:
    """External disks are unplugged. The record, with what was set on it, comes back with the disk."""
    folder = site.folder / "external" / "model"
    folder.mkdir(parents=True)
    for name, content in models.mlx().items():
        (folder / name).write_bytes(content)
    async with site.open() as library:
        model = await library.pull(folder.as_uri(), PullOptions(name="mine"))
        await library.pin("mine", pinned=True)
        folder.parent.rename(site.folder / "away")
        assert await library.list(refresh=True) == []
        (site.folder / "away").rename(folder.parent)
        (back,) = await library.list(refresh=True)
    assert (back.name, back.pinned, back.path) == ("mine", True, model.path)


async def test_a_built_in_model_stays(site: Site) -> None:
    bundle = site.builtin_models
    model = bundle / "colt"
    model.mkdir()
    entries: list[str] = []
    for name, content in models.mlx().items():
        (model / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        entries.append(f"  {{ path = {json.dumps(name)}, size = {len(content)}, sha256 = {json.dumps(digest)} }},")
    (bundle / "bundle.toml").write_text(
        'version = 1\nname = "builtin"\ndescription = "One"\n\n[[model]]\nname = "colt"\npath = "colt"\n'
        'description = "Small"\nfiles = [\n' + "\n".join(entries) + "\n]\n"
    )
    async with site.open() as library:
        (one,) = await library.list()
        assert (one.name, one.origin) == ("colt", Origin.BUILTIN)
        assert (await library.pull("colt")).name == (await library.pull("builtin://colt")).name == "colt"
        with pytest.raises(UsageError, match="part of Paddock"):
            await library.remove("colt", adopted=True)
        with pytest.raises(ModelNotFound):
            await library.pull("builtin://clot")
    assert (model / "model.safetensors").is_file()
