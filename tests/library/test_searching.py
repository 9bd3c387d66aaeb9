"""A search answers the question behind it: which of these models can I run here, and what do they cost to fetch."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from paddock.errors import AccessDenied, HubUnreachable, RateLimited
from paddock.library.library import Library
from paddock.library.machine import Machine
from paddock.vocabulary import Confidence, ModelFormat, SourceKind, Verdict
from tests.catalog.building import BUILT_IN_MODELS
from tests.fakes.faults import RateLimited as TooMany
from tests.fakes.faults import Status
from tests.fakes.huggingface import HuggingFaceHub
from tests.fakes.kaggle import KaggleApi
from tests.library import models
from tests.library.rooms import Site

MLX_TAGS = ("mlx", "text-generation")


@pytest.fixture
def kaggle(site: Site) -> Generator[KaggleApi]:
    with KaggleApi() as api:
        site.environment["PADDOCK_HUB__KAGGLE_ENDPOINT"] = api.url
        yield api


@pytest.fixture
async def library(site: Site, kaggle: KaggleApi) -> AsyncGenerator[Library]:
    async with site.open() as library:
        yield library


def add_mlx(hub: HuggingFaceHub, name: str, **metadata: object) -> None:
    hub.add_repo(name, models.mlx(), **{"tags": MLX_TAGS, "license": "mit", "config": models.QWEN3, **metadata})


async def test_each_hit_says_all_that_a_choice_needs(hub: HuggingFaceHub, library: Library) -> None:
    add_mlx(hub, "org/tiny-mlx", downloads=7, likes=3, safetensors={"parameters": {"BF16": 4096}, "total": 4096})
    (hit,) = await library.search("tiny")
    assert (hit.name, hit.reference, hit.source) == ("org/tiny-mlx", "org/tiny-mlx", SourceKind.HUGGINGFACE)
    assert (hit.format, hit.framework) == (ModelFormat.MLX, "MLX")
    assert (hit.license, hit.gated, hit.downloads, hit.likes) == ("mit", False, 7, 3)
    assert hit.size == models.total(models.mlx()), "to the byte what a pull would fetch"
    assert (hit.compatibility.verdict, hit.compatibility.confidence) == (Verdict.COMPATIBLE, Confidence.HIGH)
    assert hit.fits is True
    assert hit.runs_here is True
    assert hit.here is False
    assert hit.modified_at is not None


async def test_a_hit_that_is_here_already_says_so(hub: HuggingFaceHub, library: Library) -> None:
    add_mlx(hub, "org/tiny")
    hub.add_repo("org/tiny-quants", models.quantizations("Q4_K_M", "Q8_0"))
    await library.pull("org/tiny")
    await library.pull("org/tiny-quants")
    assert [hit.here for hit in await library.search("tiny")] == [True, True]


async def test_a_gated_model_is_a_hit_like_any_other(hub: HuggingFaceHub, library: Library) -> None:
    """Whoever must accept terms first should learn it from the list, not from a failed download."""
    add_mlx(hub, "org/closed", gated="manual")
    (hit,) = await library.search("closed")
    assert hit.gated
    assert hit.size == models.total(models.mlx())
    assert hit.compatibility.verdict is Verdict.COMPATIBLE


async def test_what_does_not_run_here_says_why(hub: HuggingFaceHub, library: Library) -> None:
    hub.add_repo("org/pickles", {"config.json": b"{}", "pytorch_model.bin": b"pickle"})
    hub.add_repo("org/graph", models.onnx())
    graph, pickles = await library.search("")
    assert graph.format is ModelFormat.ONNX
    assert (graph.compatibility.verdict, graph.runs_here) == (Verdict.INCOMPATIBLE, False)
    assert "ONNX Runtime" in graph.compatibility.reasons[0]
    assert pickles.size is None
    assert "pickles" in pickles.compatibility.reasons[0]


async def test_a_model_that_is_too_large_for_this_machine_does_not_fit(hub: HuggingFaceHub, site: Site) -> None:
    """Right format and architecture, and still no use: memory decides, before anything is fetched."""
    site.machine = Machine("cpu", 1 << 20, 1 << 20)
    add_mlx(hub, "org/tiny")
    async with site.open() as library:
        (hit,) = await library.search("tiny")
    assert hit.compatibility.verdict is Verdict.COMPATIBLE
    assert hit.fits is False
    assert hit.runs_here is False


async def test_an_unlisted_hit_stays_with_an_unknown_verdict(hub: HuggingFaceHub, library: Library) -> None:
    """One repository that answers badly must not empty the list, nor vanish from it."""
    add_mlx(hub, "org/tiny-a", downloads=2)
    add_mlx(hub, "org/tiny-b", downloads=1)
    hub.fail("/api/models/org/tiny-a*", Status(500), times=None)
    first, second = await library.search("tiny")
    assert (first.name, first.compatibility.verdict, first.size, first.fits) == (
        "org/tiny-a",
        Verdict.UNKNOWN,
        None,
        None,
    )
    assert first.compatibility.reasons
    assert first.runs_here is None
    assert (first.license, first.downloads) == ("mit", 2), "what the search itself told is kept"
    assert second.compatibility.verdict is Verdict.COMPATIBLE


async def test_all_hubs_are_asked_and_their_hits_can_be_pulled(
    hub: HuggingFaceHub, kaggle: KaggleApi, library: Library
) -> None:
    add_mlx(hub, "org/gemma-mlx")
    kaggle.add_model("google/gemma/tfLite/2b", {"gemma.bin": b"graph" * 1000})
    hits = await library.search("gemma")
    assert [(hit.source, hit.reference) for hit in hits] == [
        (SourceKind.HUGGINGFACE, "org/gemma-mlx"),
        (SourceKind.KAGGLE, "kaggle://google/gemma/tfLite/2b"),
    ]
    assert (hits[1].format, hits[1].size, hits[1].license) == (ModelFormat.TFLITE, 5000, "Apache 2.0")
    assert (await library.plan(hits[1].reference)).name == hits[1].name


async def test_one_hub_that_is_down_does_not_silence_the_other(
    hub: HuggingFaceHub, kaggle: KaggleApi, library: Library
) -> None:
    add_mlx(hub, "org/gemma-mlx")
    kaggle.add_model("google/gemma/tfLite/2b", {"gemma.bin": b"graph"})
    with kaggle.down():
        assert [hit.source for hit in await library.search("gemma")] == [SourceKind.HUGGINGFACE]
    with hub.down():
        assert [hit.source for hit in await library.search("gemma")] == [SourceKind.KAGGLE]


async def test_when_no_hub_answers_that_is_said(hub: HuggingFaceHub, kaggle: KaggleApi, site: Site) -> None:
    """Built-in models that happen to match would look like all that there is."""
    site.builtin_models = Path(BUILT_IN_MODELS)
    async with site.open() as library:
        with hub.down(), kaggle.down():
            with pytest.raises(HubUnreachable):
                await library.search("pony")
            assert "pony" in [hit.name for hit in await library.search("pony", source=SourceKind.BUILTIN)]
        hub.fail("/api/models", TooMany(retry_after=1), times=None)
        with kaggle.down(), pytest.raises((RateLimited, HubUnreachable)):
            await library.search("pony")


async def test_built_in_models_come_last_and_only_when_they_match(
    hub: HuggingFaceHub, site: Site, kaggle: KaggleApi
) -> None:
    """They are for trying Paddock out; nobody searches for them by accident."""
    site.builtin_models = Path(BUILT_IN_MODELS)
    add_mlx(hub, "org/my-little-pony")
    add_mlx(hub, "org/llama")
    async with site.open() as library:
        hits = await library.search("pony")
        assert hits[0].name == "org/my-little-pony"
        assert "pony" in [hit.name for hit in hits[1:]]
        assert all(hit.source is SourceKind.BUILTIN and hit.here for hit in hits[1:])
        assert [hit.name for hit in await library.search("llama")] == ["org/llama"]
        assert [hit.name for hit in await library.search("pony", limit=1)] == ["org/my-little-pony"]


async def test_the_limit_holds_and_leaves_room_for_every_hub(
    hub: HuggingFaceHub, kaggle: KaggleApi, library: Library
) -> None:
    for number in range(12):
        add_mlx(hub, f"org/gemma-{number:02}")
        kaggle.add_model(f"google/gemma/tfLite/v{number}", {"gemma.bin": b"graph"})
    hits = await library.search("gemma", limit=8)
    assert [hit.source for hit in hits] == [SourceKind.HUGGINGFACE] * 6 + [SourceKind.KAGGLE] * 2
    assert len(await library.search("gemma", limit=5, source=SourceKind.HUGGINGFACE)) == 5


async def test_a_hub_that_wants_credentials_is_named_when_it_alone_is_asked(
    hub: HuggingFaceHub, kaggle: KaggleApi, library: Library
) -> None:
    add_mlx(hub, "org/gemma")
    kaggle.fail("*list*", Status(401), times=None)
    assert [hit.name for hit in await library.search("gemma")] == ["org/gemma"]
    with pytest.raises(AccessDenied):
        await library.search("gemma", source=SourceKind.KAGGLE)


async def test_nothing_found_is_an_empty_answer(library: Library) -> None:
    assert list(await library.search("nosuchmodel")) == []
