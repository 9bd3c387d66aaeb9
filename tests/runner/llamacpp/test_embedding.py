"""Vectors of GGUF models: those of the same weights, computed by the paper's formulas."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from paddock.app import BUILTIN_MODELS
from paddock.errors import PromptTooLong, WrongKindOfModel
from paddock.fleet.fleet import Runner, RunnerSpec
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.vocabulary import EmbedRequest, GenerateRequest, ModelFormat, ModelKind, Sampling
from tests.fakes.bert import Bert
from tests.runner.embedding.models import rows
from tests.runner.embedding.test_vectors import TEXTS, tokens_of
from tests.runner.llamacpp.writing import embedder_as_gguf

pytestmark = pytest.mark.asyncio(loop_scope="module")

PONY = BUILTIN_MODELS / "pony-embed"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pony(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Runner]:
    fleet = SubprocessFleet()
    path = embedder_as_gguf(PONY, tmp_path_factory.mktemp("embed") / "pony-embed.gguf")
    spec = RunnerSpec(name="pony-embed", path=str(path), format=ModelFormat.GGUF, kind=ModelKind.EMBEDDINGS)
    yield await fleet.start(spec)
    await fleet.close()


def ask(*inputs: str, truncate: bool = False) -> EmbedRequest:
    return EmbedRequest(id="request", inputs=inputs, truncate=truncate)


async def test_vectors_and_counts_are_those_of_the_weights(pony: Runner) -> None:
    bert = Bert(PONY)
    answered = await pony.embed(ask("A horse!", "How do I download a model?"))
    for text, vector, count in zip(
        ("A horse!", "How do I download a model?"), rows(answered), answered.tokens, strict=True
    ):
        tokens = tokens_of(PONY, text)
        assert count == len(tokens)
        assert float(vector @ bert.vector(tokens)) >= 0.9999


async def test_a_text_has_the_same_vector_alone_and_among_64_of_all_lengths(pony: Runner) -> None:
    together = rows(await pony.embed(ask(*TEXTS)))
    assert np.abs(np.linalg.norm(together, axis=1) - 1).max() < 1e-5
    for number in (0, 7, 63):
        alone = rows(await pony.embed(ask(TEXTS[number])))[0]
        assert float(alone @ together[number]) >= 0.9999


async def test_what_is_too_long_is_refused_or_cut_when_asked(pony: Runner) -> None:
    with pytest.raises(PromptTooLong, match="reads 512"):
        await pony.embed(ask("horse " * 600))
    (count,) = (await pony.embed(ask("horse " * 600, truncate=True))).tokens
    assert count == 512


async def test_it_writes_no_text(pony: Runner) -> None:
    with pytest.raises(WrongKindOfModel):
        async for _ in pony.generate(GenerateRequest(id="r", prompt="Hello", sampling=Sampling())):
            pass


async def test_the_tests_own_file_is_a_model_of_vectors(tmp_path: Path) -> None:
    """The library finds that out by itself, and the pool asks for the right runner."""
    from paddock.catalog.evidence.gguf import clues_of_gguf
    from paddock.runner.llamacpp.files import read_files

    path = embedder_as_gguf(PONY, tmp_path / "pony-embed.gguf")
    assert clues_of_gguf(read_files(path, "pony-embed").header, [path.name]).embeddings
