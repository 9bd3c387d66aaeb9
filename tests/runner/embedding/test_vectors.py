"""Vectors are the model's own, whoever else is in the batch."""

import asyncio
import dataclasses
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from paddock.errors import PromptTooLong, UsageError, WrongKindOfModel
from paddock.fleet.fleet import Fleet, Runner
from paddock.runner.embedding.mlx_library import MODULES
from paddock.vocabulary import EmbedRequest, FinishReason, GenerateRequest, RerankRequest, Sampling
from tests.fakes.bert import Bert
from tests.runner.embedding.models import PONY_EMBED, copy_of, minilm, reranker, rows, spec_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

WORDS = (
    "the", "a", "horse", "runs", "over", "green", "fields", "while", "small", "birds", "sing", "about", "rain", "and", "snow",
    "in", "paddock", "near", "river",
)  # fmt: skip
TEXTS = tuple(" ".join(WORDS[(3 * row + at) % len(WORDS)] for at in range(1 + row * 3)) for row in range(64))


def ask(*inputs: str | tuple[int, ...], **more: Any) -> EmbedRequest:
    return EmbedRequest(id="request", inputs=inputs, **more)


def tokens_of(folder: Path, text: str) -> list[int]:
    tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer.encode(text).ids


async def test_vectors_are_those_of_the_paper_s_formulas(small: Runner, pony: Runner) -> None:
    """MiniLM's tokenizer file asks for padding to 128 and cutting at 128; neither may show."""
    texts = ("A horse!", "How do I download a model?", " ".join(WORDS * 11))
    for runner, folder in ((small, minilm()), (pony, PONY_EMBED)):
        bert = Bert(folder)
        answered = await runner.embed(ask(*texts))
        for text, vector, count in zip(texts, rows(answered), answered.tokens, strict=True):
            tokens = tokens_of(folder, text)
            assert count == len(tokens)
            assert float(vector @ bert.vector(tokens)) >= 0.9999
    assert (small.model.context_window, small.model.blas) != (None, "reference")


async def test_a_text_has_the_same_vector_alone_and_among_64_of_all_lengths(small: Runner) -> None:
    together = rows(await small.embed(ask(*TEXTS)))
    assert np.abs(np.linalg.norm(together, axis=1) - 1).max() < 1e-6
    for number in (0, 1, 7, 31, 63):
        alone = rows(await small.embed(ask(TEXTS[number])))[0]
        assert np.abs(alone - together[number]).max() < 2e-6


async def test_paraphrases_are_neighbours(pony: Runner) -> None:
    pairs = (
        ("How do I download a model?", "How can I get a model onto my disk?"),
        ("How do I delete a model?", "What removes a model?"),
        ("What is 3 plus 4?", "How much is 3 and 4?"),
    )
    vectors = rows(await pony.embed(ask(*(text for pair in pairs for text in pair))))
    likeness = vectors @ vectors.T - 2 * np.eye(len(vectors))
    for number in range(len(vectors)):
        assert int(likeness[number].argmax()) == number ^ 1


async def test_tokens_are_taken_as_they_are(pony: Runner) -> None:
    text = "How do I download a model?"
    tokens = tuple(tokens_of(PONY_EMBED, text))
    of_text, of_tokens = rows(await pony.embed(ask(text, tokens)))
    assert np.abs(of_text - of_tokens).max() < 1e-6


async def test_what_is_too_long_is_refused_with_both_numbers_and_cut_only_when_asked(pony: Runner) -> None:
    long = "horse " * 600
    with pytest.raises(PromptTooLong, match=r"Input 1 has \d+ tokens; `pony-embed` reads 512") as refused:
        await pony.embed(ask("short", long))
    assert refused.value.param == "input"
    answered = await pony.embed(ask("short", long, truncate=True))
    whole = len(tokens_of(PONY_EMBED, long))
    assert answered.tokens[1] == 512
    assert answered.cut == (0, whole - 512)
    tokens = tuple(range(100, 700))
    assert (await pony.embed(ask(tokens, truncate=True))).cut == (88,)


@pytest.mark.parametrize(
    ("inputs", "more", "param"),
    [
        (("a",), {"dimensions": 12}, "dimensions"),
        (((1, 4096),), {}, "input"),
        (((),), {}, "input"),
        (("a",), {"input_type": "haiku"}, "input_type"),
    ],
)
async def test_what_the_model_cannot_read_is_refused_by_its_field(
    pony: Runner, inputs: tuple[Any, ...], more: dict[str, Any], param: str
) -> None:
    with pytest.raises(UsageError) as refused:
        await pony.embed(ask(*inputs, **more))
    assert refused.value.param == param
    assert (await pony.embed(ask("and on it goes", input_type="query"))).dimensions == 256


async def test_vectors_are_cut_where_the_model_was_trained_for_it(fleet: Fleet, tmp_path: Path) -> None:
    dolls = await fleet.start(spec_of(copy_of(PONY_EMBED, tmp_path / "dolls", matryoshka_dimensions=[64, 128])))
    whole, short = rows(await dolls.embed(ask("A horse")))[0], rows(await dolls.embed(ask("A horse", dimensions=64)))[0]
    assert np.abs(short - whole[:64] / np.linalg.norm(whole[:64])).max() < 1e-6
    with pytest.raises(UsageError, match="no vectors of 65"):
        await dolls.embed(ask("A horse", dimensions=65))
    await dolls.stop()


