"""Every source through the whole library: found, pulled, listed, checked, removed, and pulled again."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import AsyncGenerator, Generator, Mapping
from pathlib import Path

import pytest

from paddock.errors import AccessDenied, Corrupt, ModelNotFound, PaddockError, UsageError
from paddock.hub.reference import parse_reference
from paddock.library.handbook import RegistryEntry, packaged_entries
from paddock.library.library import Library
from paddock.library.pulling.plan import PullOptions
from paddock.library.removal import RemovalKind
from paddock.vocabulary import Confidence, ModelFormat, Origin, SourceKind, Verdict
from tests.catalog.building import BUILT_IN_MODELS
from tests.fakes.content import Generated
from tests.fakes.faults import Corrupt as Damage
from tests.fakes.faults import Status
from tests.fakes.files import FileServer
from tests.fakes.huggingface import HuggingFaceHub
from tests.fakes.kaggle import KaggleApi
from tests.fakes.ollama import OllamaRegistry
from tests.library import models
from tests.library.caches import ollama_model
from tests.library.rooms import Site

GEMMA = "google/gemma/tfLite/2b"
ALL_THE_SAME = PullOptions(skip_check=True)


@pytest.fixture
def ollama(site: Site) -> Generator[OllamaRegistry]:
    with OllamaRegistry() as registry:
        site.environment["PADDOCK_HUB__OLLAMA_REGISTRY"] = registry.url
        yield registry


@pytest.fixture
def kaggle(site: Site) -> Generator[KaggleApi]:
    with KaggleApi() as api:
        api.add_token("secret", consented=[GEMMA])
        site.environment |= {"PADDOCK_HUB__KAGGLE_ENDPOINT": api.url, "KAGGLE_API_TOKEN": "secret"}
        yield api


@pytest.fixture
def web() -> Generator[FileServer]:
    with FileServer() as server:
        yield server


@pytest.fixture
async def library(site: Site, request: pytest.FixtureRequest) -> AsyncGenerator[Library]:
    """Opened after the servers that the test names are known to the site."""
    for name in ("ollama", "kaggle"):
        if name in request.fixturenames:
            request.getfixturevalue(name)
    async with site.open() as library:
        yield library


async def names(library: Library) -> list[str]:
    return [model.name for model in await library.list()]


def below(folder: Path) -> set[str]:
    """Every file under `folder`, whatever it is."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() or path.is_symlink()}


