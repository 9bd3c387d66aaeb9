"""What people type is not always the whole name; what they get is never another model than they meant."""

from pathlib import Path

import msgspec
import pytest

from paddock.errors import InvalidReference, ModelNotFound, UsageError
from paddock.library.library import Library
from paddock.library.naming import near_names, resolve_name
from paddock.library.pulling.plan import Plan, PullOptions
from paddock.library.removal import RemovalKind
from paddock.vocabulary import ModelInfo, ModelStatus, Origin, SourceKind
from tests.fakes.huggingface import HuggingFaceHub
from tests.library import models
from tests.library.rooms import Site


def folder_of(site: Site, name: str) -> Path:
    folder = site.folder / name
    folder.mkdir(parents=True)
    for path, content in models.mlx().items():
        (folder / path).write_bytes(content)
    return folder


# Short names


@pytest.mark.parametrize("typed", ["org/Tiny-4bit", "org/tiny-4BIT", "Tiny-4bit", "tiny-4bit", "mine"])
async def test_a_model_answers_to_every_unambiguous_name(site: Site, hub: HuggingFaceHub, typed: str) -> None:
    hub.add_repo("org/Tiny-4bit", models.mlx())
    async with site.open() as library:
        await library.pull("org/Tiny-4bit")
        await library.copy("org/Tiny-4bit", "mine")
        assert (await library.get(typed)).name == "org/Tiny-4bit"
        assert (await library.show(typed)).info.aliases == ("mine",)
        assert await library.status(typed) is ModelStatus.AVAILABLE


@pytest.mark.parametrize("typed", ["org/Tiny-4bit", "tiny-4bit", "mine"])
async def test_plan_and_pull_know_what_a_short_name_means(site: Site, hub: HuggingFaceHub, typed: str) -> None:
    hub.add_repo("org/Tiny-4bit", models.mlx())
    async with site.open() as library:
        await library.pull("org/Tiny-4bit")
        await library.copy("org/Tiny-4bit", "mine")
        assert (await library.plan(typed)).fetch_bytes == 0
        assert (await library.pull(typed)).name == "org/Tiny-4bit"