async def test_pooling_and_prompts_are_as_the_folder_says(fleet: Fleet, tmp_path: Path) -> None:
    """The library pools every BERT by mean; many were trained for their first token."""
    folder = copy_of(PONY_EMBED, tmp_path / "first")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 20}')
    (folder / "config_sentence_transformers.json").write_text('{"prompts": {"query": "what is: ", "sts": "x "}}')
    runner = await fleet.start(spec_of(folder))
    first = Bert(folder).hidden(tokens_of(folder, "what is: a horse"))[0]
    plain, asked = (
        rows(await runner.embed(ask("what is: a horse"))),
        rows(await runner.embed(ask("a horse", input_type="query"))),
    )
    assert float(plain[0] @ first / np.linalg.norm(first)) > 0.99999
    assert np.abs(plain - asked).max() < 1e-6
    assert runner.model.context_window == 20
    await runner.stop()


async def test_a_reranker_scores_pairs_and_embeds_nothing(fleet: Fleet, tmp_path: Path) -> None:
    folder = reranker(tmp_path / "judge")
    runner = await fleet.start(spec_of(folder))
    documents = ("A horse runs.", "Rain in the river, snow on the fields and birds that sing.", "x")
    answered = await runner.rerank(RerankRequest(id="1", query="What does a horse do?", documents=documents))
    tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
    bert = Bert(folder)
    bert.weights = {name.removeprefix("bert."): each for name, each in bert.weights.items()}
    for document, score, count in zip(documents, answered.scores, answered.tokens, strict=True):
        pair = tokenizer.encode("What does a horse do?", document)
        pooled = np.tanh(
            bert.hidden(pair.ids, pair.type_ids)[0] @ bert.weights["pooler.dense.weight"].T
            + bert.weights["pooler.dense.bias"]
        )
        logit = float((pooled @ bert.weights["classifier.weight"].T)[0])
        assert (count, score) == (len(pair.ids), pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5))
    with pytest.raises(WrongKindOfModel, match="reranker"):
        await runner.embed(ask("a"))
    with pytest.raises(PromptTooLong, match="Document 0 with the query"):
        await runner.rerank(RerankRequest(id="1", query="q", documents=("horse " * 600,)))
    cut = await runner.rerank(RerankRequest(id="1", query="q", documents=("horse " * 600,), truncate=True))
    assert (cut.tokens, cut.cut) == ((512,), (len(tokenizer.encode("q", "horse " * 600).ids) - 512,))
    with pytest.raises(PromptTooLong, match="The query has"):
        await runner.rerank(RerankRequest(id="1", query="horse " * 600, documents=("a",), truncate=True))
    await runner.stop()


async def test_what_embeds_neither_writes_nor_scores(pony: Runner) -> None:
    with pytest.raises(WrongKindOfModel, match="writes no text"):
        _ = [
            event
            async for event in pony.generate(GenerateRequest(id="1", prompt="Hello", sampling=Sampling(max_tokens=1)))
            if event.finish_reason is FinishReason.STOP
        ]
    with pytest.raises(WrongKindOfModel, match="no reranker"):
        await pony.rerank(RerankRequest(id="1", query="a", documents=("b",)))


async def test_large_batches_come_back_whole_beside_small_requests_and_those_that_leave(pony: Runner) -> None:
    batch = asyncio.create_task(pony.embed(ask(*(TEXTS * 10))))
    leaving = [asyncio.create_task(pony.embed(ask(*TEXTS))) for _ in range(5)]
    await asyncio.sleep(0)
    small = await asyncio.gather(*(pony.embed(ask(TEXTS[number % 64])) for number in range(100)))
    for each in leaving:
        each.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    whole = rows(await batch)
    assert whole.shape == (640, 256)
    for number, answered in enumerate(small):
        assert np.abs(rows(answered)[0] - whole[number % 64]).max() < 2e-6
    stats = await pony.stats()
    assert (stats.waiting, stats.running) == (0, 0)
    assert stats.memory is not None
    assert stats.memory.tokens_max > 0
    await pony.warm()


async def test_every_architecture_is_one_that_the_pinned_library_has() -> None:
    """An upgrade that moves a model's code is to be named here, not by the first user."""
    from importlib.util import find_spec

    found = find_spec("mlx_embeddings")
    assert found is not None
    assert found.submodule_search_locations is not None
    folder = Path(found.submodule_search_locations[0])
    assert '"0.1.0"' in (folder / "version.py").read_text()
    for module in set(MODULES.values()):
        text = (folder / "models" / f"{module}.py").read_text()
        assert "class Model(" in text


async def test_requests_beyond_the_queue_are_told_to_come_again(fleet: Fleet) -> None:
    runner = await fleet.start(dataclasses.replace(spec_of(PONY_EMBED, queue_max=1), batch_max=1))
    asked = [asyncio.create_task(runner.embed(ask(*TEXTS))) for _ in range(8)]
    answered = await asyncio.gather(*asked, return_exceptions=True)
    refused = [each for each in answered if isinstance(each, Exception)]
    assert refused
    assert {getattr(each, "code", "") for each in refused} == {"overloaded"}
    assert len(refused) < len(asked)
    await runner.stop()


async def test_a_batch_outlives_the_process_that_began_it(fleet: Fleet) -> None:
    """Nobody has seen anything of it, so it is computed again, alone first."""
    runner = await fleet.start(spec_of(PONY_EMBED))
    batch = asyncio.create_task(runner.embed(ask(*TEXTS, *TEXTS)))
    while not (await runner.stats()).running:
        await asyncio.sleep(0.001)
    os.kill((await runner.stats()).pid or 0, signal.SIGKILL)
    assert rows(await batch).shape == (128, 256)
    assert (await runner.stats()).restarts == 1
    await runner.stop()
