"""A batch is cut so that every part fits a frame, and nobody can tell from the answer."""

import dataclasses

from paddock.fleet.parts import embed_parts, joined_scores, joined_vectors, rerank_parts
from paddock.runner.messages import FRAME_BYTES_MAX, Embed, encode
from paddock.vocabulary import Embedded, EmbedRequest, Reranked, RerankRequest


def test_a_small_batch_stays_whole() -> None:
    request = EmbedRequest(id="1", inputs=("one", (1, 2)))
    assert [*embed_parts(request)] == [request]


def test_parts_hold_all_inputs_in_order_and_each_fits_a_frame() -> None:
    inputs = tuple(("🐴" * (100_000 if number % 7 == 0 else 10)) + str(number) for number in range(600))
    parts = embed_parts(EmbedRequest(id="1", inputs=inputs))
    assert tuple(each for part in parts for each in part.inputs) == inputs
    assert len(parts) > 2
    for part in parts:
        assert len(encode(Embed(1, part))) < FRAME_BYTES_MAX // 2
        assert len(part.inputs) * 16_384 * 4 < FRAME_BYTES_MAX  # its vectors have to come back


def test_documents_are_cut_as_inputs_are_and_each_part_knows_the_query() -> None:
    request = RerankRequest(id="1", query="which", documents=("text",) * 1000)
    parts = rerank_parts(request)
    assert sum(len(part.documents) for part in parts) == 1000
    assert {part.query for part in parts} == {"which"}


def test_joined_answers_are_as_if_never_cut() -> None:
    first = Embedded(vectors=b"\1" * 8, dimensions=1, tokens=(3, 4))
    second = Embedded(vectors=b"\2" * 4, dimensions=1, tokens=(5,), cut=(7,))
    whole = joined_vectors([first, second])
    assert whole == Embedded(vectors=b"\1" * 8 + b"\2" * 4, dimensions=1, tokens=(3, 4, 5), cut=(0, 0, 7))
    assert joined_vectors([first]) == first
    scores = Reranked(scores=(0.5,), tokens=(3,))
    assert joined_scores([scores, dataclasses.replace(scores, scores=(0.25,))]).scores == (0.5, 0.25)