async def test_a_short_name_that_fits_two_models_is_refused_with_both(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/tiny", models.mlx())
    hub.add_repo("other/tiny", models.mlx(seed=1))
    async with site.open() as library:
        await library.pull("org/tiny")
        await library.pull("other/tiny")
        for call in (library.get, library.show, library.remove, library.plan):
            with pytest.raises(UsageError, match="`org/tiny` or `other/tiny`"):
                await call("tiny")
        assert len(await library.list()) == 2


async def test_a_quantization_is_found_without_its_organisation(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/Tiny-GGUF", models.quantizations("Q4_K_M", "Q8_0"))
    async with site.open() as library:
        await library.pull("org/Tiny-GGUF:Q8_0")
        assert (await library.get("tiny-gguf")).name == "org/Tiny-GGUF:Q8_0"
        await library.pull("org/Tiny-GGUF:Q4_K_M")
        assert (await library.get("tiny-gguf:q4_k_m")).name == "org/Tiny-GGUF:Q4_K_M"
        with pytest.raises(UsageError):
            await library.get("tiny-gguf")


async def test_a_name_that_is_nearly_right_is_offered(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/Qwen3-8B-4bit", models.mlx())
    async with site.open() as library:
        await library.pull("org/Qwen3-8B-4bit")
        for call in (library.get, library.show, library.plan, library.pull, library.remove):
            with pytest.raises(ModelNotFound, match="qwen3-8b-4bt") as refusal:
                await call("qwen3-8b-4bt")
            assert refusal.value.hint == "Did you mean `org/Qwen3-8B-4bit`?"
            assert refusal.value.exit_code == 4


async def test_a_name_that_is_nowhere_says_how_names_look(site: Site) -> None:
    async with site.open() as library:
        with pytest.raises(ModelNotFound) as bare:
            await library.plan("nothing")
        with pytest.raises(ModelNotFound) as full:
            await library.get("org/nothing")
        with pytest.raises(InvalidReference):
            await library.plan("../nothing")
    assert "ollama://nothing" in bare.value.hint
    assert "paddock search nothing" in full.value.hint


def test_near_names_are_near() -> None:
    known = ["org/Qwen3-8B-4bit", "org/gemma-3-4b", "llama3.2:latest"]
    assert near_names("gema-3-4b", known) == ["org/gemma-3-4b"]
    assert near_names("completely different", known) == []


def test_an_alias_that_leads_nowhere_is_no_model() -> None:
    assert resolve_name("old", ["org/tiny"], {"old": "org/gone"}) == "org/gone"
    assert resolve_name("none", ["org/tiny"], {}) is None


# Aliases


async def test_an_alias_must_be_free_and_short(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/tiny", models.mlx())
    hub.add_repo("org/other", models.mlx(seed=1))
    async with site.open() as library:
        await library.pull("org/tiny")
        await library.pull("org/other", PullOptions(name="taken"))
        with pytest.raises(UsageError, match="already"):
            await library.copy("org/tiny", "taken")
        with pytest.raises(UsageError, match="short name"):
            await library.copy("org/tiny", "org/elsewhere")
        with pytest.raises(ModelNotFound):
            await library.copy("nothing", "free")
        await library.copy("org/tiny", "mine")
        await library.copy("taken", "mine")
        assert (await library.get("mine")).name == "taken"


# Names of one's own


async def test_a_repository_that_moved_keeps_working_under_both_names(site: Site, hub: HuggingFaceHub) -> None:
    """The hub redirects; the library calls the model by its new name, wherever it was asked for by the old one."""
    hub.add_repo("old/tiny", models.mlx())
    hub.rename("old/tiny", "new/tiny")
    async with site.open() as library:
        model = await library.pull("old/tiny")
        assert model.name == "new/tiny"
        plan = await library.plan("old/tiny")
        assert (plan.name, plan.fetch_bytes) == ("new/tiny", 0)
        assert (await library.pull("old/tiny")).name == "new/tiny"
        assert [one.name for one in await library.list()] == ["new/tiny"]
        await library.remove("new/tiny")
    assert list(site.hub_cache.rglob("blobs/*")) == []


async def test_another_model_under_a_name_that_is_taken_is_refused(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/tiny", models.mlx())
    hub.add_repo("org/other", models.mlx(seed=1))
    async with site.open() as library:
        await library.pull("org/tiny", PullOptions(name="mine"))
        with pytest.raises(UsageError, match="`mine` already"):
            await library.pull("org/other", PullOptions(name="mine"))
        assert (await library.verify(["mine"]))[0].ok


async def test_a_local_folder_is_registered_where_it_lies(site: Site) -> None:
    folder = folder_of(site, "my models/Tiny (copy)")
    async with site.open() as library:
        model = await library.pull(folder.as_uri(), PullOptions(name="mine", pin=True))
        assert (model.name, model.origin, model.source) == ("mine", Origin.REGISTERED, SourceKind.LOCAL)
        assert (model.path, model.pinned, model.size) == (str(folder), True, models.total(models.mlx()))
        assert [one.name for one in await library.list()] == ["mine"]
        assert (await library.get(folder.as_uri())).name == "mine"
        assert await library.start_pull(folder.as_uri(), PullOptions(name="mine")) is None
    async with site.open() as later:
        assert [one.name for one in await later.list()] == ["mine"]


async def test_a_registered_file_that_changed_is_read_again(site: Site) -> None:
    file = site.folder / "mine.gguf"
    file.write_bytes(models.gguf(kib=8))
    async with site.open() as library:
        before = await library.pull(file.as_uri())
        file.write_bytes(models.gguf(kib=16))
        after = await library.pull(file.as_uri())
    assert before.path == after.path == str(file)
    assert (before.size, after.size) == (len(models.gguf(kib=8)), len(models.gguf(kib=16)))


async def test_a_local_folder_that_is_not_there_is_named(library: Library) -> None:
    with pytest.raises(ModelNotFound, match="/nowhere/model"):
        await library.pull("file:///nowhere/model")


# Plain data


async def test_what_the_library_answers_is_plain_data(site: Site, hub: HuggingFaceHub) -> None:
    """`--json`, the API and the dashboard show these fields; what is written can be read back to the same value."""
    hub.add_repo("org/tiny", models.mlx(), license="mit", gated=False)
    async with site.open() as library:
        plan = await library.plan("org/tiny")
        model = await library.pull("org/tiny")
        details = await library.show("org/tiny")
    assert msgspec.json.decode(msgspec.json.encode(model), type=ModelInfo) == model
    assert msgspec.convert(msgspec.to_builtins(model), ModelInfo) == model
    assert msgspec.convert(msgspec.to_builtins(plan, enc_hook=dict), Plan) == plan
    assert msgspec.json.decode(msgspec.json.encode(plan, enc_hook=dict), type=Plan) == plan
    shown = msgspec.to_builtins(model)
    assert shown["capabilities"] == {
        "text": True,
        "vision": False,
        "embeddings": False,
        "tools": False,
        "streaming": True,
        "thinking": False,
    }
    assert shown["modified_at"].endswith(("Z", "+00:00"))
    assert msgspec.to_builtins(details, enc_hook=dict)["info"] == shown


async def test_removing_a_second_name_leaves_the_model(site: Site, hub: HuggingFaceHub) -> None:
    """Who removes a name that they gave does not expect gigabytes to go."""
    hub.add_repo("org/tiny", models.mlx())
    async with site.open() as library:
        await library.pull("org/tiny")
        await library.copy("org/tiny", "small")
        removed = await library.remove("small")
        assert (removed.name, removed.kind, removed.freed_bytes) == ("small", RemovalKind.FORGOTTEN, 0)
        assert [(model.name, model.aliases) for model in await library.list()] == [("org/tiny", ())]


async def test_a_plan_for_what_stays_where_it_is_fetches_nothing(site: Site, tmp_path: Path) -> None:
    """A registered folder is not copied, so its plan must not ask for room."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, content in models.mlx().items():
        (folder / name).write_bytes(content)
    async with site.open() as library:
        plan = await library.plan(f"file://{folder}")
        assert (plan.fetch_bytes, plan.here_bytes) == (0, plan.total_bytes)