def zipped(files: Mapping[str, bytes]) -> bytes:
    room = io.BytesIO()
    with zipfile.ZipFile(room, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return room.getvalue()


def tarred(files: Mapping[str, bytes]) -> bytes:
    room = io.BytesIO()
    with tarfile.open(fileobj=room, mode="w:gz") as archive:
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return room.getvalue()


# Ollama

WEIGHTS = models.gguf(kib=64)


def add_tags(ollama: OllamaRegistry) -> None:
    ollama.add_model("tiny:latest", {"model": WEIGHTS, "template": b"{{ .Prompt }}", "license": b"MIT"})
    ollama.add_model("tiny:chatty", {"model": WEIGHTS, "template": b"Chat: {{ .Prompt }}"})


async def test_an_ollama_model_comes_goes_and_comes_again(ollama: OllamaRegistry, library: Library) -> None:
    add_tags(ollama)
    pulled = await library.pull("ollama://tiny")
    assert (pulled.name, pulled.source, pulled.format) == ("tiny:latest", SourceKind.OLLAMA, ModelFormat.GGUF)
    details = await library.show("tiny")
    assert details.compatibility.confidence is Confidence.HIGH
    assert pulled.path is not None
    assert Path(pulled.path).read_bytes() == WEIGHTS
    (checked,) = await library.verify(["tiny"])
    assert checked.ok
    removed = await library.remove("tiny")
    assert removed.kind is RemovalKind.DELETED
    assert len(WEIGHTS) < removed.freed_bytes < len(WEIGHTS) + 1024, "weights, texts and a manifest"
    assert await names(library) == []
    assert (await library.pull("ollama://tiny:latest")).name == "tiny:latest"


async def test_two_tags_that_share_a_blob_fetch_it_once(ollama: OllamaRegistry, library: Library) -> None:
    """Variants of one Ollama model differ in a template: gigabytes must not come twice."""
    weights = models.gguf(kib=4096)
    ollama.add_model("tiny:latest", {"model": weights, "template": b"one"})
    ollama.add_model("tiny:chatty", {"model": weights, "template": b"another"})
    await library.pull("ollama://tiny")
    sent = ollama.bytes_sent()
    plan = await library.plan("ollama://tiny:chatty")
    assert plan.here_bytes == len(weights)
    await library.pull("ollama://tiny:chatty")
    assert ollama.bytes_sent() - sent < len(weights), "headers only"
    assert [result.ok for result in await library.verify()] == [True, True]


async def test_removing_one_of_two_tags_leaves_the_other_whole(ollama: OllamaRegistry, library: Library) -> None:
    add_tags(ollama)
    await library.pull("ollama://tiny")
    await library.pull("ollama://tiny:chatty")
    removed = await library.remove("tiny:latest")
    assert removed.freed_bytes < len(WEIGHTS), "what the other tag needs was not counted"
    assert await names(library) == ["tiny:chatty"]
    assert [result.ok for result in await library.verify()] == [True]
    assert (await library.remove("tiny:chatty")).freed_bytes > len(WEIGHTS)


async def test_a_model_that_ollama_keeps_is_judged_by_its_weights(site: Site) -> None:
    """Ollama names every blob by its digest: a template must not be read as if it were the model."""
    ollama_model(
        site.folder / "ollama",
        "library/tiny/latest",
        {"model": WEIGHTS, "template": b"{{ .Prompt }}", "license": b"MIT", "params": b"{}"},
    )
    async with site.open() as library:
        (model,) = await library.list()
        details = await library.show(model.name)
    assert (model.origin, model.format) == (Origin.ADOPTED, ModelFormat.GGUF)
    assert details.compatibility.confidence is Confidence.HIGH
    assert details.notes == ()


async def test_a_tag_that_moved_is_fetched_anew_and_listed_once(ollama: OllamaRegistry, library: Library) -> None:
    add_tags(ollama)
    before = await library.pull("ollama://tiny")
    ollama.add_model("tiny:latest", {"model": models.gguf(kib=64, seed=5), "template": b"new"})
    library.clear_cache()
    after = await library.pull("ollama://tiny")
    assert after.revision != before.revision
    assert await names(library) == ["tiny:latest"]
    assert [result.ok for result in await library.verify()] == [True]
    await library.remove("tiny")
    assert [model.name for model in await library.list(refresh=True)] == [], "the older one does not come back"


async def test_a_blob_that_lies_about_its_digest_is_never_listed(
    ollama: OllamaRegistry, library: Library, site: Site
) -> None:
    add_tags(ollama)
    ollama.fail("*", Damage(at=20_000), at="storage", times=None)
    with pytest.raises(PaddockError):
        await library.pull("ollama://tiny")
    assert await names(library) == []
    assert not (site.store / "models").exists()


# Kaggle


async def test_gemma_for_tensorflow_lite_is_taken_although_its_files_end_in_bin(
    kaggle: KaggleApi, library: Library
) -> None:
    """Kaggle's own address says that it is TensorFlow Lite: no pickle, and said so before and after the pull."""
    weights = Generated(200_000, seed=4)
    kaggle.add_model(GEMMA, {"gemma-2b.bin": weights}, needs_consent=True)
    plan = await library.plan(f"kaggle://{GEMMA}")
    assert plan.format is ModelFormat.TFLITE
    assert "TensorFlow Lite" in " ".join(plan.compatibility.reasons)
    pulled = await library.pull(f"kaggle://{GEMMA}", ALL_THE_SAME)
    assert (pulled.name, pulled.format, pulled.license) == (f"kaggle://{GEMMA}", ModelFormat.TFLITE, "Apache 2.0")
    assert pulled.path is not None
    assert (Path(pulled.path) / "gemma-2b.bin").read_bytes() == weights.read()
    details = await library.show(pulled.name)
    assert details.compatibility.verdict is Verdict.INCOMPATIBLE
    assert "TensorFlow Lite" in " ".join(details.compatibility.reasons)
    assert [result.ok for result in await library.verify()] == [True]
    sent = kaggle.bytes_sent("gemma-2b.bin")
    await library.pull(f"kaggle://{GEMMA}", ALL_THE_SAME)
    assert kaggle.bytes_sent("gemma-2b.bin") - sent <= 1, "what is here is not fetched again"
    await library.remove(pulled.name)
    assert await names(library) == []


async def test_pickles_of_another_framework_are_still_refused(kaggle: KaggleApi, library: Library) -> None:
    kaggle.add_model("o/m/pyTorch/v", {"model.bin": b"pickle"})
    with pytest.raises(PaddockError, match="pickles"):
        await library.pull("kaggle://o/m/pyTorch/v", ALL_THE_SAME)


async def test_terms_that_were_not_accepted_name_the_page(kaggle: KaggleApi, library: Library) -> None:
    kaggle.add_model("o/closed/tfLite/v", {"model.bin": b"graph"}, needs_consent=True)
    with pytest.raises(AccessDenied) as refused:
        await library.pull("kaggle://o/closed/tfLite/v", ALL_THE_SAME)
    assert "kaggle.com/models/o/closed" in refused.value.hint


async def test_a_kaggle_archive_is_unpacked_checked_and_removed_without_rest(
    kaggle: KaggleApi, library: Library, site: Site
) -> None:
    """The archive itself goes: keeping both would take the room twice. The members' hashes are noted."""
    files = models.mlx()
    kaggle.add_model("o/packed/transformers/v", {"model.tar.gz": tarred(files)})
    pulled = await library.pull("kaggle://o/packed/transformers/v")
    assert pulled.format is ModelFormat.MLX
    assert pulled.path is not None
    assert {path: (Path(pulled.path) / path).read_bytes() for path in files} == files
    assert not list(site.store.rglob("*.tar.gz"))
    assert [result.ok for result in await library.verify()] == [True]
    (Path(pulled.path) / "model.safetensors").write_bytes(b"other")
    assert [result.bad_files for result in await library.verify()] == [("model.safetensors",)]
    assert [result.ok for result in await library.verify(repair=True)] == [True]
    assert (Path(pulled.path) / "model.safetensors").read_bytes() == files["model.safetensors"]
    await library.remove(pulled.name)
    assert not [path for path in below(site.store) if not path.startswith("locks/")]


HOSTILE = {"../../escape.txt": b"out", "config.json": b"{}"}


async def test_a_hostile_archive_is_refused_and_nothing_leaves_the_store(
    kaggle: KaggleApi, library: Library, site: Site
) -> None:
    kaggle.add_model("o/hostile/transformers/v", {"model.tar.gz": tarred(HOSTILE)})
    with pytest.raises(Corrupt, match="not safe to unpack"):
        await library.pull("kaggle://o/hostile/transformers/v", ALL_THE_SAME)
    assert await names(library) == []
    assert not list(site.folder.rglob("escape.txt"))
    (job,) = await library.pulls.list()
    assert "not safe" in str(job.error)
    assert not [path for path in below(site.store) if not path.startswith("locks/")], "nothing of it was kept"


# Addresses


async def test_a_file_at_an_address_is_checked_against_the_given_hash(web: FileServer, library: Library) -> None:
    url = web.add("Tiny.Q4_K_M.gguf", WEIGHTS)
    right = f"{url}#sha256={hashlib.sha256(WEIGHTS).hexdigest()}"
    with pytest.raises(Corrupt, match="hash"):
        await library.pull(f"{url}#sha256={'0' * 64}")
    assert await names(library) == []
    pulled = await library.pull(right)
    assert (pulled.name, pulled.format) == ("Tiny.Q4_K_M", ModelFormat.GGUF)
    (checked,) = await library.verify()
    assert [file.outcome.value for file in checked.files] == ["ok"]
    assert (await library.show("Tiny.Q4_K_M")).reference == right
    await library.remove("Tiny.Q4_K_M")
    assert await names(library) == []
    await library.pull(right)


async def test_a_file_of_unknown_length_arrives_whole(web: FileServer, library: Library) -> None:
    url = web.add("Tiny.gguf", WEIGHTS, length=False, ranges=False)
    plan = await library.plan(url)
    assert not plan.size_known
    assert any("size" in warning for warning in plan.warnings)
    pulled = await library.pull(url)
    assert pulled.size == len(WEIGHTS)
    (checked,) = await library.verify()
    assert [file.outcome.value for file in checked.files] == ["size_only"]


async def test_a_core_ml_package_in_a_zip_is_unpacked(web: FileServer, library: Library) -> None:
    files = models.coreml()
    url = web.add("Tiny.mlpackage.zip", zipped(files))
    pulled = await library.pull(url, ALL_THE_SAME)
    assert (pulled.name, pulled.format) == ("Tiny", ModelFormat.COREML)
    assert pulled.path is not None
    assert {path: (Path(pulled.path) / path).read_bytes() for path in files} == files
    assert [result.ok for result in await library.verify()] == [True]
    sent = web.bytes_sent()
    await library.pull(url, ALL_THE_SAME)
    assert web.bytes_sent() - sent <= 4096, "what was unpacked is not fetched again"


async def test_two_addresses_with_one_file_name_do_not_replace_each_other(web: FileServer, library: Library) -> None:
    """`model.gguf` is what half the web calls its model: the second one asks for a name instead of taking it."""
    first = web.add("a/model.gguf", WEIGHTS)
    second = web.add("b/model.gguf", models.gguf(seed=7))
    await library.pull(first)
    for refused in (library.plan(second), library.pull(second)):
        with pytest.raises(UsageError, match="already") as error:
            await refused
        assert "--name" in error.value.hint
    assert (await library.pull(second, PullOptions(name="other"))).name == "other"
    assert await names(library) == ["model", "other"]
    assert (await library.pull(first)).name == "model", "the same address is the same model"
    assert [result.ok for result in await library.verify()] == [True, True]


async def test_an_address_on_the_hub_is_that_file_of_its_repository(hub: HuggingFaceHub, library: Library) -> None:
    """So it gets its hash, the token, and no second copy beside the one that other tools use."""
    hub.add_repo("org/tiny", models.quantizations("Q4_K_M", "Q8_0"))
    pulled = await library.pull("https://huggingface.co/org/tiny/resolve/main/Tiny-Q8_0.gguf?download=true")
    assert (pulled.name, pulled.source) == ("org/tiny:Q8_0", SourceKind.HUGGINGFACE)
    assert await names(library) == ["org/tiny:Q8_0"]


# Files and folders of one's own


async def test_a_folder_is_registered_where_it_is(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "Tiny"
    for path, content in models.mlx().items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    pulled = await library.pull(f"file://{folder}")
    assert (pulled.name, pulled.origin, pulled.path) == ("Tiny", Origin.REGISTERED, str(folder))
    assert (await library.show("Tiny")).compatibility.verdict is Verdict.COMPATIBLE
    assert [result.ok for result in await library.verify()] == [True]
    removed = await library.remove("Tiny")
    assert (removed.kind, removed.freed_bytes) == (RemovalKind.FORGOTTEN, 0)
    assert (folder / "model.safetensors").exists()
    assert await names(library) == []
    await library.pull(f"file://{folder}")
    assert await names(library) == ["Tiny"]


async def test_a_file_is_registered_where_it_is(library: Library, tmp_path: Path) -> None:
    file = tmp_path / "mine" / "Tiny.Q8_0.gguf"
    file.parent.mkdir()
    file.write_bytes(WEIGHTS)
    pulled = await library.pull(f"file://{file}")
    assert (pulled.name, pulled.format, pulled.path) == ("Tiny.Q8_0", ModelFormat.GGUF, str(file))
    assert pulled.size == len(WEIGHTS)


async def test_a_disk_that_is_unplugged_hides_its_models_and_brings_them_back(library: Library, tmp_path: Path) -> None:
    """Whoever registered a model on an external disk finds it, pin and all, when the disk is there again."""
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "Tiny.gguf").write_bytes(WEIGHTS)
    await library.pull(f"file://{disk}/Tiny.gguf", PullOptions(pin=True))
    disk.rename(tmp_path / "unplugged")
    assert [model.name for model in await library.list(refresh=True)] == []
    with pytest.raises(ModelNotFound):
        await library.get("Tiny")
    (tmp_path / "unplugged").rename(disk)
    (back,) = await library.list(refresh=True)
    assert (back.name, back.pinned) == ("Tiny", True)


async def test_a_registered_model_does_not_take_the_name_of_another(library: Library, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "Tiny.gguf").write_bytes(WEIGHTS)
    await library.pull(f"file://{tmp_path}/a/Tiny.gguf")
    with pytest.raises(UsageError, match="already"):
        await library.pull(f"file://{tmp_path}/b/Tiny.gguf")
    assert (await library.pull(f"file://{tmp_path}/b/Tiny.gguf", PullOptions(name="Second"))).name == "Second"


# Built in


async def test_built_in_models_are_there_checked_and_stay(site: Site) -> None:
    site.builtin_models = Path(BUILT_IN_MODELS)
    async with site.open() as library:
        assert "pony" in await names(library)
        pulled = await library.pull("builtin://pony")
        assert (pulled.origin, pulled.license) == (Origin.BUILTIN, "apache-2.0")
        (checked,) = await library.verify(["pony"])
        assert checked.ok
        assert {file.outcome.value for file in checked.files} == {"ok"}, "each file has a hash in the bundle"
        details = await library.show("pony")
        assert details.compatibility.confidence is Confidence.HIGH, "its card says that it is for MLX"
        with pytest.raises(UsageError, match="part of Paddock"):
            await library.remove("pony")


# By short names


async def test_every_packaged_entry_names_a_model_that_can_be_asked_for() -> None:
    for entry in packaged_entries():
        assert parse_reference(entry.reference).source is not None, entry.name


async def test_a_short_name_of_the_registry_pulls_what_it_stands_for(hub: HuggingFaceHub, library: Library) -> None:
    entry = next(entry for entry in packaged_entries() if entry.name == "tinyllama-1.1b")
    hub.add_repo(parse_reference(entry.reference).name, models.quantizations("Q4_K_M", "Q8_0"))
    pulled = await library.pull("tinyllama-1.1b")
    assert pulled.name == entry.reference
    assert (await library.pull("TinyLlama-1.1B")).name == entry.reference, "case is no part of a name"


async def test_an_entry_of_ones_own_checks_its_checksum(web: FileServer, library: Library) -> None:
    url = web.add("Tiny.gguf", WEIGHTS)
    await library.handbook.add(RegistryEntry(name="mine", reference=url, sha256="0" * 64))
    with pytest.raises(Corrupt, match="hash"):
        await library.pull("mine")
    assert await names(library) == []


async def test_a_name_that_nobody_knows_is_told_with_near_ones(library: Library) -> None:
    with pytest.raises(ModelNotFound) as missing:
        await library.pull("tinylama-1.1b")
    assert "tinyllama-1.1b" in missing.value.hint


async def test_a_source_that_is_down_leaves_what_is_here_in_use(ollama: OllamaRegistry, library: Library) -> None:
    add_tags(ollama)
    await library.pull("ollama://tiny")
    with ollama.down():
        library.clear_cache()
        assert await names(library) == ["tiny:latest"]
        assert [result.ok for result in await library.verify()] == [True]
        with pytest.raises(PaddockError):
            await library.pull("ollama://tiny:chatty")
    ollama.fail("*", Status(500), times=None)
    library.clear_cache()
    assert (await library.show("tiny")).info.name == "tiny:latest"
